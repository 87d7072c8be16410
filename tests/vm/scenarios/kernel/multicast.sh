#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# An underlay multicast group: what is for all members is on the wire once, and every member hears it; where the
# group cannot be used there are copies as without one; nothing is left of it afterwards.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

group4=239.7.6.45 group6=ff05::7645

group_of_wire() {
	if [ "$outer" = 6 ]; then echo $group6; else echo $group4; fi
}

joined() { # NODE INTERFACE
	ip -n "$1" maddr show dev "$2" | grep -qw "$(group_of_wire)"
}

not_joined() {
	not joined "$@"
}

count_is() { # NODE N: packets that it heard, each one counted
	equal "$(wc -l <"$scratch/heard-$1")" "$2"
}

shows_group() { # NODE PATTERN
	on "$1" akmctl show akm0 | shows "$2"
}

send_group() { # N: as many packets to everybody inside
	on a sh -c "for i in \$(seq $1); do printf 'number %s\n' \$i | socat -u - UDP4-DATAGRAM:239.1.2.3:5003; done"
}

heard() { # NODE N
	equal "$(sort -u "$scratch/heard-$1" | wc -l) $(wc -l <"$scratch/heard-$1")" "$2 $2"
}

on_wire() { # LEAST FILTER: of what a sends under its group key, in the capture
	captured "$1" "$scratch/wire.pcap" "$2"
}

for outer in 4 6; do
	say "outer IPv$outer"
	group_up "a b c"
	if [ "$outer" = 4 ]; then
		from='src host 192.0.2.1 and udp[8] = 0x12' ttl='ip[8]'
	else
		from='src host 2001:db8::1 and ip6[48] = 0x12' ttl='ip6[7]'
	fi
	for n in a b c; do
		need "$n is given the group" on $n akmctl dev set akm0 group "$(group_of_wire)%eth0" ttl 3
		claim "$n has joined it" joined $n eth0
		ip -n $n route add 239.0.0.0/8 dev akm0
	done
	for n in b c; do
		rm -f "$scratch/heard-$n"
		need "$n listens inside" udp_listen $n 0.0.0.0 5003 "$scratch/heard-$n" "ip-add-membership=239.1.2.3:akm0"
	done
	claim "akmctl shows the group" shows_group a "^  group: $(group_of_wire)%eth0, TTL 3\$"
	capture_start "$scratch/wire.pcap" wire br0 udp port 7645
	watcher=$capture
	need "a sends 10 packets to everybody" send_group 10
	for n in b c; do
		claim "$n hears each of them, once" within 20 heard $n 10
	done
	need "the capture has them" within 10 on_wire 10 "$from and dst host $(group_of_wire)"
	claim "a pings b" pings a "$(overlay b)"
	capture_stop "$watcher"
	claim "one packet on the wire for each" equal "$(frames "$scratch/wire.pcap" "$from")" 10
	claim "with the TTL that was given" equal "$(frames "$scratch/wire.pcap" "$from and $ttl = 3")" 10
	claim "a counts them" equal "$(counter a tx_group)" 10
	for n in a b c; do
		claim "$n takes nothing for a replay" equal "$(counter $n rx_replay)" 0
		claim "$n takes nobody for a clone" equal "$(counter $n rx_clone)" 0
		claim "$n has heard nothing that it does not know" equal "$(counter $n rx_unknown_key)" 0
	done

	say "without the link"
	need "a has a second way to the others" sh -c "ip -n a link add aside type dummy && ip -n a link set aside multicast on up"
	need "the group is on it" on a akmctl dev set akm0 group "$(group_of_wire)%aside"
	claim "a has left the other link" not_joined a eth0
	need "it goes down" ip -n a link set aside down
	capture_start "$scratch/wire.pcap" wire br0 udp port 7645
	watcher=$capture
	need "a sends 10 more" send_group 10
	for n in b c; do
		claim "$n hears each of them" within 20 count_is $n 20
	done
	need "the capture has them" within 10 on_wire 20 "$from"
	capture_stop "$watcher"
	claim "in copies: one for each member" equal "$(frames "$scratch/wire.pcap" "$from")" 20
	need "the link goes for good" ip -n a link del aside
	need "a sends one more" send_group 1
	for n in b c; do
		claim "$n hears it" within 20 count_is $n 21
	done

	say "joining and leaving"
	need "a is on its wire again" on a akmctl dev set akm0 group "$(group_of_wire)%eth0"
	need "a's interface goes down" ip -n a link set akm0 down
	claim "a has left" not_joined a eth0
	need "and up" ip -n a link set akm0 up
	claim "a has joined" joined a eth0
	need "b has no group any more" on b akmctl dev set akm0 group none
	claim "b has left" not_joined b eth0
	claim "akmctl shows none" not shows_group b "group:"
	need "a second interface of c is in the group, over the same socket" on c sh -c "akmctl dev add akm1 &&
		akmctl dev set akm1 group '$(group_of_wire)%eth0' && ip link set akm1 up"
	need "the first one goes" on c akmctl dev del akm0
	claim "c has not left" joined c eth0
	need "the second one goes" on c akmctl dev del akm1
	claim "c has left" not_joined c eth0
	need "a's interface is elsewhere when its namespace dies" sh -c \
		"ip -n a link set akm0 netns x && ip netns pids a | xargs -r kill; ip netns del a"
	claim "and gone with it" within 20 refused 'does not exist' ip -n x link show akm0
	world_down
done
