#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A fallback: generation 2 lies pending everywhere. A clone is noticed, one member enters it, the others hear of it,
# also one that nobody sends to, and follow. Nothing is lost. What does not authenticate tells nobody anything.
# What it must notice: tests/kunit/mutants.txt, "scenario fallback".
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

twin_up() { # x has copied a's secrets, index and incarnation
	ip -n x route del 10.77.0.0/24 dev eth0
	on x akmctl dev add akm0 && on x akmctl dev set akm0 atr-id 1 self 1 suite aes-256-gcm incarnation 1 &&
		member_set x a && member_set x b && member_set x c &&
		ip -n x addr add 10.77.0.1/24 dev akm0 && ip -n x link set akm0 up &&
		on x akmctl generation install akm0 number 1 key-id 1001 unused \
			chain-file "$scratch/a-1.chain" pair-file "$scratch/a-1.pairs" &&
		on x akmctl generation activate akm0 number 1
}

forge() { # COUNT: from x to b, in a's name, under the key ID of generation 2
	local i
	for ((i = 0; i < $1; i++)); do
		printf '\x11\x00\x00\x01\x00\x00\x03\xea\x00\x00\x01\x00\x00\x00\x00%b%032d' "\\x3$((i % 8))" "$i" \
			>/dev/udp/192.0.2.2/7645 || return
	done
}
export -f forge

heard() { # NODE MEMBER: it says that MEMBER sends under generation 2
	tr -d '\n' <"$scratch/events-$1" | grep -oE '\{[^{}]*"type": *"pending-used"[^{}]*\}' |
		grep -E '"generation": *2[,}]' | grep -qE "\"member\": *$2[,}]"
}

unheard() { # NODE: it has heard of nobody
	! grep -q '"pending-used"' "$scratch/events-$1"
}

active() { # NODE: the number of its active generation
	on "$1" akmctl -j dev show akm0 | field active_generation
}

group_up "a b c"
for n in a b c; do
	need "$n holds generation 2 as a fallback" install_generation $n "a b c" 2
	need "$n's events are watched" monitor_start $n "$scratch/events-$n"
done

need "x forges packets under generation 2" on x bash -c 'forge 40'
claim "b counts them" within 10 counter_at_least b rx_auth_fail 40
claim "and says nothing of generation 2" unheard b

start "$scratch/ping.log" on a ping -q -i 0.05 -c 100 -W 10 "$(overlay b)"
ping4=$started
start "$scratch/ping6.log" on b ping -q -i 0.05 -c 100 -W 10 "$(overlay6 a)"
ping6=$started
need "x becomes a second a" twin_up
on x ping -q -c 5 -i 0.1 -W 1 "$(overlay b)" >"$scratch/twin.log" 2>&1
claim "b knows that there are two" within 10 says '"type": *"clone"' "$scratch/events-b"
ip -n x link del akm0

need "b enters the fallback" activate b 2 expect 1 grace 60s announce
claim "a hears it" within 5 heard a 2
claim "c, whom nobody sends to, as well" within 5 heard c 2
claim "c still sends on generation 1, and b takes it" pings c "$(overlay b)"
for n in a c; do
	need "$n follows" activate $n 2 expect 1 grace 60s announce
	claim "$n sends on generation 2" equal "$(active $n)" 2
done
claim "b is told nothing that it does not know" unheard b
claim "c and a talk" pings c "$(overlay a)"
for n in a b c; do
	need "$n erases generation 1" retire $n 1
done
claim "the ping ends" within 60 ended "$ping4"
claim "so does the other" within 60 ended "$ping6"
claim "a lost nothing on the way to b" grep -q ' 0% packet loss' "$scratch/ping.log"
claim "nor b on the way to a" grep -q ' 0% packet loss' "$scratch/ping6.log"
claim "b got nothing under a key that it did not have" equal "$(counter b rx_unknown_key)" 0
