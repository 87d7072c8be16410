#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P1, whole: more than a million packets of three nodes, with three power cuts of a node, a daemon killed by
# SIGKILL, a rekey and an epoch roll in between. A recorder on the wire finds no (key, nonce)
# pair twice.
# shellcheck source=tests/vm/world.sh
. "$(dirname "$0")/../../world.sh"
trap scenario_end EXIT
packets=${NONCE_PACKETS:-1000000}
storms=()

# Small datagrams, as fast as it goes, until stopped. Polite: the recorder must have the processor whenever it wants it.
rush() { # FROM TO
	start "$world/log/storm-$1-$2" on "EdgeNode$1" nice -n 19 storm $((packets * 100)) "$(overlay "$2")" 9
	storms+=("$started")
}

seen() { # LEAST: packets on the wire so far
	local n
	n=$(sed -n 's/^noncelog: \([0-9]*\) packets/\1/p' "$world/log/noncelog" | tail -n 1)
	at_least "${n:-0}" "$1"
}

fleet_up "A B C"
need "ATR #1" atr_create "A B C"
for n in A B C; do
	# as on a cable: datagrams one by one, which is what the recorder understands
	need "EdgeNode$n's wire takes single datagrams only" ip -n "EdgeNode$n" link set eth0 gso_max_segs 1
done
start "$world/log/noncelog" on fabric nice -n -10 noncelog br-data
recorder=$started
need "the recorder watches" within 60 says watching "$world/log/noncelog"
rush A B
rush B C
rush C A
for cut in 1 2 3; do
	need "$((packets * cut / 4)) packets" within 600 seen $((packets * cut / 4))
	before=$(incarnation C)
	need "power cut $cut of C" node_power_cycle C
	need "C's interface is back" within 60 has_akm1 C
	claim "under a higher incarnation" grown "$before" "$(incarnation C)"
	claim "C talks" within 60 reaches C A
	rush C A
done
daemon_stop EdgeNodeA KILL
claim "A's daemon is killed: A talks on" within 60 reaches A B
need "it comes back" daemon_up EdgeNodeA
need "A rolls its epoch" on EdgeNodeA akmctl epoch roll akm1
claim "A talks" within 60 reaches A B
need "a rekey in the midst of it" akm MgmtMod atr rekey '#1'
need "$packets packets" within 600 seen "$packets"
# The recorder looks at all that has come before it ends: not while more comes, faster than it can look.
for storm in "${storms[@]}"; do
	stop "$storm"
done
stop "$recorder"
say "        $(tail -n 1 "$world/log/noncelog")"
claim "no (key, nonce) pair came twice" equal "$(field violations <"$world/log/noncelog")" 0
claim "the recorder missed nothing" equal "$(field dropped <"$world/log/noncelog")" 0
claim "it saw $packets packets" at_least "$(field packets <"$world/log/noncelog")" "$packets"
