#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P1 in the kernel: $NONCE_PACKETS packets and more, from several processes at once on every member, as single
# packets and as GSO batches, pairwise and to the group; over epoch rolls, new generations, a member deleted and
# added again, and interfaces made anew under the next incarnation. A recorder on the wire finds no (key, nonce)
# pair twice; that it would is shown at the end, with packets that were changed.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"
packets=${NONCE_PACKETS:-30000}
rounds=3
each=$((packets / (rounds * 6) + 1))	# of every sender's two processes; the group's come on top of that

storm_up() { # COUNT FROM ADDRESS
	start "$scratch/storm-$2-${#storms[@]}" on "$2" storm "$1" "$3" 9
	storms+=("$started")
}

storms_up() {
	local pair from to
	for pair in "a b" "b c" "c a"; do
		read -r from to <<<"$pair"
		storm_up "$each" "$from" "$(overlay "$to")"
		storm_up "$each" "$from" "$(overlay6 "$to")"
		storm_up $((each / 8 + 1)) "$from" 10.77.0.255
	done
}

storms_end() {
	local pid
	for pid in "${storms[@]}"; do
		within 400 ended "$pid" || return
	done
	# what a batch adds to COUNT is lost only if the process failed
	for pid in "${storms[@]}"; do
		wait "$pid" || return
	done
	storms=()
}

made_anew() { # NODE GENERATION: with $incarnation, and the generation as it was installed the first time
	ip -n "$1" link del akm0 && atr_up "$1" "a b c" && install_generation "$1" "a b c" "$2" && activate "$1" "$2"
}

forgets_and_remembers() { # NODE MEMBER GENERATION: the keys are given again, their packet numbers must go on
	on "$1" akmctl member del akm0 index "$(index_of "$2")" && member_set "$1" "$2" &&
		install_generation "$1" "a b c" "$3"
}

recorder_says() { # FIELD: in its last line
	grep violations "$scratch/log" | tail -n 1 | field "$1"
}

recorder_asked() { # LINE: its answer number LINE is there
	at_least "$(grep -c violations "$scratch/log")" "$1"
}

record() {
	capture_start "$scratch/wire.pcap" wire br0 udp port 7645
	pings "${nodes[$round % 3]}" "$(overlay "${nodes[$(((round + 1) % 3))]}")" &&
		within 10 captured 10 "$scratch/wire.pcap" || return
	capture_stop "$capture"
}

storms=()
group_up "a b c"
for n in a b c; do
	# as on a cable: datagrams one by one, which is what the recorder understands
	need "$n's wire takes single datagrams only" ip -n "$n" link set eth0 gso_max_segs 1
done
start "$scratch/log" on wire noncelog br0
recorder=$started
need "the recorder watches" within 10 says watching "$scratch/log"
nodes=(a b c)
for ((round = 1; round <= rounds; round++)); do
	generation=$((round + 1))
	before=$(counter b rx_packets)
	storms_up
	need "round $round: traffic flows" within 60 counter_at_least b rx_packets $((before + each / 20))
	claim "round $round: a forgets b in the midst of it, and gets it back" forgets_and_remembers a b "$round"
	# also where the storm is over by now; one answer is enough in it
	claim "round $round: a and b talk" on a ping -q -c 5 -i 0.05 -W 10 "$(overlay b)"
	claim "round $round: a rolls" on a akmctl epoch roll akm0
	for n in a b c; do
		need "round $round: $n installs generation $generation" install_generation $n "a b c" "$generation"
	done
	for n in a b c; do
		need "round $round: $n activates it" activate $n "$generation" grace 60s
	done
	claim "round $round: the storms end" storms_end
	for n in a b c; do
		need "round $round: $n retires generation $round" retire $n "$round"
	done
	# Fresh kernel state: the same secrets must go on under the next incarnation.
	n=${nodes[$((round % 3))]}
	incarnation=$((round + 1))
	need "round $round: $n's interface is made anew, incarnation $incarnation" made_anew "$n" "$generation"
	claim "round $round: $n talks" pings "$n" "$(overlay "${nodes[$(((round + 1) % 3))]}")"
done
storms_up
claim "the last storms end" storms_end
kill -USR1 "$recorder"
need "the recorder answers" within 60 recorder_asked 1
say "        $(grep violations "$scratch/log" | tail -n 1)"
claim "no (key, nonce) pair came twice" equal "$(recorder_says violations)" 0
claim "the recorder missed nothing" equal "$(recorder_says dropped)" 0
claim "it saw at least $packets different packets" at_least "$(recorder_says distinct)" "$packets"

claim "an incarnation that was used is refused" refused 'incarnation' made_anew "$n" "$generation"
need "a few packets are recorded" record
# 84 bytes of a ping, then 16 of the tag: every byte of them once
need "x sends them again, changed" on x inject -n 100 flip eth0 "$scratch/wire.pcap"
stop "$recorder"
say "        $(grep violations "$scratch/log" | tail -n 1)"
claim "the recorder notices: nonces came twice" at_least "$(recorder_says violations)" 1
