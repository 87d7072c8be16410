#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P9 at its worst: an epoch each second, a generation every five, for ten minutes (short: 20 s), while three members
# talk to each other and to the group all the time. No datagram is lost, none overtaken.
# What it must notice: tests/kunit/mutants.txt, "life seconds". Time is simulated, so that a busy machine changes nothing; what
# happens in the midst of a roll is for tests/vm/scenarios/kernel/generations.sh, on two processors.
# boot: time-travel=inf-cpu
# shellcheck source=tests/life/lib.sh
. "$(dirname "$0")/../lib.sh"
members="a b c"
seconds=$(pick 20 600)
rounds=$((seconds * 200))	# of 5 ms

next_generation() { # NUMBER: prepared everywhere, then entered, as a manager does it
	local n
	for n in $members; do
		install_generation "$n" "$members" "$1" || return
	done
	for n in $members; do
		activate "$n" "$1" expect $(($1 - 1)) grace 3s || return
		doze 0.1	# nobody is told in the same moment
	done
}

live() { # as long as they talk: a generation each five seconds
	until gossip_done; do
		doze 4.7
		generation=$((generation + 1))
		next_generation "$generation" || return
	done
}

group_up "$members"
for n in $members; do
	need "$n steps once per second" on "$n" akmctl dev set akm0 epoch-interval 1s epoch-grace 900ms
done
need "they are ready to talk" gossip_up "$members" "$rounds" 5000
generation=1
start "$scratch/events" on b akmctl -j monitor
need "they talk" gossip_begin
claim "generations come and go meanwhile" live
claim "they have said everything" gossip_end
due=$(gossip_due 3 "$rounds") heard=$(gossip_sum heard)
rolls=$(grep -c '"type": *"epoch"' "$scratch/events")
figure "seconds: ${seconds} s, $generation generations, $rolls epochs: $heard of $due datagrams heard," \
	"$(gossip_sum late) overtaken, longest delay $(gossip_most longest) us"
claim "none was lost" equal "$heard" "$due"
claim "none was overtaken" equal "$(gossip_sum late)" 0
claim "none came twice" equal "$(gossip_sum twice)" 0
claim "the keys refused none" counters_are 0 "${key_counters[@]}"
claim "generations came" at_least "$generation" $((seconds / 6))
claim "epochs came" at_least "$rolls" $((seconds * 3 / 6))
