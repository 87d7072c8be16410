#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# No packet is held up by a step: one kernel in an ATR of 1,000 members, of whom two are there. A beat of datagrams in soft
# interrupts (tests/vm/beat) goes from one to the other, while one of them steps by its timer, and while it is pulled along
# by the other one's packets. The machine may hold some of them up for 1 ms at any time; it is not the steps that do (P9).
# First the silent ones are cold, then (module parameter warm_members) everybody has keys in each epoch, as if all talked.
# What is compared is processor time, that other processes of the machine do not take part in; real times are figures.
# Not on simulated time: there work takes none.
# What it must notice: tests/kunit/mutants.txt, "life prompt".
# shellcheck source=tests/life/lib.sh
. "$(dirname "$0")/../lib.sh"
members="a b"
silent=998
most_us=1000			# that a step may add
every_us=250			# a beat
port=9000
beat=/proc/akm_beat
seconds=$(pick 4 60)
parameter=/sys/module/akm/parameters/warm_members
declare -A work wait held	# of each kind: the longest, in microseconds, and how often some were held up
steps=0

install() { # NODE: generation 1
	key_files "$1" "$members" 1
	[ "$1" != a ] || silent_pairs 1 >>"$scratch/a-1.pairs"
	on "$1" akmctl generation install akm0 number 1 key-id 1001 unused chain-file "$scratch/$1-1.chain" \
		pair-file "$scratch/$1-1.pairs"
}

tell_beat() { # NODE WORDS: write() takes the command as a whole
	local n=$1
	shift
	# shellcheck disable=SC2016 # expanded there
	on "$n" bash -c 'printf "%s\n" "$2" >"$1"' - "$beat" "$*"
}

beat_word() { # NAME
	sed -n "s/.*\b$1 \([0-9]*\).*/\1/p" "$beat"
}

# None is lost. NODE steps by its timer, or not (0s); the other one follows, and hears the beat all the time for that.
beats() { # KIND NODE INTERVAL
	local begin
	begin=$(epoch_of a)
	tell_beat a begin "$(overlay b)" "$port" "$every_us" "$most_us" && on "$2" akmctl dev set akm0 epoch-interval "$3" &&
		doze "$seconds" && on "$2" akmctl dev set akm0 epoch-interval 0s && tell_beat a end && cat "$beat" || return
	steps=$(($(epoch_of a) - begin)) work[$1]=$(beat_word work_longest) wait[$1]=$(beat_word wait_longest)
	held[$1]=$(beat_word held)
	# at least half of those that there is time for: the machine may be busy
	equal "$(beat_word heard) heard" "$(beat_word sent) heard" &&
		at_least "$(beat_word sent)" $((seconds * 1000000 / every_us / 2))
}

beats_in_steps() { # KIND NODE INTERVAL
	beats "$@" && at_least "$steps" 3
}

seldom_held() { # KIND THAN: not in every third step more often, what is not the steps' doing comes when it will
	echo "longest ${work[$1]} us, ${work[$2]} without steps"
	at_most "${held[$1]}" $((held[$2] + steps / 3))
}

in_steps() { # KIND INTERVAL
	claim "the beat goes well" beats "quiet-$1" a 0s
	claim "nothing is lost while a steps" beats_in_steps "own-$1" a "$2"
	figures+="; $1: longest work ${work[quiet-$1]} us, in $steps steps ${work[own-$1]}"
	claim "no step holds it up for more than $most_us us" seldom_held "own-$1" "quiet-$1"
	claim "nothing is lost while a is pulled along" beats_in_steps "pulled-$1" b "$2"
	figures+=", in $steps of b's ${work[pulled-$1]}; real ${wait[quiet-$1]}, ${wait[own-$1]}, ${wait[pulled-$1]}"
	claim "no step holds it up for more than $most_us us" seldom_held "pulled-$1" "quiet-$1"
}

all_warm() { # they have keys in the current, the next and the previous epoch
	echo 100000 >"$parameter" && on a akmctl epoch roll akm0 && within 20 pings a "$(overlay b)" &&
		on a akmctl epoch roll akm0 && within 20 pings a "$(overlay b)"
}

# shellcheck disable=SC2086 # a list of names
wire_up $members
for n in $members; do
	need "$n has an akm interface with members $members" atr_up "$n" "$members"
done
need "a has $silent members more" silent_members a
for n in $members; do
	need "$n holds generation 1" install "$n"
done
for n in $members; do
	need "$n sends on generation 1" activate "$n" 1
done
need "a and b talk" within 20 pings a "$(overlay b)"
need "the beat's module is loaded" insmod "$(dirname "$module")/beat/akm_beat.ko"
need "b hears the beat" tell_beat b hear "$port"

figures=
say "998 members say nothing"
in_steps cold 250ms
say "they have their keys"
need "everybody is warm" all_warm
in_steps warm 1s
figure "prompt: $silent members${figures}"
claim "the beat's module goes" rmmod akm_beat
