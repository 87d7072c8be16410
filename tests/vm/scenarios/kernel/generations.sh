#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P9 and the life of a generation: pending, active, retiring, erased; replaced under a running ping with nothing
# lost; fencing against old numbers; compare-and-set; repeated installs.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

state_of() { # NODE NUMBER: pending, active, retiring; empty if there is none
	on "$1" akmctl -j generation show akm0 | tr -d '\n' | grep -oE "\{[^{}]*\"number\": *$2,[^{}]*\}" | field state
}

state_is() { # NODE NUMBER STATE
	equal "$(state_of "$1" "$2")" "$3"
}

group_up "a b c"
claim "generation 1 is active" state_is a 1 active
start "$scratch/ping.log" on a ping -q -i 0.05 -c 200 -W 10 "$(overlay b)"
ping4=$started
start "$scratch/ping6.log" on c ping -q -i 0.05 -c 200 -W 10 "$(overlay6 a)"
ping6=$started
for g in 2 3 4; do
	for n in a b c; do
		need "$n installs generation $g" install_generation $n "a b c" $g
	done
	claim "generation $g is pending" state_is b $g pending
	for n in c a b; do
		need "$n activates generation $g" activate $n $g expect $((g - 1)) grace 10s
	done
	claim "generation $g is active, $((g - 1)) retires" state_is b $((g - 1)) retiring
	for n in a b c; do
		need "$n retires generation $((g - 1))" retire $n $((g - 1))
	done
	claim "generation $((g - 1)) is erased" state_is b $((g - 1)) ""
done
claim "the pings end" within 60 ended "$ping4"
claim "so does the other" within 60 ended "$ping6"
claim "three generations came and went, IPv4 lost nothing" grep -q ' 0% packet loss' "$scratch/ping.log"
claim "IPv6 lost nothing" grep -q ' 0% packet loss' "$scratch/ping6.log"

claim "a generation with an old number is refused" refused 'number|stale|old|newer' install_generation a "a b c" 2
claim "the active one again, exactly, is no error" install_generation a "a b c" 4
claim "the active number with another secret is refused" refused '.' install_generation a "a b c" 4 other
claim "activation that expects another active one is refused" refused 'expect|stale|active' activate a 4 expect 2
claim "activation of what is not there is refused" refused 'generation|number|no such' activate a 9
claim "nothing changed" state_is a 4 active

for n in a b; do
	need "$n installs generation 5" install_generation $n "a b c" 5
done
need "a activates it" activate a 5 grace 60s
claim "b, not told to, goes on in the old one" state_is b 4 active
claim "b answers in it, and a takes the answer" pings a "$(overlay b)"
claim "a answers b in the new one" pings b "$(overlay a)"
need "b activates it, with a grace of 500 ms" activate b 5 grace 500ms
claim "the old one is erased when its time is up" within 5 state_is b 4 ""
claim "at a it has time left" state_is a 4 retiring
need "a retires it" retire a 4
claim "both are on generation 5" pings a "$(overlay b)"

for n in a b; do
	need "$n installs generation 6" install_generation $n "a b c" 6
done
need "a activates it" activate a 6 grace 60s
need "a retires the one before" retire a 5
stale=$(counter a rx_epoch_stale) unknown=$(counter a rx_unknown_key)
claim "what b sends under an erased generation is refused" silent b "$(overlay a)"
claim "a counted it, as of who is behind" counter_at_least a rx_epoch_stale $((stale + 3))
claim "the key was no unknown one" equal "$(counter a rx_unknown_key)" "$unknown"
need "b activates generation 6" activate b 6
claim "they talk again" pings b "$(overlay a)"
dropped=$(counter a tx_no_key)
need "a retires its only generation" retire a 6
claim "a sends nothing now" silent a "$(overlay b)"
claim "a counted packets without a key" counter_at_least a tx_no_key $((dropped + 3))
