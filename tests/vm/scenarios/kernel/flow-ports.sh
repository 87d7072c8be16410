#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Outer source ports by inner flow: one flow has one, whatever its packets look like, many have many; what is no data
# leaves from where the sender listens; the others answer there, wherever the sender moves to, and whatever comes first.
# Seen failing with the sockets' own hashes (one flow of several sockets had several ports). More: tests/kunit/mutants.txt.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"
low=20000 high=20063
flows=24

sees_at() { # NODE MEMBER ADDRESS:PORT
	local text
	text=$(on "$1" akmctl -j member show akm0 index "$(index_of "$2")")
	equal "$(field learnt <<<"$text" || field endpoint <<<"$text")" "$3"
}

# A flow is known by the length of its datagrams. LENGTH PORT of what a sent, once each; what is shorter than LEAST is
# what else an interface says: neighbour discovery, group membership.
sources() { # FILE LEAST
	tcpdump -n -r "$1" udp 2>/dev/null |
		sed -nE 's/.* IP6? ([0-9.]+|2001:db8::1)\.([0-9]+) > .* length ([0-9]+).*/\3 \2/p' |
		awk -v least="$2" '$1 >= least' | sort -u
}

in_range() { # LINES of sources
	awk -v low=$low -v high=$high '{ n++ } $2 < low || $2 > high { print; bad = 1 } END { exit bad || !n }' <<<"$1"
}

one_each() { # COUNT LINES: so many lengths, each with one port
	equal "$(wc -l <<<"$2") $(cut -d' ' -f1 <<<"$2" | sort -u | wc -l)" "$1 $1"
}

ports_in() { # LINES: how many there are
	cut -d' ' -f2 <<<"$1" | sort -u | wc -l
}

# Nobody listens: a socket that has heard so refuses one datagram, and sends the next.
talk() { # NODE ADDRESS: each flow sends three datagrams of its own length
	# shellcheck disable=SC2016 # expanded there
	on "$1" bash -c 'printf -v text "%200s" ""
		for ((i = 0; i < $1; i++)); do
			exec 3<>"/dev/udp/$2/$((6000 + i))" || exit
			for round in 1 2 3; do
				for try in 1 2 3 4; do
					! printf %s "${text:0:100 + i}" >&3 || break
				done
			done
		done' - $flows "$2"
}

again() { # the same addresses and ports, but another socket each time
	local i
	for ((i = 0; i < 4; i++)); do
		head -c 200 /dev/zero | on a socat -u - "UDP4:$(overlay b):6500,sourceport=6501,reuseaddr" || return
	done
}

watch() { # FILE: what leaves a
	capture_start "$1" wire port-a 'udp and (src host 192.0.2.1 or src host 192.0.2.101 or src host 2001:db8::1)'
}

# What a then says to ADDRESS is of many flows, and leaves from the range. PAYLOAD: the shortest, as sealed
spread() { # TEXT FILE ADDRESS FILTER PAYLOAD
	local seen
	watch "$2"
	claim "$1" talk a "$3"
	need "all of it was seen" within 10 captured $((3 * flows)) "$2" "$4"
	capture_stop "$capture"
	seen=$(sources "$2" "$5")
	claim "all of it leaves from the range" in_range "$seen"
	claim "each flow from one port" one_each $flows "$seen"
	# 24 in 64: fewer than 10 ports is less than one in a billion
	claim "and many from many" at_least "$(ports_in "$seen")" 10
}

moved_events() {
	grep -c '"type": *"moved"' "$scratch/events" || true
}

group_up "a b"
need "b follows a" member_set b a roams
need "a follows b" member_set a b roams
watch "$scratch/default.pcap"
claim "without the setting" talk a "$(overlay b)"
need "all of it was seen" within 10 captured $((3 * flows)) "$scratch/default.pcap" 'src port 7645'
capture_stop "$capture"
claim "everything leaves from one port" equal "$(ports_in "$(sources "$scratch/default.pcap" 1)")" 1

for n in a b; do
	need "$n has flow ports" on $n akmctl dev set akm0 flow-ports $low-$high
done
claim "and says so" equal "$(on a akmctl -j show akm0 | field flow_port_high)" $high
need "b's events are watched" monitor_start b "$scratch/events"

spread "with it" "$scratch/flows.pcap" "$(overlay b)" "src portrange $low-$high" 160

watch "$scratch/again.pcap"
claim "one flow of several sockets" again
need "all of it was seen" within 10 captured 4 "$scratch/again.pcap"
capture_stop "$capture"
claim "leaves from one port" equal "$(ports_in "$(sources "$scratch/again.pcap" 260)")" 1

spread "IPv6 inside" "$scratch/inner6.pcap" "$(overlay6 b)" "src portrange $low-$high" 180

watch "$scratch/tcp.pcap"
claim "TCP, in large packets, comes through" tcp_transfer a b "$(overlay b)" 2000000
capture_stop "$capture"
claim "from one port" equal "$(ports_in "$(sources "$scratch/tcp.pcap" 500)")" 1
claim "of the range" in_range "$(sources "$scratch/tcp.pcap" 500)"

watch "$scratch/fragments.pcap"
claim "echoes of 4000 bytes, in fragments, are answered" pings a "$(overlay b)" -s 4000
capture_stop "$capture"
claim "fragments are of one flow" equal "$(ports_in "$(sources "$scratch/fragments.pcap" 500)")" 1

claim "a and b talk, both ways" pings b "$(overlay a)"
claim "b sends to where a listens" sees_at b a 192.0.2.1:7645
claim "and a to where b does" sees_at a b 192.0.2.2:7645
claim "nobody has moved" equal "$(moved_events)" 0

need "a moves to 192.0.2.101" sh -c 'ip -n a addr del 192.0.2.1/24 dev eth0 && ip -n a addr add 192.0.2.101/24 dev eth0'
claim "a is answered by b at once" pings a "$(overlay b)"
claim "at its new address, and where it listens" sees_at b a 192.0.2.101:7645
claim "more flows" talk a "$(overlay b)"
claim "which do not move it again" sees_at b a 192.0.2.101:7645
claim "it has moved once" within 10 at_least "$(moved_events)" 1
claim "and not more often" equal "$(moved_events)" 1

need "a listens elsewhere" on a sh -c 'ip link set akm0 down && akmctl dev set akm0 port 9999 && ip link set akm0 up'
watch "$scratch/keepalive.pcap"
need "a has a keepalive for b" member_set a b roams keepalive 1s
claim "which leaves from there" within 20 captured 1 "$scratch/keepalive.pcap" 'src port 9999 and udp[8] = 0x16'
capture_stop "$capture"
claim "no keepalive left from elsewhere" equal "$(frames "$scratch/keepalive.pcap" 'udp[8] = 0x16 and not src port 9999')" 0
claim "b learns of it, and no port from data" within 10 sees_at b a 192.0.2.101:9999
claim "b reaches a there" pings b "$(overlay a)"
claim "a reaches b" pings a "$(overlay b)"
claim "b still sends there" sees_at b a 192.0.2.101:9999

need "a is told of b's IPv6 endpoint" env outer=6 bash -c "$(declare -f member_set on endpoint_of index_of); member_set a b"
spread "over IPv6" "$scratch/six.pcap" "$(overlay b)" "ip6 and udp" 160

need "a gives the setting up" on a akmctl dev set akm0 flow-ports none
need "and goes back to IPv4" member_set a b
watch "$scratch/none.pcap"
claim "again" talk a "$(overlay b)"
need "all of it was seen" within 10 captured $((3 * flows)) "$scratch/none.pcap" 'src port 9999'
capture_stop "$capture"
claim "everything leaves from one port" equal "$(ports_in "$(sources "$scratch/none.pcap" 1)")" 1
for n in a b; do
	claim "$n counted no replays" equal "$(counter $n rx_replay)" 0
done
