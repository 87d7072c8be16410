#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P3 for a whole life: all that was ever on its way to b is sent to it again at every later moment: in the same epoch
# and the next, in the next generation, after b's reboot with a silent and with a answering, after both were rebooted,
# and in the epoch that comes a second time then. None of it is delivered.
# What it must notice: tests/kunit/mutants.txt, "life replays".
# boot: time-travel=inf-cpu
# shellcheck source=tests/life/lib.sh
. "$(dirname "$0")/../lib.sh"
members="a b"
rounds=$(pick 2 20)
talk=$(pick 200 2000)		# packets, each time
history=			# what is installed here may have been used before
incarnation=1 again=0 delivered=0

reboot() { # NODE: its kernel state goes; the secrets are those of before, at epoch 0
	incarnation=$((incarnation + 1))
	ip -n "$1" link del akm0 && atr_up "$1" "$members" && install_generation "$1" "$members" "$round" &&
		activate "$1" "$round" && on "$1" sysctl -qw net.ipv6.conf.akm0.disable_ipv6=1
}

speak() { # to b alone, and to the group; b hears all of it
	local before
	within 20 on a ping -q -c 1 -W 2 "$(overlay b)" || return
	before=$(counter b rx_packets)
	on a storm "$talk" "$(overlay b)" 9 && on a storm "$talk" 10.77.0.255 9 &&
		within 10 counter_at_least b rx_packets $((before + 2 * talk))
}

# Behind the last of them goes a ping outside: what it overtakes nothing of has been looked at when it is answered.
replay() { # MOMENT
	local before after n
	before=$(counter b rx_packets)
	n=$(on x inject -d 192.0.2.2 replay eth0 "$scratch/wire.pcap") && on x ping -q -c 1 -W 5 192.0.2.2 || return
	after=$(counter b rx_packets)
	again=$((again + n)) delivered=$((delivered + after - before))
	[ "$n" -ge "$talk" ] && equal "$after" "$before"
}

live() { # one round, in generation $round
	claim "round $round: a speaks" speak
	claim "round $round: again, in the same epoch: nothing is delivered" replay
	claim "round $round: a steps, and speaks" eval 'on a akmctl epoch roll akm0 && speak'
	claim "round $round: again, in the next epoch" replay
	need "round $round: a's cable is cut" ip -n wire link set port-a down
	claim "round $round: b is rebooted" reboot b
	claim "round $round: again, while a is silent" replay
	need "round $round: a's cable is mended" ip -n wire link set port-a up
	claim "round $round: a speaks" speak
	claim "round $round: again, after b's reboot" replay
	claim "round $round: both are rebooted" eval 'reboot a && reboot b'
	claim "round $round: again, at once" replay
	claim "round $round: a speaks" speak
	claim "round $round: again, after both were rebooted" replay
	claim "round $round: a steps once more, and speaks" eval 'on a akmctl epoch roll akm0 && speak'
	claim "round $round: again, in that epoch's second life" replay
}

group_up "$members"
need "the wire carries nothing else" quiet_wire a b
need "a's wire takes single datagrams only" ip -n a link set eth0 gso_max_segs 1
capture_start "$scratch/wire.pcap" a eth0 udp port 7645 and dst host 192.0.2.2
for ((round = 1; round <= rounds; round++)); do
	if [ "$round" -gt 1 ]; then
		for n in $members; do
			need "round $round: $n enters a new generation" eval \
				"install_generation $n '$members' $round && activate $n $round grace 60s"
		done
		claim "round $round: again, in the next generation" replay
	fi
	live
done
figure "replays: $rounds rounds of 7 moments: $(frames "$scratch/wire.pcap") packets recorded, sent again $again times" \
	"altogether, $delivered delivered"
claim "they were many" at_least "$again" $((rounds * 7 * talk))
claim "nothing was delivered twice" equal "$delivered" 0
