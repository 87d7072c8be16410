#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P1 over a life: ten million packets (short: 50,000) of three members that talk all at once, as single packets and as
# batches, pairwise and to the group; at least a hundred epochs, and twenty restarts, after each of which a node begins
# with what it was given at first, epoch 0, under the next incarnation. Every fifth time, all lose everything at once.
# A recorder on the wire finds no (key, nonce) pair twice.
# What it must notice: tests/kunit/mutants.txt, "life nonces". Several processors: tests/vm/scenarios/*/nonces.sh.
# shellcheck source=tests/life/lib.sh
. "$(dirname "$0")/../lib.sh"
members="a b c"
packets=$(pick 50000 10000000)
restarts=$(pick 5 20)
rolls=$(pick 1 5)		# for each restart, of each node
nodes=(a b c)

storm_up() { # FROM ADDRESS: until its node's power is cut, or it is stopped
	start "$scratch/storm" on "$1" nice -n 19 storm $((packets * 1000)) "$2" 9
	storms+=("$started")
}

storms_of() { # NODE: to the others and to the group
	local m
	for m in $members; do
		[ "$m" = "$1" ] || storm_up "$1" "$(overlay "$m")"
	done
	storm_up "$1" 10.77.0.255
}

storms_stop() {
	local pid
	for pid in "${storms[@]}"; do
		stop "$pid"
	done
	storms=()
}

seen() { # LEAST: packets on the wire so far
	local n
	n=$(sed -n 's/^noncelog: \([0-9]*\) packets/\1/p' "$scratch/log" | tail -n 1)
	at_least "${n:-0}" "$1"
}

on_again() { # NODE…: with the state of the disk, under the next incarnation
	local n
	incarnation=$((incarnation + 1))
	for n; do
		atr_up "$n" "$members" && install_generation "$n" "$members" "$generation" &&
			activate "$n" "$generation" || return
	done
}

power_cut() { # NODE: in the midst of what it says
	ip -n "$1" link del akm0 && on_again "$1"
}

clean_restart() { # NODE: the others talk on
	ip -n "$1" link set akm0 down && power_cut "$1"
}

all_cut() {
	rmmod akm && load_module || return
	# shellcheck disable=SC2086 # a list of names
	on_again $members
}

roll_all() { # every node steps by itself, one after the other, while all talk
	local n i
	for ((i = 0; i < rolls; i++)); do
		for n in $members; do
			on "$n" akmctl epoch roll akm0 || return
		done
	done
}

storms=()
generation=1 incarnation=1 epochs=0
group_up "$members"
for n in $members; do
	# as on a cable: datagrams one by one, which is what the recorder understands
	need "$n's wire takes single datagrams only" ip -n "$n" link set eth0 gso_max_segs 1
done
start "$scratch/log" on wire nice -n -19 noncelog br0
recorder=$started
need "the recorder watches" within 10 says watching "$scratch/log"
for n in $members; do
	storms_of "$n"
done
for ((round = 1; round <= restarts; round++)); do
	n=${nodes[$((round % 3))]} other=${nodes[$(((round + 1) % 3))]}
	need "round $round: $((packets * round / restarts)) packets" within 600 seen $((packets * round / restarts))
	before=$(epoch_of "$other")
	claim "all roll" roll_all
	epochs=$((epochs + $(epoch_of "$other") - before))
	case $((round % 5)) in
	0) what="all lose everything" restart=(all_cut) ;;
	1 | 3) what="$n's power is cut" restart=(power_cut "$n") ;;
	*) what="$n restarts" restart=(clean_restart "$n") ;;
	esac
	claim "$what, and it is back" "${restart[@]}"
	claim "$n talks to $other" within 60 pings "$n" "$(overlay "$other")"
	storms_stop
	for n in $members; do
		storms_of "$n"
	done
done
storms_stop
kill -USR1 "$recorder"
need "the recorder answers" within 60 says violations "$scratch/log"
last=$(grep violations "$scratch/log")
figure "nonces: $(field packets <<<"$last") packets under $(field distinct <<<"$last") nonces, $epochs epochs," \
	"$restarts restarts: $(field violations <<<"$last") came twice"
claim "no (key, nonce) pair came twice" equal "$(field violations <<<"$last")" 0
claim "the recorder missed nothing" equal "$(field dropped <<<"$last")" 0
claim "it saw $packets packets" at_least "$(field packets <<<"$last")" "$packets"
claim "epochs came" at_least "$epochs" $((restarts * rolls))
