#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Multicast and broadcast: every member hears them, sealed once under the sender's group key.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

# Payloads of a's group packets in hexadecimal, one a line: 28 bytes of IPv4 and UDP header come before them.
group_payloads() {
	tcpdump -nxr "$scratch/group.pcap" 'src host 192.0.2.1 and udp port 7645 and udp[8] = 0x12' 2>/dev/null |
		awk '/^[0-9]/ {if (p) print p; p = ""; next} {$1 = ""; gsub(" ", ""); p = p $0} END {if (p) print p}' |
		cut -c57-
}

sealed_once() {
	equal "$(group_payloads | sort | uniq -c | awk '{print $1}' | sort -u)" 2
}

four_seen() {
	at_least "$(group_payloads | wc -l)" 4
}

group_up "a b c"
for n in b c; do
	need "$n listens to multicast" udp_listen $n 0.0.0.0 5003 "$scratch/mc-$n" "ip-add-membership=239.7.6.45:akm0"
	need "$n listens to broadcast" udp_listen $n 0.0.0.0 5004 "$scratch/bc-$n"
done
capture_start "$scratch/group.pcap" wire br0
watcher=$capture
need "a sends to a multicast group" on a sh -c \
	"ip route add 239.0.0.0/8 dev akm0 && printf 'to the group' | socat -u - UDP4-DATAGRAM:239.7.6.45:5003"
need "a sends to the broadcast address" on a sh -c \
	"printf 'to everyone' | socat -u - UDP4-DATAGRAM:10.77.0.255:5004,broadcast"
for n in b c; do
	claim "$n hears a's multicast" within 10 grep -qF 'to the group' "$scratch/mc-$n"
	claim "$n hears a's broadcast" within 10 grep -qF 'to everyone' "$scratch/bc-$n"
done
need "the wire carried both, to both" within 10 four_seen
capture_stop "$watcher"
claim "a group packet is sealed once: b's copy and c's are the same bytes" sealed_once
need "a pings all nodes" on a sh -c "ping -6 -c 3 -i 0.2 -W 3 ff02::1%akm0 >'$scratch/all-nodes'"
for n in b c; do
	claim "$n answers a's ping to ff02::1" grep -F "from $(overlay6 $n)" "$scratch/all-nodes"
done
