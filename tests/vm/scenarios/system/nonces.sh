#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P1, whole: more than a million packets of three nodes, with three power cuts of a node, a daemon killed by
# SIGKILL, a rekey and the kernel module's own rolls in between. A recorder on the wire finds no (key, nonce)
# pair twice.
# shellcheck source=tests/vm/world.sh
. "$(dirname "$0")/../../world.sh"
trap scenario_end EXIT
packets=${NONCE_PACKETS:-1000000}

storm() { # FROM TO: small datagrams, as fast as it goes, until stopped
	start "$world/log/storm-$1-$2" on "EdgeNode$1" iperf3 -c "$(overlay "$2")" -u -b 0 -l 32 -t 3600
}

seen() { # LEAST: packets on the wire so far
	local n
	n=$(sed -n 's/^noncelog: \([0-9]*\) packets/\1/p' "$world/log/noncelog" | tail -n 1)
	at_least "${n:-0}" "$1"
}

servers_up() {
	local n
	for n in A B C; do
		start "$world/log/server-$n" on "EdgeNode$n" iperf3 -s
		within 15 on "EdgeNode$n" sh -c 'ss -ltn | grep -q :5201' || return
	done
}

storms_up() {
	storm A B
	storm B C
	storm C A
}

fleet_up "A B C"
need "ATR #1" atr_create "A B C"
need "servers" servers_up
start "$world/log/noncelog" on fabric noncelog br-data
recorder=$started
need "the recorder watches" within 15 says watching "$world/log/noncelog"
storms_up
for cut in 1 2 3; do
	need "$((packets * cut / 4)) packets" within 600 seen $((packets * cut / 4))
	before=$(on EdgeNodeC akmctl -j dev show akm1 | field incarnation)
	need "power cut $cut of C" node_power_cycle C
	need "C's interface is back" within 30 test -n "$(overlay C)"
	claim "under a higher incarnation" at_least "$(on EdgeNodeC akmctl -j dev show akm1 | field incarnation)" $((before + 1))
	claim "C talks" within 20 reaches C A
	storm C A
	storm B C
done
daemon_stop EdgeNodeA KILL
claim "A's daemon is killed: A talks on" reaches A B
need "it comes back" daemon_up EdgeNodeA
claim "A talks" reaches A B
need "a rekey in the midst of it" akm MgmtMod atr rekey '#1'
need "$packets packets" within 600 seen "$packets"
stop "$recorder"
say "        $(tail -n 1 "$world/log/noncelog")"
claim "no (key, nonce) pair came twice" equal "$(field violations <"$world/log/noncelog")" 0
claim "the recorder missed nothing" equal "$(field dropped <"$world/log/noncelog")" 0
claim "it saw $packets packets" at_least "$(field packets <"$world/log/noncelog")" "$packets"
