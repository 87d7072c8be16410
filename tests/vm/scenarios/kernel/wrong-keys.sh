#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Secrets that differ, in any part, carry nothing: group chain, pairwise chain, key_id, ATR, generation number.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

install_other() { # NODE NUMBER KEY_ID CHAIN-SEED PAIR-SEED ("": no pairwise secrets)
	local pairs=()
	key_files "$1" "a b" "$4"
	if [ -n "$5" ]; then
		key_files "$1" "a b" "$5"
		pairs=(pair-file "$scratch/$1-$5.pairs")
	fi
	on "$1" akmctl generation install akm0 number "$2" key-id "$3" unused chain-file "$scratch/$1-$4.chain" \
		${pairs[@]+"${pairs[@]}"}
}

# Between a (generation 1 in ATR 1) and b, which differs in one thing.
differs() { # TEXT COUNTER ATR-ID NUMBER KEY_ID CHAIN-SEED PAIR-SEED
	local text=$1 counter=$2 atr=$3 number=$4
	shift 4
	wire_up a b
	need "a is up" atr_up a "a b"
	atr_id=$atr need "b is up" atr_up b "a b"
	need "a holds generation 1" install_generation a "a b" 1
	need "b holds it with $text" install_other b "$number" "$@"
	need "a sends" activate a 1
	claim "b takes its own for good" activate b "$number"
	claim "$text: b does not answer" silent a "$(overlay b)"
	claim "$text: b delivered nothing" equal "$(counter b rx_packets)" 0
	[ -z "$counter" ] || claim "$text: b counted $counter" counter_at_least b "$counter" 3
	world_down
}

differs "another group chain" rx_auth_fail 1 1 1001 other 1
differs "another pairwise chain" rx_auth_fail 1 1 1001 1 other
differs "no pairwise chain" rx_unknown_key 1 1 1001 1 ""
differs "another key_id" "" 1 1 4242 1 1
differs "another ATR" rx_auth_fail 2 1 1001 1 1
differs "another generation number" rx_auth_fail 1 2 1001 1 1

# b has rebooted and was not given its keys yet, while a goes on sending: nothing of that is evidence.
wire_up a b
need "a is up" atr_up a "a b"
need "b is up" atr_up b "a b"
need "a holds generation 1" install_generation a "a b" 1
need "a sends" activate a 1
need "b's events are listened to" monitor_start b "$scratch/events"
claim "no keys yet: b does not answer" silent a "$(overlay b)"
claim "no keys yet: b counted what it dropped" counter_at_least b rx_dropped 3
claim "no keys yet: under no unknown key" equal "$(counter b rx_unknown_key)" 0
claim "no keys yet: nothing is told" equal "$(grep -c unknown-key "$scratch/events")" 0
need "b is given another key" install_other b 1 4242 1 1
claim "then the keys are unknown" silent a "$(overlay b)"
claim "and counted as such" counter_at_least b rx_unknown_key 3
claim "and told" within 10 says unknown-key "$scratch/events"
stop_all
world_down

wire_up a b
need "a is up" atr_up a "a b"
need "b is up" atr_up b "a b"
for n in a b; do
	need "$n holds the same generation" install_other $n 1 1001 1 1
	need "$n sends" activate $n 1
done
claim "with nothing different, b answers" pings a "$(overlay b)"
