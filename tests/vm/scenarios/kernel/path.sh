#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Path MTU and ICMP errors: a narrow link in the underlay is found, senders inside are told of it where they can do
# something about it, and the rest goes in fragments; who makes up ICMP errors does no more than to any UDP.
#
#   a ─ 1500 ─ r ─ 1300 ─ b        192.0.2.0/24, 2001:db8::/64 ─ r ─ 198.51.100.0/24, 2001:db8:1::/64
#
# What it must notice: tests/kunit/mutants.txt, "scenario path".
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

routed_wire() {
	local n
	for n in a r b; do
		add_namespace $n
	done
	ip -n a link add eth0 type veth peer name left netns r
	ip -n b link add eth0 type veth peer name right netns r
	ip -n a addr add 192.0.2.1/24 dev eth0
	ip -n a addr add 2001:db8::1/64 dev eth0 nodad
	ip -n r addr add 192.0.2.254/24 dev left
	ip -n r addr add 2001:db8::254/64 dev left nodad
	ip -n b addr add 198.51.100.2/24 dev eth0
	ip -n b addr add 2001:db8:1::2/64 dev eth0 nodad
	ip -n r addr add 198.51.100.254/24 dev right
	ip -n r addr add 2001:db8:1::254/64 dev right nodad
	on r sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	ip -n b link set eth0 mtu 1300 up
	ip -n r link set right mtu 1300 up
	ip -n r link set left up
	ip -n a link set eth0 up
	ip -n a route add default via 192.0.2.254
	ip -n a route add default via 2001:db8::254
	ip -n b route add default via 198.51.100.254
	ip -n b route add default via 2001:db8:1::254
}

endpoint_of() { # NODE
	case $1$outer in
	a4) echo 192.0.2.1:7645 ;;
	b4) echo 198.51.100.2:7645 ;;
	a6) echo "[2001:db8::1]:7645" ;;
	b6) echo "[2001:db8:1::2]:7645" ;;
	esac
}

two_up() {
	local n
	routed_wire
	for n in a b; do
		need "$n has an akm interface" atr_up $n "a b"
		need "$n holds generation 1" install_generation $n "a b" 1
	done
	for n in a b; do
		need "$n sends on generation 1" activate $n 1
	done
	if [ "$outer" = 4 ]; then
		sender=192.0.2.1 receiver=198.51.100.2
	else
		sender=2001:db8::1 receiver=2001:db8:1::2
	fi
	claim "a and b talk" within 20 pings a "$(overlay b)"
}

path_is() { # MTU, or nothing: what a's kernel thinks of the way to b's underlay address
	equal "$(ip -n a route get "$receiver" | sed -n 's|.*mtu \(lock \)*\([0-9]*\).*|\2|p')" "$1"
}

forge() { # KIND [OPTIONS…]: an ICMP error to a about its packet to b
	local kind=$1
	shift
	on r "$top/tests/vm/icmp.py" "$kind" "$sender" "$receiver" "$@"
}

told() { # MTU [SIZE]: a packet that must not be fragmented, a full one unless said; its sender is told MTU
	refused "mtu ?= ?$1" on a ping -c 2 -i 0.2 -W 1 -M "do" -s "${2:-1392}" "$(overlay b)"
}

probe() { # a full packet from a that must not be fragmented, whatever a's kernel thinks of the way inside
	head -c 1392 /dev/zero | on a socat -u -b 1392 - "UDP4-DATAGRAM:$(overlay b):9,mtudiscover=3"
}

probe_stays() {
	local before
	before=$(counter a tx_too_big)
	probe
	counter_at_least a tx_too_big $((before + 1))
}

probe_arrives() {
	local before
	before=$(counter b rx_packets)
	probe && within 2 counter_at_least b rx_packets $((before + 1))
}

outer=6
say "a router finds the packet too big: outer IPv6"
two_up
claim "a full packet that must not be fragmented is refused, with what fits" within 20 told 1220
claim "a's kernel has heard of it from r" path_is 1300
claim "a counts it" counter_at_least a tx_too_big 1
claim "what just fits passes" pings a "$(overlay b)" -M "do" -s 1192
claim "what may be fragmented is" pings a "$(overlay b)" -M dont -s 1392
claim "IPv6 inside: 1280 bytes must pass, so they do, in fragments" pings a "$(overlay6 b)" -M "do" -s 1232
claim "and more" pings a "$(overlay6 b)" -M "do" -s 1372
claim "256 KiB over TCP and IPv4" tcp_transfer a b "$(overlay b)" 262144
claim "256 KiB over TCP and IPv6" tcp_transfer a b "$(overlay6 b)" 262144
claim "64 KiB over TCP from the narrow side" tcp_transfer b a "$(overlay a)" 65536

say "what others make up"
before=$(counter a rx_unreachable)
need "r says that nobody is there" forge unreachable
claim "a counts it" within 5 counter_at_least a rx_unreachable $((before + 1))
claim "and takes no notice" pings a "$(overlay b)"
not_believed() { # WHO OPTIONS…: an error that leaves everything as it is, and one that is counted comes behind it
	local who=$1 before
	shift
	before=$(counter a rx_unreachable)
	need "r makes up an error, and $who" forge too-big --mtu 1290 "$@"		# the last --mtu counts
	need "and a good one" forge unreachable
	need "a counts the latter" within 5 counter_at_least a rx_unreachable $((before + 1))
	claim "a does not believe who $who" path_is 1300
}
not_believed "says what no IPv6 link may" --mtu 1279
not_believed "names another key ID" --key-id 1002
not_believed "names another member" --member 2
not_believed "quotes the outer headers only" --quote 8
need "r makes up one that is right" forge too-big --mtu 1290
claim "a's kernel believes it" within 5 path_is 1290
claim "senders are told" within 5 told 1210 1192
claim "a's endpoint for b is as it was" equal "$(on a akmctl -j member show akm0 index 2 | field endpoint)" "$(endpoint_of b)"

say "the way becomes wide again"
claim "a full packet does not pass" probe_stays
need "the link between r and b takes 1500 bytes" sh -c 'ip -n b link set eth0 mtu 1500 && ip -n r link set right mtu 1500'
need "what a learns of the way is forgotten after a second from now on" on a sysctl -qw net.ipv6.route.mtu_expires=1
need "r makes up a last one" forge too-big --mtu 1285
claim "a's kernel forgets" within 10 path_is ""
capture_start "$scratch/wide.pcap" r right udp or ip6 proto 44
claim "a full packet passes" within 10 probe_arrives
need "r has seen it" within 10 captured 1 "$scratch/wide.pcap" udp and greater 1400
capture_stop "$capture"
claim "in one piece" equal "$(frames "$scratch/wide.pcap" ip6 proto 44)" 0
world_down

outer=4
say "IPv4 routers fragment by themselves"
two_up
claim "full packets pass" pings a "$(overlay b)" -M "do" -s 1392
claim "so nobody is told anything" equal "$(counter a tx_too_big)" 0
claim "and a does not know" path_is ""
claim "256 KiB over TCP" tcp_transfer a b "$(overlay b)" 262144

say "what others make up"
before=$(counter a rx_unreachable)
need "r says that nobody is there, of a packet that nobody sent" forge unreachable --key-id 1002
need "and of one that a could have sent" forge unreachable
claim "the latter is counted" within 5 counter_at_least a rx_unreachable $((before + 1))
claim "the former is not" equal "$(counter a rx_unreachable)" $((before + 1))
need "r says that a's packets are too big" forge too-big --mtu 1000
claim "a's kernel believes it, as it believes all that is said of UDP over IPv4" within 5 path_is 1000
claim "senders are told" within 5 told 940
claim "which is all" pings a "$(overlay b)" -M dont -s 1392
claim "a full packet does not pass" probe_stays
need "what a learns of the way is forgotten after a second from now on" on a sysctl -qw net.ipv4.route.mtu_expires=1
need "r makes up another one" forge too-big --mtu 900
claim "a's kernel forgets" within 10 path_is ""
capture_start "$scratch/wide.pcap" r left src host 192.0.2.1
claim "a full packet passes" within 10 probe_arrives
need "r has seen it" within 10 captured 1 "$scratch/wide.pcap" greater 1400
capture_stop "$capture"
claim "a made no fragments of it" equal "$(frames "$scratch/wide.pcap" 'ip[6:2] & 0x3fff != 0')" 0
need "what a learns of the way is kept for long" on a sysctl -qw net.ipv4.route.mtu_expires=600
need "r says that hardly anything passes" forge too-big --mtu 68
claim "a's kernel has its limit" within 5 path_is 552
claim "fragments of 552 bytes pass, and nobody inside is told to send less than 576" pings a "$(overlay b)" -M dont -s 1392
claim "not even who must not be fragmented" pings a "$(overlay b)" -M "do" -s 900
claim "64 KiB over TCP" tcp_transfer a b "$(overlay b)" 65536
claim "a's endpoint for b is as it was" equal "$(on a akmctl -j member show akm0 index 2 | field endpoint)" "$(endpoint_of b)"

say "b's port is closed, and opened again"
before=$(counter a rx_unreachable)
need "b's interface goes down" ip -n b link set akm0 down
claim "nobody answers" silent a "$(overlay b)"
claim "a counts what b's kernel says" counter_at_least a rx_unreachable $((before + 1))
need "b's interface comes up" ip -n b link set akm0 up
claim "a and b talk" within 10 pings a "$(overlay b)"
