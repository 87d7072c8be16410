#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P11: a million forged packets of every kind (short: 20,000). None is accepted, no window moves (packets that were
# sealed before and held back all the while are still new), no memory is kept; and what each costs.
# What it must notice: tests/kunit/mutants.txt, "life forgeries".
# shellcheck source=tests/life/lib.sh
. "$(dirname "$0")/../lib.sh"
packets=$(pick 20000 1000000)
held=5

key_state() { # what b holds, but for ages
	on b akmctl -j generation show akm0 | grep -v '"age'
}

forge() { # MODE COUNT COUNTER
	local before
	before=$(counter b "$3")
	on x inject -d 192.0.2.2 -n "$2" "$1" eth0 "$scratch/wire.pcap" && within 60 counter_at_least b "$3" $((before + $2))
}

forge_all() { # PACKETS: of every kind
	forge number $(($1 * 4 / 10)) rx_auth_fail && forge random $(($1 * 3 / 10)) rx_auth_fail &&
		forge epoch $(($1 / 10)) rx_auth_fail && forge sender $(($1 / 20)) rx_unknown_key &&
		forge version $(($1 / 20)) rx_malformed && forge short $(($1 / 10)) rx_malformed
}

nanoseconds() { # COUNT COMMAND…: for each
	local count=$1 begin=${EPOCHREALTIME/[.,]/}
	shift
	"$@" >/dev/null || return
	echo $(((${EPOCHREALTIME/[.,]/} - begin) * 1000 / count))
}

hold_back() { # a sends, and the wire keeps it
	tc -n wire qdisc add dev port-b root netem loss 100% || return
	capture_start "$scratch/held.pcap" a eth0 udp port 7645 and dst host 192.0.2.2
	on a ping -q -c "$held" -i 0.05 -W 1 "$(overlay b)"
	within 10 captured "$held" "$scratch/held.pcap" && capture_stop "$capture" && tc -n wire qdisc del dev port-b root
}

group_up "a b"
need "the wire carries nothing else" quiet_wire a b
capture_start "$scratch/wire.pcap" wire br0 udp port 7645 and dst host 192.0.2.2
need "a and b talk" pings a "$(overlay b)"
need "the recording holds it" within 10 captured 5 "$scratch/wire.pcap"
capture_stop "$capture"
need "some packets are held back" hold_back
need "caches are filled" forge_all 2000
state=$(key_state) delivered=$(counter b rx_packets) before=$(slab)
claim "x sends $packets forged packets" forge_all "$packets"
grown=$(($(slab) - before)) accepted=$(($(counter b rx_packets) - delivered))
claim "b delivered none" equal "$accepted" 0
claim "the key state did not change" equal "$(key_state)" "$state"
claim "no memory was kept" at_most "$grown" 1000
claim "what was held back comes" on x inject -d 192.0.2.2 -n "$held" replay eth0 "$scratch/held.pcap"
claim "and is new: no window has moved" within 10 counter_at_least b rx_packets $((delivered + held))
# The same packets at b's Ethernet address, and for an IP address that it drops at once
cost=$(nanoseconds $((packets / 2)) on x inject -d 192.0.2.2 -n $((packets / 2)) number eth0 "$scratch/wire.pcap")
way=$(nanoseconds $((packets / 2)) on x inject -d 192.0.2.2 -n $((packets / 2)) -R 192.0.2.77 -E 02:00:00:00:00:02 \
	number eth0 "$scratch/wire.pcap")
figure "forgeries: $packets forged, $accepted accepted, slab memory $grown kB more; $cost ns each with the way there," \
	"which alone takes $way ns"
claim "traffic goes on" pings a "$(overlay b)"
