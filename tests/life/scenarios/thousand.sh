#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# One kernel in an ATR of two thousand (short: 200) members, of whom three are there and talk: what one that says nothing
# costs, in memory and in the time of a step and of a generation; that steps lose and overtake nothing (P9), and hold
# nothing up; and that to start when nobody answers makes no storm (P11).
# Not on simulated time: what takes time is what is looked for. Only memory and counts are limits; times are figures.
# What it must notice: tests/kunit/mutants.txt, "life thousand".
# shellcheck source=tests/life/lib.sh
. "$(dirname "$0")/../lib.sh"
members="a b c"
silent=$(pick 200 2000)
bytes_max=2048		# of a silent member, everything included
hellos_max=8		# AKM_HELLO_TRIES
history=		# everybody has just started, and nobody knows of whom a packet may be new
gossip_group=		# a datagram to it would be as many as there are members

take_chain() { # NODE NUMBER: files for install
	key_files "$1" "$members" "$2"
	[ "$1" != a ] || silent_pairs "$2" >>"$scratch/a-$2.pairs"
}

install() { # NODE NUMBER
	on "$1" akmctl generation install akm0 number "$2" key-id $((1000 + $2)) ${history:+"$history"} \
		chain-file "$scratch/$1-$2.chain" pair-file "$scratch/$1-$2.pairs"
}

memory() { # kB that only their owners give back
	awk '/^(SUnreclaim|Percpu):/ { n += $2 } END { print n }' /proc/meminfo
}

checkers() { # they have memory of their own, and keep for a while what was given back
	grep -qE ' (kasan_quarantine_put|lockdep_init)$' /proc/kallsyms
}

each_takes() { # BYTES: no more, since $before
	local now
	now=$((($(memory) - before) * 1024 / silent))
	[ "$now" -le "$1" ] || { echo "$now bytes, more than $1"; return 1; }
}

declare -A quickest		# of each kind, microseconds, akmctl included

took() { # KIND COMMAND…
	local kind=$1 us begin=${EPOCHREALTIME/[.,]/}
	shift
	"$@" || return
	us=$((${EPOCHREALTIME/[.,]/} - begin))
	[ "${quickest[$kind]:-$us}" -lt "$us" ] || quickest[$kind]=$us
}

roll_all() { # TIMES: they stay together
	local i n
	for ((i = 0; i < $1; i++)); do
		for n in $members; do
			took "roll-$n" on "$n" akmctl epoch roll akm0 || return
		done
	done
}

talk() { # KIND COMMAND…: every 5 ms, as long as COMMAND takes
	local kind=$1
	shift
	gossip_up "$members" 10000000 5000 && gossip_begin && "$@" && gossip_end || return
	longest[$kind]=$(gossip_most longest)
	equal "$(gossip_sum heard) heard, $(gossip_sum late) late, $(gossip_sum twice) twice" \
		"$(gossip_sum sent) heard, 0 late, 0 twice" && at_least "$(gossip_sum sent)" 100
}

is_past() { # EPOCH: all of them
	local n
	for n in $members; do
		at_least "$(epoch_of "$n")" "$1" || return
	done
}

steps() { # COUNT: a does, each second, and the others hear of it
	local begin
	begin=$(epoch_of a)
	on a akmctl dev set akm0 epoch-interval 1s && within $((60 + $1 * 3)) is_past $((begin + $1)) &&
		on a akmctl dev set akm0 epoch-interval 0s
}

exchange() { # COUNT: generations, as a manager brings them
	local n number
	for ((number = 2; number < 2 + $1; number++)); do
		for n in $members; do
			take_chain "$n" $number && took "install-$n" install "$n" $number || return
		done
		for n in $members; do
			activate "$n" $number grace 30s || return
		done
		[ $number -gt 2 ] || continue
		for n in $members; do
			retire "$n" $((number - 2)) || return
		done
	done
}

refused_none() { # as counters_are 0, read at once
	local n c
	for n in $members; do
		on "$n" akmctl -j stats akm0 >"$scratch/stats" || return
		for c in "${key_counters[@]}"; do
			equal "$n $c $(field "$c" <"$scratch/stats")" "$n $c 0" || return
		done
	done
}

asks_no_more() { # each silent one has been asked as often as may be
	at_least "$(counter a tx_hello)" $((silent * hellos_max))
}

declare -A longest
# shellcheck disable=SC2086 # a list of names
wire_up $members x
for n in $members; do
	need "$n has an akm interface with members $members" atr_up "$n" "$members"
done
before=$(memory)
need "a has $silent members more" silent_members a
for n in $members; do
	need "$n has the secrets" take_chain "$n" 1
	need "$n holds generation 1" install "$n" 1
done
each=$((($(memory) - before) * 1024 / silent))
checkers || claim "a silent member takes no more than $bytes_max bytes" at_most "$each" $bytes_max
checkers || claim "and was measured" at_least "$each" 256

say "everybody has started at once"
for n in $members; do
	need "$n sends on generation 1" activate "$n" 1
done
for pair in "a b" "b a" "b c" "c b" "c a" "a c"; do
	claim "${pair% *} and ${pair#* } talk" within 20 pings "${pair% *}" "$(overlay "${pair#* }")"
done
claim "a asks the silent ones as often as it may" within 60 asks_no_more
# the other two were there, and answered: not at the first time, perhaps, and once more when a packet came
claim "and no more often" at_most "$(counter a tx_hello)" $(((silent + 2) * hellos_max))
claim "who is there answers no more than is asked" at_most "$(counter b tx_hello_ack)" $((2 * hellos_max))
need "they step four times" roll_all 4
# who talks takes 10 KiB; and slabs that keys were in may not be empty now
checkers || claim "who has not answered is small again" within 20 each_takes $((2 * bytes_max))

say "talking"
rolls=$(pick 4 60)
generations=$(pick 2 20)
claim "the talk goes well" talk quiet doze "$(pick 2 20)"
claim "nothing is lost or overtaken while a steps" talk steps steps "$rolls"
history=unused			# those come from the manager
claim "nor with new generations" talk generations exchange "$generations"
claim "the keys refused none" refused_none
claim "all in all nobody was asked more often" at_most "$(counter a tx_hello)" $(((silent + 2) * hellos_max))
figure "thousand: $silent silent members, $each bytes each; akmctl's quickest step ${quickest[roll-a]} us, with 3" \
	"members ${quickest[roll-b]}, generation ${quickest[install-a]}, with 3 ${quickest[install-b]}; longest delay" \
	"${longest[quiet]} us, in $rolls steps ${longest[steps]}, in $generations generations ${longest[generations]}; 0 lost"
