#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Where nobody attacks, nothing is done. As much as an hour of five datagrams in a second from each of three members to
# each and to all, in a minute or so, over wires that lose one packet in twenty, delay, and let packets overtake; with
# the management network as bad, and ten epochs or more. An hour itself: BREACH_PACE=200000 UML_TIMEOUT=5000.
# (Nothing is repeated: what wires repeat counts as replayed, and a hundred times as fast comes to the rule's rate.)
# shellcheck source=tests/vm/breach.sh
. "$(dirname "$0")/../../breach.sh"
# shellcheck source=tests/vm/gossip.sh
. "$(dirname "$0")/../../gossip.sh"
# shellcheck source=tests/vm/account.sh
. "$(dirname "$0")/../../account.sh"
talkers="A B C"
rounds=${BREACH_ROUNDS:-18000} pace=${BREACH_PACE:-2000}
wires="loss 5% delay 5ms 4ms"

few_lost() { # MOST WHERE…: shows what counted them
	local most=$1
	shift
	cat "$world/log/lost"
	at_most "$(lost_in "$@" <"$world/log/lost")" "$most"
}

accounted() { # MISSING: the wires, and what else counts, lost no fewer
	cat "$world/log/lost"
	at_most "$1" "$((dropped + $(lost_in akm1 net link <"$world/log/lost")))"
}

said() { # everybody has said everything
	local n
	for n in $talkers; do
		says '^done' "$world/log/gossip-$n" || return
	done
}

members="A B C D E F G H"
need "the processor's queue holds all that may come at once" widen_backlog
fleet_up "$members"
need "ATR #1, with an epoch of 4 s" atr_create "$members" epoch-interval 4s epoch-grace 3s
for n in $members; do
	need "$n has its interface" within 60 has_akm1 "$n"
	need "the weather at $n is bad" spoil "$n" "$wires" "$wires"
done
for n in $talkers; do
	need "$n is ready to talk" gossip_up "$n" "$rounds" "$pace"
done
need "everybody is at one generation" within 60 now_at
losses >"$world/log/losses"
dropped=$(dropped) began=$(now_ms)
need "they talk" kill -USR1 "${gossips[@]}"
claim "they have said everything" within $((rounds * pace / 1000000 + 300)) said
seconds=$((($(now_ms) - began) / 1000))
claim "and heard it" gossip_end
losses_since "$world/log/losses" >"$world/log/lost"
heard=$(gossip_sum heard) sent=$(gossip_sum sent) dropped=$(($(dropped) - dropped))
# each round of each: two datagrams that one hears, and one that two hear
due=$((sent * 4 / 3))
say "        $due datagrams due in $seconds s, $heard heard, $dropped packets dropped by the wires"
claim "all of it was said" at_least "$sent" $((rounds * 9))
claim "the wires did lose one in twenty, or nearly" at_least "$dropped" $((due / 25))
# What the wires dropped is not all of those who talk: some notices of epochs are in it, 30 or so.
beyond=$((due - heard - dropped))
claim "each that was not heard was counted where it was lost" accounted $((due - heard))
claim "the keys lost none" few_lost 0 akm1
claim "neither did sockets or queues" few_lost 0 net link
claim "no alarm, and no answer to one" no_alarm
claim "policy has decided nothing" equal "$(events_of policy) $(events_of alert)" "0 0"
claim "all are where they were" all_at "$now"
claim "nobody was evicted or removed" nobody_went
lost="$((beyond > 0 ? beyond : 0)) of $due beyond the wires"
row "none: $due datagrams, 5 % loss" none none
