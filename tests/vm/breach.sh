# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # variables for the scenarios
# What the breach scenarios share. Each tries something against a fleet that talks, and prints one row of the matrix
# for each attempt: what was recorded, what was done, how long it took, what honest members lost. Sourced.
# shellcheck source=tests/vm/world.sh
. "$(dirname "${BASH_SOURCE[0]}")/world.sh"
trap scenario_end EXIT
# The window of the rules, in seconds: what they answer is answered within it.
window=10
hold_down=3 auth_fail_rule=50/$window:rekey replay_rule=50/$window:rekey
pingings=() took='' lost=''

breach_up() { # MEMBERS: they are ATR #1
	local n
	members=$1
	fleet_up "$members"
	need "ATR #1" atr_create "$members"
	for n in $members; do
		need "$n has its interface" within 60 has_akm1 "$n"
		need "somebody notes what its kernel tells" watch "$n"
	done
}

watch() { # LETTER: its kernel's events, with their times
	start "$world/log/kernel-$1" on "EdgeNode$1" akmctl -j monitor
	within 20 says listening "$world/log/kernel-$1"
}

# tests/uml/breach.sh collects these lines.
row() { # ATTEMPT EVIDENCE ACTION: after what it took ("" if nothing had to recover) and how many packets were lost
	printf 'breach: %s|%s|%s|%s|%s\n' "$1" "$2" "$3" "${took:--}" "$lost"
	took=''
}

took_from() { # BEGIN END, in milliseconds
	local ms=$(($2 - $1))
	printf -v took '%d.%02d' $((ms / 1000)) $((ms % 1000 / 10))
}

talk() { # NAME PAIR…: "AB" is A to B
	local name=$1 pair
	shift
	pingings=()
	for pair; do
		ping_start "$name-$pair" "${pair:0:1}" "${pair:1}"
		pingings+=("$pair:$started")
	done
}

talked_losslessly() { # NAME: since then; sets $lost for the row
	local each log name=$1 failed=0 answers=0 last=0
	for each in "${pingings[@]}"; do
		pinging=${each#*:} log=$world/log/ping-$name-${each%:*}
		lossless "$name-${each%:*}" 20 || failed=1
		answers=$((answers + $(grep -c 'bytes from' "$log")))
		last=$((last + $(sed -n 's/.*icmp_seq=\([0-9]*\).*/\1/p' "$log" | tail -n 1)))
	done
	lost="$((last - answers)) of $last"
	[ "$failed" = 0 ]
}

event_at() { # PARTY KIND [PATTERN]: the text may say more of it
	akm "$1" events | grep -E -m1 -- " $2( |:).*${3:-}"
}

recorded() { # KIND [PATTERN]: at manager and root
	within 30 event_at MgmtMod "$@" && within 30 event_at Root "$@"
}

events_of() { # KIND: at the manager
	akm MgmtMod events | grep -cE -- " $1( |:)"
}

moved_at() { # LETTER GENERATION: when it began to send on a later one, in milliseconds
	grep '"generation"' "$world/log/kernel-$1" | jq -r --argjson past "$2" \
		'select(.type == "generation" and .state == "active" and .generation > $past) | .time_ns / 1000000 | floor' |
		head -n 1
}

recovered_past() { # GENERATION: everywhere; sets $recovered_at to when the last one did so
	local n at
	recovered_at=0
	for n in $members; do
		at=$(moved_at "$n" "$1")
		[ -n "$at" ] || { echo "EdgeNode$n is at $1 still"; return 1; }
		[ "$at" -lt "$recovered_at" ] || recovered_at=$at
	done
}

all_at() { # GENERATION
	local n
	for n in $members; do
		equal "$n at $(generation "$n")" "$n at $1" || return
	done
	equal "$(akm MgmtMod -j atr show '#1' | field state)" stable
}

now_at() { # sets $now to the generation at which everybody is, when nothing is about to change
	now=$(generation A)
	all_at "$now"
}

stays() { # KIND GENERATION: it was recorded, and nothing was done that costs anybody anything
	recorded "$1" && all_at "$2"
}

nobody_went() {
	equal "$(events_of evict) evicted, $(events_of atr-remove) removed" "0 evicted, 0 removed"
}
