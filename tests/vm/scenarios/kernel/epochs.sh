#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The ratchet: a roll under traffic loses nothing, pulls the others along, and the old epoch is erased; a chain
# given at a later epoch talks to members that stepped there by themselves.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

epoch_of() { # NODE
	on "$1" akmctl -j generation show akm0 | field epoch
}

epoch_is() { # NODE EPOCH
	equal "$(epoch_of "$1")" "$2"
}

group_up "a b c"
claim "everyone starts at epoch 0" epoch_is b 0
start "$scratch/ping.log" on a ping -q -i 0.05 -c 100 -W 10 "$(overlay b)"
ping=$started
need "traffic flows" within 10 counter_at_least b rx_packets 10
need "a rolls" on a akmctl epoch roll akm0
claim "a is at epoch 1" within 5 epoch_is a 1
claim "a's packets pull b along" within 10 epoch_is b 1
within 60 ended "$ping"
claim "the roll lost nothing" grep -q ' 0% packet loss' "$scratch/ping.log"
need "a talks to c" pings a "$(overlay c)"
claim "c came along" within 10 epoch_is c 1
