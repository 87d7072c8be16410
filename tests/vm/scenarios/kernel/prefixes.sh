#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A member sends and receives only with the overlay addresses that are its own: both directions are checked, each
# where the other end is made not to.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

# What the receiver refuses of this, the sender would never let out by itself: its own table says otherwise.
sender_believes() { # PREFIX…: these are a's
	local p words=()
	for p; do
		words+=(prefix "$p")
	done
	on a akmctl member set akm0 index 1 name EdgeNodeA "${words[@]}"
}

group_up "a b c"
need "a gives itself addresses of c, and of nobody" sh -c \
	"ip -n a addr add 10.77.0.3/32 dev akm0 && ip -n a addr add 10.99.0.1/32 dev akm0 && ip -n a -6 addr add fd77::3/128 dev akm0 nodad"
capture_start "$scratch/wire.pcap" wire br0 udp port 7645
watcher=$capture
sent=$(counter a tx_packets) dropped=$(counter a tx_dropped)
claim "a pings b from c's address: no answer" silent a "$(overlay b)" -I "$(overlay c)"
claim "nor over IPv6" silent a "$(overlay6 b)" -I "$(overlay6 c)"
claim "nor from nobody's" silent a "$(overlay b)" -I 10.99.0.1
claim "a sent none of it" equal "$(counter a tx_packets)" "$sent"
claim "a counted it as dropped" counter_at_least a tx_dropped $((dropped + 9))
capture_stop "$watcher"
claim "nothing was on the wire" equal "$(frames "$scratch/wire.pcap")" 0

# A member that lies: with its real keys, in the name of others.
need "a forgets c" on a akmctl member del akm0 index 3
need "a takes c's addresses, and nobody's, for its own" sender_believes \
	10.77.0.1/32 fd77::1/128 10.77.0.3/32 fd77::3/128 10.99.0.1/32
need "b's events are watched" monitor_start b "$scratch/events"
sent=$(counter a tx_packets) delivered=$(counter b rx_packets)
claim "a pings b in c's name: no answer" silent a "$(overlay b)" -I "$(overlay c)"
claim "b counted prefix violations" counter_at_least b rx_prefix 3
claim "a pings b in c's name over IPv6: no answer" silent a "$(overlay6 b)" -I "$(overlay6 c)"
claim "b counted them" counter_at_least b rx_prefix 6
claim "a pings b from nobody's address: no answer" silent a "$(overlay b)" -I 10.99.0.1
claim "b counted them" counter_at_least b rx_prefix 9
claim "a did send them" counter_at_least a tx_packets $((sent + 9))
claim "b delivered none" equal "$(counter b rx_packets)" "$delivered"
claim "b reported it" within 10 grep -q prefix "$scratch/events"
claim "and which address it was" says '"inner_source":"10.77.0.3"' "$scratch/events"
claim "over IPv6 as well" within 10 says '"inner_source":"fd77::3"' "$scratch/events"
claim "of the packet it shows the header, and nothing that it decrypted" \
	says '"prefix".*"packet":"1[12][0-9a-f]{30}"' "$scratch/events"
need "a is what it was" sender_believes 10.77.0.1/32 fd77::1/128
need "a knows c again" member_set a c

need "a routes an address that nobody owns to akm0" ip -n a route add 10.88.0.0/24 dev akm0
none=$(counter a tx_no_member)
claim "a pings it: no answer" silent a 10.88.0.1
claim "a counted that no member owns it" counter_at_least a tx_no_member $((none + 3))
need "b owns 10.88.0.0/24 as well, says a" member_set a b prefix 10.88.0.0/24
need "b has an address of it" ip -n b addr add 10.88.0.1/24 dev akm0
foreign=$(counter b rx_prefix)
claim "b does not take it: it is not told to be its own" silent a 10.88.0.1
claim "b counted that" counter_at_least b rx_prefix $((foreign + 3))
need "b owns it, says b" member_set b b prefix 10.88.0.0/24
claim "a pings it: b answers" pings a 10.88.0.1
claim "an overlapping prefix of two members is refused" refused 'prefix' member_set a c prefix 10.88.0.0/24
claim "host bits in a prefix are refused" refused 'prefix|host' on a akmctl member set akm0 index 3 name c prefix 10.88.0.1/24
claim "a and b still talk" pings a "$(overlay b)"
