#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# MTU: the default fits an Ethernet underlay, what is bigger is fragmented or answered, limits are enforced.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

mtu_of() { # NODE INTERFACE
	ip -n "$1" -j link show "$2" | field mtu
}

for outer in 4 6; do
	say "outer IPv$outer"
	group_up "a b"
	mtu=$(mtu_of a akm0)
	claim "the default MTU ($mtu) leaves room for 80 bytes of outer headers" at_most "$mtu" 1420
	capture_start "$scratch/big.pcap" wire br0
	watcher=$capture
	claim "an echo that just fits comes back unfragmented" pings a "$(overlay b)" -M "do" -s $((mtu - 28))
	claim "one byte more is refused with 'message too long'" \
		refused 'message too long' on a ping -c 1 -M "do" -s $((mtu - 27)) "$(overlay b)"
	need "the capture has it" within 10 captured 10 "$scratch/big.pcap" udp port 7645
	capture_stop "$watcher"
	claim "nothing on the wire was fragmented" equal \
		"$(frames "$scratch/big.pcap" 'ip[6:2] & 0x3fff != 0 or ip6[6] = 44')" 0
	for n in a b; do
		need "$n takes MTU 9000 and underlay 9100" sh -c "ip -n $n link set akm0 mtu 9000 && ip -n $n link set eth0 mtu 9100"
		ip -n wire link set "port-$n" mtu 9100
	done
	claim "9000 bytes pass" pings a "$(overlay b)" -M "do" -s 8972
	claim "1 MiB over TCP with MTU 9000" tcp_transfer a b "$(overlay b)" 1048576
	claim "MTU 1280, the least for IPv6" ip -n a link set akm0 mtu 1280
	claim "256 KiB over TCP towards the smaller MTU" tcp_transfer b a "$(overlay6 a)" 262144
	claim "an MTU beyond what UDP can carry is refused" refused 'mtu|invalid|maximum' ip -n a link set akm0 mtu 65536
	world_down
done
