#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The ratchet: a roll under traffic loses nothing and pulls the others along, also those to whom nobody speaks (P9);
# when its time of grace is over, nothing of an old epoch can be read any more (P4); a chain given at a later epoch
# talks to members that stepped there by themselves, and opens nothing from before (P5).
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

shows_again() { # NODE COUNTER PCAP: x sends b's packets of the recording once more; all count as COUNTER
	local before
	before=$(counter "$1" "$2")
	on x inject -d "192.0.2.$(index_of "$1")" -n 5 replay eth0 "$3" && within 5 counter_at_least "$1" "$2" $((before + 5))
}

record() { # FILE: some packets from a to b, and some from a to the group
	capture_start "$1" wire br0 udp port 7645
	pings a "$(overlay b)" && on a sh -c "printf 'to everyone' | socat -u - UDP4-DATAGRAM:10.77.0.255:5004,broadcast" &&
		within 10 captured 12 "$1"
	local status=$?
	capture_stop "$capture"
	return $status
}

notices() { # NODE…: how many they have sent
	local n sum=0
	for n; do
		sum=$((sum + $(counter "$n" tx_notice)))
	done
	echo $sum
}

group_up "a b c"
claim "everyone starts at epoch 0" epoch_is b 0
need "b keeps old epochs for a minute" on b akmctl dev set akm0 epoch-grace 60s
need "epoch 0 is recorded" record "$scratch/zero.pcap"
start "$scratch/ping.log" on a ping -q -i 0.05 -c 100 -W 10 "$(overlay b)"
ping=$started
need "traffic flows" within 10 counter_at_least b rx_packets 10
need "a rolls" on a akmctl epoch roll akm0
claim "a is at epoch 1" within 5 epoch_is a 1
claim "a's packets pull b along" within 10 epoch_is b 1
within 60 ended "$ping"
claim "the roll lost nothing" grep -q ' 0% packet loss' "$scratch/ping.log"
need "a talks to c" pings a "$(overlay c)"
claim "c came along" within 10 epoch_is c 1
claim "b has epoch 0 for a while yet: its packets are known as repeated" shows_again b rx_replay "$scratch/zero.pcap"

# The next roll gives b half a second.
need "epoch 1 is recorded" record "$scratch/one.pcap"
need "b keeps old epochs for 500 ms" on b akmctl dev set akm0 epoch-grace 500ms
need "b rolls" on b akmctl epoch roll akm0
need "b talks to a" pings b "$(overlay a)"
claim "a came along" within 10 epoch_is a 2
claim "b has erased epoch 1: its packets are under no key" within 10 shows_again b rx_epoch_stale "$scratch/one.pcap"
claim "and epoch 0, before its own time was up" shows_again b rx_epoch_stale "$scratch/zero.pcap"

# A member more, which is given the chains of epoch 2 and nothing else: worked out here, not by the module.
for n in a b c; do
	need "$n takes x in" member_set $n x
	need "$n is given the pair's secret" install_generation $n "a b c x" 1
done
need "x's route to the overlay leads into it from now on" ip -n x route del 10.77.0.0/24 dev eth0
need "x has an interface" atr_up x "a b c x"
key_files x "a b c x" 1
step_files x 1 1 1001
step_files x 1 1 1001
need "x holds generation 1 from epoch 2 on" on x akmctl generation install akm0 number 1 key-id 1001 epoch 2 \
	chain-file "$scratch/x-1.chain" pair-file "$scratch/x-1.pairs"
need "x sends on it" activate x 1
for n in a b c; do
	claim "x and $n talk" pings x "$(overlay $n)"
done
delivered=$(counter x rx_packets) stale=$(counter x rx_epoch_stale)
need "a's packets to the group from epoch 1 are led to x" on a inject -t group -n 5 -R 192.0.2.24 -E 02:00:00:00:00:18 \
	replay eth0 "$scratch/one.pcap"
claim "x has no key for them" within 10 counter_at_least x rx_epoch_stale $((stale + 5))
claim "x delivered none of them" equal "$(counter x rx_packets)" "$delivered"

# Nobody has anything to say: who steps tells everybody, who was told does not.
for n in a b c x; do
	need "$n keeps old epochs for 600 ms" on $n akmctl dev set akm0 epoch-grace 600ms
done
told=$(counter a tx_notice) others=$(notices b c x)
need "a rolls" on a akmctl epoch roll akm0
for n in b c x; do
	claim "$n hears of it" within 5 epoch_is $n 3
done
claim "from a, which says it three times" within 5 counter_at_least a tx_notice $((told + 9))
claim "and from nobody else" equal "$(notices b c x)" "$others"
