#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Members that are cold to each other are told of a step as well: who is silent for long comes along, and what it then
# begins to say is not lost, although the others have erased the epoch in which it was silent (P9).
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

roll_all() { # everybody, one after the other; who is down tells nobody
	local n
	for n in a b c; do
		ip -n "$n" link set akm0 down && on "$n" akmctl epoch roll akm0 && ip -n "$n" link set akm0 up || return
	done
}

burst() { # FROM TO: twenty datagrams, all of which are heard
	: >"$scratch/heard-$2"
	# shellcheck disable=SC2016 # expanded there
	on "$1" bash -c 'for i in {1..20}; do echo $i >"/dev/udp/$1/5002"; done' - "$(overlay "$2")" &&
		within 5 heard_all "$2"
}

heard_all() { # NODE: in order
	diff <(seq 20) "$scratch/heard-$1"
}

need "no member is warm only because there are few" sh -c 'echo 0 >/sys/module/akm/parameters/warm_members'
group_up "a b c"
need "b listens" udp_listen b 0.0.0.0 5002 "$scratch/heard-b"
need "b keeps an epoch for 600 ms" on b akmctl dev set akm0 epoch-grace 600ms
for pair in "a b" "b c" "c a"; do
	need "${pair% *} and ${pair#* } talk" pings "${pair% *}" "$(overlay "${pair#* }")"
done
for i in 1 2 3; do
	need "everybody steps, and says nothing ($i)" roll_all
done
need "b steps" on b akmctl epoch roll akm0
for n in a c; do
	claim "$n is told, silent as it is" within 5 epoch_is $n 4
done
doze 1				# b has erased the epoch before
claim "c begins, and nothing is lost" burst c b
claim "so does a" burst a b
for n in a b c; do
	claim "$n found no key missing" equal "$(counter $n rx_unknown_key)" 0
done
