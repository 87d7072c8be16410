#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P2: the wire shows the header and nothing of what is inside; a known plaintext occurs inside and not outside.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

marker=the-crown-jewels-in-plain-sight

group_up "a b"
capture_start "$scratch/outside.pcap" wire br0
outside=$capture
capture_start "$scratch/inside.pcap" a akm0
inside=$capture
need "b listens" udp_listen b "$(overlay b)" 5002 "$scratch/heard"
for i in $(seq 20); do
	printf '%s %d\n' "$marker" "$i" | on a socat -u - "UDP4:$(overlay b):5002"
done
need "b heard it all" within 10 sh -c "[ \$(wc -l <$scratch/heard) = 20 ]"
need "patterned echoes" pings a "$(overlay b)" -p 6d61726b6572 -s 600
need "IPv6 likewise" pings a "$(overlay6 b)" -p 6d61726b6572 -s 600
claim "the key is taken away during traffic" retire a 1
claim "nothing comes back" silent a "$(overlay b)" -p 6d61726b6572 -s 600
capture_stop "$outside"
capture_stop "$inside"
claim "the marker is inside (so it can be found)" grep -qF "$marker" "$scratch/inside.pcap"
claim "the marker is not on the wire" not grep -qF "$marker" "$scratch/outside.pcap"
claim "the pattern is inside" grep -qaF markermarker "$scratch/inside.pcap"
claim "the pattern is not on the wire" not grep -qaF markermarker "$scratch/outside.pcap"
claim "no overlay address is on the wire" equal \
	"$(frames "$scratch/outside.pcap" 'net 10.77.0.0/24 or net fd77::/64')" 0
claim "between a and b the wire carried AKM packets and neighbour discovery only" equal \
	"$(frames "$scratch/outside.pcap" 'not udp port 7645 and not arp and not icmp6')" 0
claim "and of the first there are plenty" at_least "$(frames "$scratch/outside.pcap" 'udp port 7645')" 30
