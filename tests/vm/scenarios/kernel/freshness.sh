#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P3 over restarts: a receiver whose kernel state is new delivers nothing that was recorded before, whatever is
# sent again, and whether or not its sender answers: same epoch, next epoch, to the pair and to the group, after
# either or both of the two were restarted. Lost hellos are sent again; a sender's restart costs no round trip.
# What it must notice: tests/kunit/mutants.txt, "scenario freshness".
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

members="a b c"
history=	# what is installed here may have been used before

reboot() { # NODE INCARNATION: its kernel state goes; the secrets are those of before, at epoch 0
	ip -n "$1" link del akm0 && incarnation=$2 atr_up "$1" "$members" &&
		install_generation "$1" "$members" 1 && activate "$1" 1
}

say_to_b() { # TEXT: a says it, to b alone and to everyone
	printf '%s\n' "$1" | on a socat -u - "UDP4:$(overlay b):5002" &&
		printf 'all %s\n' "$1" | on a socat -u - UDP4-DATAGRAM:10.77.0.255:5002,broadcast
}

heard() { # TEXT: b heard it, both ways
	grep -qx "$1" "$scratch/heard" && grep -qx "all $1" "$scratch/heard"
}

heard_lines() {
	wc -l <"$scratch/heard"
}

fresh_is() { # NODE MEMBER STATE
	equal "$(on "$1" akmctl -j member show akm0 index "$(index_of "$2")" | field fresh)" "$3"
}

replay_all() { # everything that was ever recorded on its way to b
	on x inject -d 192.0.2.2 replay eth0 "$scratch/wire.pcap"
}

nothing_new() { # SENTENCE: after a replay, b heard no more lines than $before
	claim "$1" equal "$(heard_lines)" "$before"
}

asked() { # NODE MEMBER: a packet sent and a packet received are occasions to ask again
	on "$1" ping -q -c 1 -W 1 "$(overlay "$2")" >"$scratch/ping"
	fresh_is "$1" "$2" yes
}

mended() {
	replay_all && fresh_is b a yes
}

a_is() { # up | down: a's place on the wire
	ip -n wire link set port-a "$1"
}

group_up "$members"
for pair in "a b" "b a" "a c" "c a" "b c" "c b"; do
	claim "${pair% *} learns by itself what is new from ${pair#* }" within 15 fresh_is "${pair% *}" "${pair#* }" yes
done
need "b listens" udp_listen b 0.0.0.0 5002 "$scratch/heard"
capture_start "$scratch/wire.pcap" wire br0
watcher=$capture
for i in 1 2 3; do
	need "a speaks ($i)" say_to_b "epoch 0, $i"
done
need "b hears it" within 10 heard "epoch 0, 3"

# The answers of b's first life are in the recording as well.
need "b is restarted" reboot b 2
need "b asks a again, and hears" within 15 fresh_is b a yes
say_to_b "after the first restart"
need "b hears it" within 10 heard "after the first restart"
need "a steps to epoch 1" on a akmctl epoch roll akm0
need "a speaks" say_to_b "epoch 1"
need "b hears it" within 10 heard "epoch 1"
capture_stop "$watcher"
need "the recording holds them" at_least "$(frames "$scratch/wire.pcap" 'udp port 7645 and dst host 192.0.2.2')" 12

# a cannot answer: b must not believe anything.
need "a's cable is cut" a_is down
need "b is restarted, and thinks it is in epoch 0" reboot b 3
before=$(heard_lines)
need "x sends the whole recording to b" replay_all
need "b looked at it" within 10 counter_at_least b rx_waited 3
claim "b asks a" within 10 counter_at_least b tx_hello 3
claim "b knows nothing about a" not fresh_is b a yes
nothing_new "b delivers nothing of it: epochs 0 and 1, pair and group"
need "x sends it again and again" on x inject -d 192.0.2.2 -n 2000 replay eth0 "$scratch/wire.pcap"
claim "what waits is bounded" at_most "$(on b akmctl -j member show akm0 index 1 | field waiting)" 32
nothing_new "b delivers nothing of it"

need "a's cable is mended" a_is up
claim "b's next hello gets through, even if only replays make it ask" within 20 mended
nothing_new "what waited was older than a's answer"
need "x sends the recording" replay_all
claim "b counts replays" within 10 counter_at_least b rx_replay 8
nothing_new "b delivers nothing of it"
need "a speaks" say_to_b "now"
claim "b hears it" within 10 heard "now"
before=$(heard_lines)

# Both: a goes back to epoch 0, and has sent in epoch 1 before.
need "a is restarted" reboot a 4
need "b is restarted" reboot b 5
claim "b and a find each other" within 15 fresh_is b a yes
need "x sends the recording, with a's former epoch 1" replay_all
nothing_new "b delivers nothing of it"
need "a speaks" say_to_b "both new"
claim "b hears it" within 10 heard "both new"
before=$(heard_lines)
need "a steps to epoch 1 again" on a akmctl epoch roll akm0
need "a speaks" say_to_b "epoch 1 again"
claim "b hears it" within 10 heard "epoch 1 again"
before=$(heard_lines)
need "x sends the recording of a's former epoch 1" replay_all
nothing_new "b delivers nothing of it"

# The sender alone: b's windows stand.
hellos=$(counter b tx_hello)
need "a is restarted once more" reboot a 6
need "a goes to epoch 1, where b is" on a akmctl epoch roll akm0
need "a speaks" say_to_b "no question asked"
claim "b hears it" within 10 heard "no question asked"
claim "b did not have to ask" equal "$(counter b tx_hello)" "$hellos"

# All at once, on a wire that loses a third.
for n in a b c; do
	need "the wire to $n loses packets" tc -n wire qdisc add dev "port-$n" root netem loss 33%
done
i=7
for n in a b c; do
	need "$n is restarted" reboot $n $i
	i=$((i + 1))
done
for pair in "a b" "b a" "a c" "c a" "b c" "c b"; do
	claim "${pair% *} has asked ${pair#* }, in spite of losses" within 60 asked "${pair% *}" "${pair#* }"
done
for n in a b c; do
	need "the wire to $n is mended" tc -n wire qdisc del dev "port-$n" root
	claim "$n made no storm of it" at_most "$(counter $n tx_hello)" 60
	claim "$n answered no more than it was asked" at_most "$(counter $n tx_hello_ack)" 60
done
claim "a and b talk" pings a "$(overlay b)"
claim "b and c talk" pings b "$(overlay6 c)"
before=$(heard_lines)
need "x sends the recording a last time" replay_all
need "a speaks" say_to_b "the end"
claim "b hears it" within 10 heard "the end"
claim "and nothing else" equal "$(heard_lines)" $((before + 2))

# freshness = epoch is another bargain.
ip -n b link del akm0
incarnation=10
need "b comes back with freshness epoch" atr_up b "$members" freshness epoch
need "b holds generation 1" install_generation b "$members" 1
need "b sends on it" activate b 1
claim "b asks nobody" equal "$(counter b tx_hello)" 0
# It begins in epoch 0 again. a may have gone on: the recording has shown it an epoch that it once had.
claim "and takes a's packets, as soon as it is where a is" within 20 pings a "$(overlay b)"
