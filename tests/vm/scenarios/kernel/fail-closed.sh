#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P2: without a usable key, endpoint or member nothing leaves the node, in clear or otherwise, and it is counted.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

no_traffic_without_incarnation() {
	install_generation a "a b" 1
	activate a 1
	ip -n a addr add 10.77.0.1/24 dev akm0
	ip -n a link set akm0 up
	silent a "$(overlay b)"
}

wire_up a b x
capture_start "$scratch/wire.pcap" wire br0
watcher=$capture

need "an interface without any setting" on a akmctl dev add akm9
ip -n a addr add 10.55.0.1/24 dev akm9
ip -n a link set akm9 up 2>"$scratch/up.log" || say "  (an unset interface does not even come up: $(cat "$scratch/up.log"))"
claim "it carries nothing" silent a 10.55.0.2
need "it goes away" on a akmctl dev del akm9

need "a and b know each other" atr_up a "a b"
need "b likewise" atr_up b "a b"
claim "no generation: silence" silent a "$(overlay b)"
claim "counted as no key" counter_at_least a tx_no_key 3
need "a pending generation" install_generation a "a b" 1
claim "pending: silence" silent a "$(overlay b)"
claim "counted as no key" counter_at_least a tx_no_key 6
need "b likewise" install_generation b "a b" 1
need "active" activate a 1
need "active" activate b 1
need "now they talk" pings a "$(overlay b)"
need "b's endpoint is taken away" on a akmctl member set akm0 index 2 name b prefix 10.77.0.2/32
claim "no endpoint: silence" silent a "$(overlay b)"
claim "counted as no endpoint" counter_at_least a tx_no_endpoint 3
need "b is no member any more" on a akmctl member del akm0 index 2
claim "no member: silence" silent a "$(overlay b)"
claim "counted as no member" counter_at_least a tx_no_member 3
need "b comes back, without pairwise secret" member_set a b
claim "no pairwise secret: silence" silent a "$(overlay b)"
need "an interface without incarnation" on a sh -c "akmctl dev del akm0 && akmctl dev add akm0 && akmctl dev set akm0 atr-id 1 self 1"
need "b is named" member_set a b
claim "without an incarnation nothing is sent, or activated" no_traffic_without_incarnation
capture_stop "$watcher"
claim "the wire never saw an inner address" equal "$(frames "$scratch/wire.pcap" 'net 10.77.0.0/24 or net 10.55.0.0/24')" 0
