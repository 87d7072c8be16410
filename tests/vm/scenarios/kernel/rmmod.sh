#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The module is removed under traffic, three times over; its interfaces go with it, and it loads again.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

flows() {
	counter_at_least b rx_packets 20
}

for round in 1 2 3; do
	group_up "a b c"
	start "$scratch/one" on a ping -q -f -W 1 "$(overlay b)"
	start "$scratch/two" on c ping -q -f -W 1 "$(overlay6 b)"
	need "round $round: traffic flows" within 15 flows
	claim "round $round: the module goes under traffic" rmmod akm
	claim "round $round: so did the interfaces" refused 'exist|not found|no such' ip -n b link show akm0
	world_down
	need "round $round: it loads again" load_module
done
