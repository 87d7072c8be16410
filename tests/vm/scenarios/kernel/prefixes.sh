#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A member sends and receives only with the overlay addresses that are its own: both directions are checked.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

group_up "a b c"
delivered=$(counter b rx_packets)
need "a gives itself an address that is c's" ip -n a addr add 10.77.0.3/32 dev akm0
claim "a pings b from c's address: no answer" silent a "$(overlay b)" -I "$(overlay c)"
claim "b counted prefix violations of a" counter_at_least b rx_prefix 3
claim "b delivered none" equal "$(counter b rx_packets)" "$delivered"
need "a gives itself an address that is nobody's" ip -n a addr add 10.99.0.1/32 dev akm0
claim "a pings b from it: no answer" silent a "$(overlay b)" -I 10.99.0.1

need "a routes an address that nobody owns to akm0" ip -n a route add 10.88.0.0/24 dev akm0
none=$(counter a tx_no_member)
claim "a pings it: no answer" silent a 10.88.0.1
claim "a counted that no member owns it" counter_at_least a tx_no_member $((none + 3))

need "b owns 10.88.0.0/24 as well, says a" member_set a b prefix 10.88.0.0/24
need "b owns it, says b" ip -n b addr add 10.88.0.1/24 dev akm0
need "b knows that of itself" member_set b b prefix 10.88.0.0/24
claim "a pings it: b answers" pings a 10.88.0.1
claim "IPv6: a in c's name gets no answer" sh -c \
	"ip -n a -6 addr add fd77::3/128 dev akm0 nodad && nsenter --net=/run/netns/a ping -q -c 3 -i 0.1 -W 1 -I fd77::3 fd77::2 | grep '100% packet loss'"
claim "an overlapping prefix of two members is refused" refused 'prefix' member_set a c prefix 10.88.0.0/24
claim "host bits in a prefix are refused" refused 'prefix|host' on a akmctl member set akm0 index 3 name c prefix 10.88.0.1/24
claim "a and b still talk" pings a "$(overlay b)"
