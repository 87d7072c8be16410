#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Members that are cold: nothing is lost or overtaken when they begin to talk, over rolls and generations, whichever
# side they are on (P9); who forges packets of two hundred silent members disturbs nobody, and has no memory kept (P11).
# What it must notice: tests/kunit/mutants.txt, "scenario idle".
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

idle_from=100 idle_to=299	# inject's "members"

idle_members() { # NODE: knows them, and has a pair chain with each
	on "$1" crowd akm0 $idle_from $((idle_to - idle_from + 1)) 192.0.2.99 7645
}

idle_pairs() { # SEED: as in a pair file
	local i
	for ((i = idle_from; i <= idle_to; i++)); do
		printf '%d %064x\n' "$i" $(($1 * 1000 + i))
	done
}

with_idle_pairs() { # SEED NUMBER: b's generation, once more with the idle ones' chains
	idle_pairs "$1" >>"$scratch/b-$1.pairs"
	on b akmctl generation install akm0 number "$2" key-id $((1000 + $2)) chain-file "$scratch/b-$1.chain" \
		pair-file "$scratch/b-$1.pairs" unused
}

roll_silently() { # NODE TIMES: who is down tells nobody
	local i
	on "$1" ip link set akm0 down || return
	for ((i = 0; i < $2; i++)); do
		on "$1" akmctl epoch roll akm0 || return
	done
	on "$1" ip link set akm0 up
}

roll_all() { # TIMES: nobody has talked then for so long
	local n
	for n in a b c; do
		roll_silently $n "$1" || return
	done
}

burst() { # FROM FILE: a hundred datagrams to b, as fast as they go
	: >"$2"
	# shellcheck disable=SC2016 # expanded there
	on "$1" bash -c 'for i in {1..100}; do echo $i >"/dev/udp/$1/5002"; done' - "$(overlay b)" &&
		within 10 lines "$2" 100
}

lines() { # FILE COUNT
	at_least "$(wc -l <"$1")" "$2"
}

whole() { # FILE: all of a burst, in order
	diff <(seq 100) "$1"
}

flow_in_order() {
	local packets lost wrong
	read -r packets lost wrong < <(jq -r '.end.streams[0].udp | "\(.packets) \(.lost_packets) \(.out_of_order)"' "$scratch/flow.json")
	echo "$packets packets, $lost lost, $wrong out of order"
	[ "$packets" -gt 500 ] && [ "$lost" = 0 ] && [ "$wrong" = 0 ]
}

forged() { # LEAST: so many forgeries were opened in vain, or dropped unopened
	at_least $(($(counter b rx_auth_fail) + $(counter b rx_wait_dropped))) "$1"
}

need "no member is warm only because there are few" sh -c 'echo 0 >/sys/module/akm/parameters/warm_members'
group_up "a b c"
need "b has 200 members more" idle_members b
need "and secrets with each" with_idle_pairs 1 1
need "b listens" udp_listen b 0.0.0.0 5002 "$scratch/heard"
capture_start "$scratch/wire.pcap" wire br0 udp port 7645 and dst host 192.0.2.2
watcher=$capture

claim "the first packets of a come, and b's first packets back" pings a "$(overlay b)"
claim "c's come" burst c "$scratch/heard"
claim "all of them, in order" whole "$scratch/heard"
capture_stop "$watcher"
need "everybody steps three times, in silence" roll_all 3
claim "a begins again" burst a "$scratch/heard"
claim "nothing was lost, nothing overtaken" whole "$scratch/heard"
need "and three times more" roll_all 3
need "b steps" roll_silently b 1
claim "b's first packet takes c along, c's answer comes" pings b "$(overlay c)"

say "under traffic"
start "$scratch/flow.json" on b iperf3 -s -1 -J -p 5301
server=$started
need "b serves" within 20 on b sh -c "ss -ltn | grep -q :5301"
start "$scratch/client" on a iperf3 -c "$(overlay b)" -p 5301 -u -b 5M -l 1000 -t 4
start "$scratch/ping.log" on c ping -q -i 0.05 -c 80 -W 10 "$(overlay b)"
ping=$started
hearts=()
for n in a c; do		# a flow one way tells nobody of a step
	start "$scratch/heart-$n" on $n ping -q -i 0.2 "$(overlay b)"
	hearts+=("$started")
done
for i in 1 2; do
	need "b steps ($i)" on b akmctl epoch roll akm0
	for n in a c; do
		claim "$n comes along" within 20 epoch_is $n "$(epoch_of b)"
	done
done
for n in a b c; do
	need "$n installs generation 2" install_generation $n "a b c" 2
done
need "b has secrets with all the others in it" with_idle_pairs 2 2
for n in c a b; do
	need "$n activates it" activate $n 2 expect 1 grace 10s
done
claim "the flow ends" within 60 ended "$server"
evidence=1 claim "none of its packets was lost or overtaken" flow_in_order
claim "the ping ends" within 60 ended "$ping"
claim "it lost nothing" grep -q ' 0% packet loss' "$scratch/ping.log"
for pid in "${hearts[@]}"; do
	stop "$pid"
done

say "forged"
for n in a b c; do
	need "$n erases generation 1" retire $n 1
done
need "everybody is silent again, three steps long" roll_all 3
capture_start "$scratch/wire.pcap" wire br0 udp port 7645 and dst host 192.0.2.2
watcher=$capture
need "a talks to b" pings a "$(overlay b)"
need "x has a recording" within 10 captured 5 "$scratch/wire.pcap"
capture_stop "$watcher"
before=$(slab)
already=$(($(counter b rx_auth_fail) + $(counter b rx_wait_dropped)))
start "$scratch/ping.log" on a ping -q -i 0.05 -c 60 -W 10 "$(overlay b)"
ping=$started
claim "x sends 4,000 packets of the 200 silent members" on x inject -d 192.0.2.2 -n 4000 -r 2000 members eth0 "$scratch/wire.pcap"
claim "b opened them in vain, or did not bother" within 10 forged $((already + 4000))
claim "the ping ends" within 60 ended "$ping"
claim "it lost nothing" grep -q ' 0% packet loss' "$scratch/ping.log"
quarantine || claim "their keys are gone" within 20 slab_below $((before + 1000))
claim "c can begin afterwards" burst c "$scratch/heard"
claim "nothing was lost, nothing overtaken" whole "$scratch/heard"
