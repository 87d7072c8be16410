#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P6: unicast traffic between a and b stays between them, though c is a member of the same ATR and sees every
# byte of it; and c cannot speak to b in a's name. x, who is no member, gets nothing either.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

group_up "a b c"
capture_start "$scratch/pair.pcap" wire br0
watcher=$capture
need "a and b talk" pings a "$(overlay b)"
need "the capture holds it" within 10 captured 10 "$scratch/pair.pcap" udp port 7645
capture_stop "$watcher"

# The very packets that a sent to b, led to c: addressed to it, on its own port.
tcpdump -nr "$scratch/pair.pcap" -w "$scratch/ab.pcap" 'src host 192.0.2.1 and dst host 192.0.2.2 and udp port 7645' 2>/dev/null
before=$(counter c rx_packets)
need "x leads them to c" on x inject -R 192.0.2.3 -E 02:00:00:00:00:03 replay eth0 "$scratch/ab.pcap"
claim "c counts authentication failures" within 5 counter_at_least c rx_auth_fail 5
claim "c delivered none of them" equal "$(counter c rx_packets)" "$before"

# c speaks as a: its module is told that it were a, with what c knows: the chain, and its own pairwise secrets.
need "c makes an interface that claims to be a" on c sh -c "akmctl dev del akm0 && akmctl dev add akm0 && \
	akmctl dev set akm0 atr-id 1 label A-B-C self 1 incarnation 9"
need "c names a in it, as itself" member_set c a
need "c names b in it" member_set c b
key_files c "a b c" 1
key_files b "a b c" 1
# Of (a, b) it can only use what it has with b itself: (b, c).
echo "2 $(secret pair 1 b c)" >"$scratch/forged.pairs"
need "c installs what it knows" on c akmctl generation install akm0 number 1 key-id 1001 \
	chain-file "$scratch/c-1.chain" pair-file "$scratch/forged.pairs"
need "c sends on it" activate c 1
need "c takes a's overlay address" on c sh -c "ip addr add 10.77.0.1/24 dev akm0 && ip link set akm0 up"
before=$(counter b rx_packets)
claim "b does not answer" silent c "$(overlay b)"
claim "b counted authentication failures" counter_at_least b rx_auth_fail 3
claim "b delivered nothing of it" equal "$(counter b rx_packets)" "$before"
claim "a and b still talk" pings a "$(overlay b)"
# x shares a link with b, and Linux answers for every address of its own on every interface (security.rst).
before=$(counter b rx_packets)
quiet on x ping -q -c 3 -i 0.1 -W 1 "$(overlay b)"
claim "x, without keys, gets nothing through b's akm0" equal "$(counter b rx_packets)" "$before"
