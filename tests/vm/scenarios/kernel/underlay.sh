#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The underlay changes while there is traffic: another address, another route, an interface that goes and comes.
# Nothing of the old way is remembered. The outer header says nothing of the inner one but ECN, and congestion out
# there is seen inside.
# Seen failing without dst_cache's check of the route (a cached one that is kept for ever).
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

sees_at() { # NODE MEMBER ADDRESS
	local text
	text=$(on "$1" akmctl -j member show akm0 index "$(index_of "$2")")
	equal "$(field learnt <<<"$text" || field endpoint <<<"$text")" "$3"
}

address() { # NUMBER: in the underlay, of the family in $outer
	if [ "$outer" = 6 ]; then echo "2001:db8::$1"; else echo "192.0.2.$1"; fi
}

place() { # NUMBER: the same, as an endpoint
	if [ "$outer" = 6 ]; then echo "[2001:db8::$1]:7645"; else echo "192.0.2.$1:7645"; fi
}

has() { # NUMBER [WORDS…]: gives a that address
	local number=$1
	shift
	if [ "$outer" = 6 ]; then
		ip -n a addr add "2001:db8::$number/64" dev eth0 nodad "$@"
	else
		ip -n a addr add "192.0.2.$number/24" dev eth0 "$@"
	fi
}

has_not() { # NUMBER
	ip -n a addr del "$(address "$1")/$([ "$outer" = 6 ] && echo 64 || echo 24)" dev eth0
}

goes_on() { # SENTENCE: b gets more of a's packets, and a more of b's
	local to from
	to=$(counter b rx_packets) from=$(counter a rx_packets)
	claim "$1" within 10 counter_at_least b rx_packets $((to + 10))
	claim "and back" within 10 counter_at_least a rx_packets $((from + 10))
}

for outer in 4 6; do
	say "outer IPv$outer"
	group_up "a b"
	need "b follows a" member_set b a roams
	start "$scratch/ping-$outer" on a ping -q -i 0.05 -Q 0xba "$(overlay b)"
	talk=$started
	capture_start "$scratch/$outer.pcap" wire br0 udp port 7645
	watcher=$capture
	goes_on "a and b talk"

	need "a's address goes" has_not 1
	need "and another comes" has 101
	goes_on "they talk on"
	claim "a sends from the new one" within 5 sees_at b a "$(place 101)"

	# one that nothing is sent from unless a route says so: over IPv6 the newest would do
	need "a gets a second one" has 102 preferred_lft 0
	need "and a route that wants it" ip -n a route replace "$(address 2)" dev eth0 src "$(address 102)"
	claim "a sends from that" within 5 sees_at b a "$(place 102)"
	need "the route goes" ip -n a route del "$(address 2)"
	claim "a sends from the first again" within 5 sees_at b a "$(place 101)"
	goes_on "they talk on"

	need "a's interface goes down" ip -n a link set eth0 down
	need "and up" ip -n a link set eth0 up
	[ "$outer" = 4 ] || need "with its address" has 101
	goes_on "they talk on"

	capture_start "$scratch/inside-$outer.pcap" b akm0 src host "$(overlay a)" or src host "$(overlay6 a)"
	need "the wire is congested where b is" on wire tc qdisc add dev port-b root netem loss 100% ecn
	claim "b hears of it in what can say so" within 10 captured 10 "$scratch/inside-$outer.pcap" 'ip[1] = 0xbb'
	claim "which passes" pings a "$(overlay6 b)" -Q 0xba
	need "b has seen that, too" within 10 captured 5 "$scratch/inside-$outer.pcap" 'ip6[0:2] & 0xff0 = 0xbb0'
	claim "what cannot say so is lost" silent a "$(overlay b)" -Q 0xb8
	need "the wire is no longer congested" on wire tc qdisc del dev port-b root
	capture_stop "$capture"
	stop "$talk" INT
	capture_stop "$watcher"
	if [ "$outer" = 4 ]; then dscp='ip[1] & 0xfc != 0' ect='ip[1] & 3 = 2'; else dscp='ip6[0:2] & 0x0fc0 != 0' ect='ip6[1] & 0x30 = 0x20'; fi
	claim "the inner DSCP does not show outside" equal "$(frames "$scratch/$outer.pcap" "$dscp")" 0
	claim "that they can ECN does" at_least "$(frames "$scratch/$outer.pcap" "$ect")" 10
	world_down
done
