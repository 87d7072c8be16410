#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P5 in the kernel: a member that is deleted is refused from that moment on, though it holds every key it ever
# had; when the others have moved to a generation without it, it can read nothing of them, not even the group's.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

lead_to_c() { # PCAP: a's packets to the group
	on x inject -t group -n 5 -R 192.0.2.3 -E 02:00:00:00:00:03 replay eth0 "$1"
}

group_up "a b c"
need "c talks to a" pings c "$(overlay a)"
need "c hears the group" udp_listen c 0.0.0.0 5004 "$scratch/heard"
start "$scratch/ping.log" on a ping -q -i 0.05 -c 100 -W 10 "$(overlay b)"
ping=$started
for n in a b; do
	need "$n is told that c is no member" on $n akmctl member del akm0 index 3
done
unknown=$(counter a rx_unknown_key)
claim "c pings a: no answer" silent c "$(overlay a)"
claim "a counted packets without a key" counter_at_least a rx_unknown_key $((unknown + 3))
claim "c pings b over IPv6: no answer" silent c "$(overlay6 b)"
need "c speaks to the group" on c sh -c "printf 'still here' | socat -u - UDP4-DATAGRAM:10.77.0.255:5005,broadcast"
for n in a b; do
	need "$n installs generation 2, without c" install_generation $n "a b" 2
done
for n in a b; do
	need "$n activates it" activate $n 2 grace 500ms
done
claim "the ping of those who stay ends" within 60 ended "$ping"
claim "it lost nothing" grep -q ' 0% packet loss' "$scratch/ping.log"
capture_start "$scratch/wire.pcap" wire br0 udp port 7645
watcher=$capture
need "a speaks to the group" on a sh -c "printf 'not for c' | socat -u - UDP4-DATAGRAM:10.77.0.255:5004,broadcast"
need "the recorder has it" within 10 captured 1 "$scratch/wire.pcap" 'udp[8] = 0x12'
capture_stop "$watcher"
claim "none of it was sent to c" equal "$(frames "$scratch/wire.pcap" 'dst host 192.0.2.3')" 0
unknown=$(counter c rx_unknown_key)
need "x leads it to c" lead_to_c "$scratch/wire.pcap"
claim "c has no key for it" within 10 counter_at_least c rx_unknown_key $((unknown + 5))
claim "c heard nothing" equal "$(wc -c <"$scratch/heard")" 0
claim "c still cannot speak to a" silent c "$(overlay a)"
claim "a and b talk" pings a "$(overlay b)"
