#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Keepalives: a member that nothing is sent to gets an empty packet in time, which keeps it known and followed;
# none is sent without a key, none where there is traffic, none is delivered, none is believed twice.
# What it must notice: tests/kunit/mutants.txt, "scenario keepalive".
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

member_value() { # NODE MEMBER NAME
	on "$1" akmctl -j member show akm0 index "$(index_of "$2")" | field "$3"
}

more_keepalives() { # NODE MORE: than $before
	counter_at_least "$1" rx_keepalive $((before + $2))
}

sees_at() { # NODE MEMBER ADDRESS:PORT
	equal "$(member_value "$1" "$2" learnt)" "$3"
}

silent_for() { # NODE MEMBER MILLISECONDS
	at_least "$(member_value "$1" "$2" last_rx)" "$3"
}

group_up "a b c d"
for n in b c; do
	claim "a knows what is new from $n" within 15 equal "$(member_value a $n fresh)" yes
done
claim "999 ms are refused" refused 'every second to every day' member_set a b keepalive 999ms
claim "and so is more than a day" refused 'every second to every day' member_set a b keepalive 25h
claim "by default there is none" equal "$(member_value a b keepalive)" ""

packets=$(counter b rx_packets) dropped=$(counter b rx_dropped) before=$(counter b rx_keepalive)
capture_start "$scratch/wire.pcap" wire br0
watcher=$capture
need "a keeps b alive" member_set a b keepalive 1s
claim "which shows" equal "$(member_value a b keepalive)" 1000
claim "one comes at once" within 3 more_keepalives b 1
claim "and one every second" within 8 more_keepalives b 4
claim "a counts them" counter_at_least a tx_keepalive 4
claim "and counts them for b" at_least "$(member_value a b tx_keepalive)" 4
claim "b has heard of a a moment ago, though nothing is said" at_most "$(member_value b a last_rx)" 2000
claim "b delivered nothing of it" equal "$(counter b rx_packets)" "$packets"
claim "and dropped nothing" equal "$(counter b rx_dropped)" "$dropped"
claim "c got none" equal "$(counter c rx_keepalive)" 0
capture_stop "$watcher"
keepalive='udp port 7645 and udp[8] = 0x16'
claim "they are on the wire" at_least "$(frames "$scratch/wire.pcap" "$keepalive")" 4
claim "32 bytes each" equal "$(frames "$scratch/wire.pcap" "$keepalive and udp[4:2] != 40")" 0

start "$scratch/ping" on a ping -q -i 0.1 "$(overlay b)"
talk=$started packets=$(counter a tx_packets)
need "a and b talk" within 10 counter_at_least a tx_packets $((packets + 5))
sent=$(counter a tx_keepalive)
need "for three seconds and more" within 20 counter_at_least a tx_packets $((packets + 40))
claim "meanwhile a sends no keepalives" at_most "$(counter a tx_keepalive)" $((sent + 1))
stop "$talk" INT

# What moves is found without a word.
need "b follows a" member_set b a roams
need "a moves" sh -c "ip -n a addr del 192.0.2.1/24 dev eth0 && ip -n a addr add 192.0.2.101/24 dev eth0"
claim "b sends to a's new place before anything is said" within 5 sees_at b a 192.0.2.101:7645

replayed=$(counter b rx_replay)
need "a stops it" member_set a b
before=$(counter b rx_keepalive)
need "x sends the recorded ones again" on x inject -d 192.0.2.2 replay eth0 "$scratch/wire.pcap"
claim "b takes them for replays" within 10 counter_at_least b rx_replay $((replayed + 4))
claim "and does not count them as keepalives" equal "$(counter b rx_keepalive)" "$before"
claim "nor follows them to x" sees_at b a 192.0.2.101:7645
claim "a who is silent shows as silent" within 10 silent_for b a 2500
claim "b got no more of them" equal "$(counter b rx_keepalive)" "$before"

# A member that is cut off shows.
need "a keeps b alive again" member_set a b keepalive 1s
claim "b hears" within 5 more_keepalives b 1
need "a's cable is cut" ip -n wire link set port-a down
claim "b sees that a is gone" within 15 silent_for b a 3000

# Without a key nothing is sent; with one, at once.
need "d's kernel state goes" ip -n d link del akm0
incarnation=2
need "d comes back" atr_up d "a b c d"
for n in a b c; do
	need "d keeps $n alive" member_set d $n keepalive 1s
done
need "d holds generation 1" install_generation d "a b c d" 1
need "the time of three of them passes" on c ping -q -c 16 -i 0.2 -W 1 "$(overlay b)"
claim "d has sent nothing" equal "$(counter d tx_keepalive) $(counter d tx_dropped)" "0 0"
before=$(counter c rx_keepalive)
need "d sends on it" activate d 1
claim "c hears of d" within 5 more_keepalives c 1
need "d's interface goes down" ip -n d link set akm0 down
sent=$(counter d tx_keepalive)
need "the time of three of them passes" on c ping -q -c 16 -i 0.2 -W 1 "$(overlay b)"
claim "d sends nothing while it is down" equal "$(counter d tx_keepalive)" "$sent"
before=$(counter c rx_keepalive)
need "and up" ip -n d link set akm0 up
claim "c hears of d at once" within 3 more_keepalives c 1
