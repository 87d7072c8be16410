#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Three days of five members without a manager: hourly epochs (short: one hour, and epochs of 10 minutes), a wire that
# loses 1 % and delivers out of order. At the end all are in the same epoch, what was lost the wire has lost, and of
# what was erased nothing is left in memory (hours-host looks for it, from outside). Time is simulated: when nobody
# does anything, it passes at once.
# Most of the time nobody says anything, for longer than the grace period: members hear of another's step by notices.
# What it must notice: tests/kunit/mutants.txt, "life hours".
# boot: time-travel=inf-cpu
# shellcheck source=tests/life/lib.sh
. "$(dirname "$0")/../lib.sh"
members="a b c d e"
hours=$(pick 1 72)
interval=$(pick 10 60)	# minutes of an epoch
every=$(pick 4 40)	# seconds between two rounds of talk, ten of which come at once
grace=20s		# half as long as nobody says anything (long: a twentieth), and longer than the wire takes
rounds=$((hours * 3600 / every))

# Delays spread wider than a burst is apart, so that the wire overtakes; shorter than an old epoch's grace
spoil() { # NODE
	tc -n wire qdisc add dev "port-$1" root netem limit 100000 loss 1% delay 2s 2s
}

wire_dropped() {
	local n
	for n in $members; do
		tc -n wire -s qdisc show dev "port-$n"
	done | awk '/dropped/ { sub(",", "", $7); n += $7 } END { print n + 0 }'
}

same_epoch() {
	local n
	for n in $members; do
		epoch_is "$n" "$(epoch_of a)" || return
	done
}

notices() { # all nodes have sent
	local n sum=0
	for n in $members; do
		sum=$((sum + $(counter "$n" tx_notice)))
	done
	echo $sum
}

found() { # WHAT: how many places hold it
	sed -n "s/^$1: //p" "$LIFE_DIR/found"
}

older_keys() { # those of epochs before EPOCH that were found
	awk -v e="$1" -F '[ :]+' '$2 < e && $NF > 0' "$LIFE_DIR/found"
}

nothing_older() { # EPOCH
	older_keys "$1"
	[ -z "$(older_keys "$1")" ]
}

# Without waiting: time stands still as long as somebody has something to do.
searched() {
	until [ -e "$LIFE_DIR/found" ]; do
		:
	done
}

group_up "$members"
# shellcheck disable=SC2086 # a list of names
need "the wire carries nothing else" quiet_wire $members
for n in $members; do
	need "$n steps by itself" on "$n" akmctl dev set akm0 epoch-interval "${interval}m" epoch-grace "$grace"
done
need "they are ready to talk" gossip_up "$members" "$rounds" $((every * 1000000)) -b 10
doze 60		# groups are announced some times
for n in $members; do
	need "the wire to $n is bad" spoil "$n"
done
need "they talk" gossip_begin
doze $((hours * 3600))		# to look more often would be all that the machine does
claim "for $hours hours" within 600 gossip_done
dropped=$(wire_dropped)		# later, some say that they leave the group
claim "they have said everything" gossip_end
epoch=$(epoch_of a) due=$(gossip_due 5 "$rounds") heard=$(gossip_sum heard) told=$(notices)
figure "hours: $hours h, 5 nodes, $epoch epochs: $due datagrams due, $dropped lost by the wire," \
	"$((due > heard + dropped ? due - heard - dropped : 0)) by key management, $(gossip_sum late) overtaken by the wire; $told notices"
claim "all are in the same epoch" same_epoch
claim "which has come $((hours * 60 / interval)) times and more" at_least "$epoch" $((hours * 60 / interval))
claim "the wire has lost packets" at_least "$dropped" $((due / 200))
claim "and made some overtake others" at_least "$(gossip_sum late)" $((due / 20))
# One member tells all four others, three times. So do those whose timers are due before they hear it, as many are
# here: all are of one kernel, and it rounds long timers to 40 s. Each of them has its first two rounds then, at most.
claim "each step was told" at_least "$told" $((epoch * 12 * 9 / 10))
claim "three times by one member only" at_most "$told" $((epoch * (12 + 4 * 8)))
# It may have lost hellos and the like as well, which are not due.
claim "the keys have lost none" at_most "$((due - heard))" "$dropped"
claim "the keys refused none" counters_are 0 "${key_counters[@]}"

rm -f "$scratch"/*.chain "$scratch"/*.pairs
doze 90		# an old epoch's grace
say "life: search $epoch ${members// /}"
searched
say "        $(grep -c . "$LIFE_DIR/found") keys were looked for in all of the memory"
claim "the chains of the present epoch are there" at_least "$(found "group-chain $epoch")" 1
claim "its keys are there" at_least "$(found "group-key $epoch from 1")" 1
claim "nothing of an epoch before is there" nothing_older "$epoch"
