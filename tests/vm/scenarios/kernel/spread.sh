#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# One flow sealed, and opened, by several processors: TCP, and numbered datagrams in batches and alone, come in order
# and complete; while it is switched on and off, while keys change, with a cipher that answers later. No nonce comes
# twice, no packet is delivered twice. An interface set down sends and delivers nothing more, one that is deleted goes,
# and so does the module. On one processor it has no effect; there, the rest is done with the module's spread_alone,
# which hands over all the same.
# Seen failing with the faults that tests/kunit/mutants.txt has for it.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

processors=$(nproc)
alone=/sys/module/akm/parameters/spread_alone
forever=100000000
# what floods leaves the processor to what this script does
flood=(nice -n 19 taskset -c 0)

spread() { # off|on: at both ends
	on a akmctl dev set akm0 spread "$1" && on b akmctl dev set akm0 spread "$1"
}

spread_is() { # off|on
	equal "$(on a akmctl -j dev show akm0 | field spread)" "$1"
}

march_start() { # BATCHES: from a, on its first processor, to b
	start "$scratch/review" on b march receive 5200
	review=$started
	within 20 on b sh -c 'ss -lun | grep -q :5200' || return
	start "$scratch/march" on a "${flood[@]}" march send "$1" 200 "$(overlay b)" 5200
	march=$started
}

arrived() { # DATAGRAMS, at least, since march_start
	counter_at_least b rx_packets $((marched + $1))
}

march_end() { # nothing is lost, nothing out of order
	within 120 ended "$march" || return
	wait "$march"
	stop "$review"
	cat "$scratch/review"
	at_least "$(cat "$scratch/march")" 1 && equal \
		"$(field received <"$scratch/review") $(field disordered <"$scratch/review")" "$(cat "$scratch/march") 0"
}

tcp_on_one() { # MIB: the programs on one processor, so that nothing but the tunnel could change the order
	local status
	taskset -p -c 0 $BASHPID >/dev/null
	tcp_transfer a b "$(overlay b)" $(($1 << 20))
	status=$?
	taskset -p -c "0-$((processors - 1))" $BASHPID >/dev/null
	return "$status"
}

comes_in_order() { # WHAT
	need "$1: 200 batches are on their way" march_start 200
	evidence=1 claim "$1: all arrive, in order" march_end
	claim "$1: 4 MiB over TCP" tcp_on_one 4
	claim "$1: no TCP segment overtook another" equal "$(overtaken b)" 0
	claim "$1: nothing was taken for a replay" equal "$(counter b rx_replay)" 0
	claim "$1: nothing was dropped" equal "$(dropped)" "0 0 0 0"
}

dropped() { # by the sender, and by the receiver, which drops what comes before it has keys as well
	echo "$(counter a tx_dropped) $(counter a tx_spread_dropped) $(counter b rx_dropped) $(counter b rx_spread_dropped)"
}

march_on() { # until it is told to end
	marched=$(counter b rx_packets)
	march_start $forever && within 20 arrived 1000
}

march_stop() {
	kill "$march"
	march_end
}

keys_change() { # GENERATION: the next one; and an epoch of the one before
	on a akmctl epoch roll akm0 && install_generation b "a b" "$1" && install_generation a "a b" "$1" &&
		activate b "$1" grace 60s && activate a "$1" grace 60s
}

forget() { # NODE: all generations but the last; four are the limit, and their grace may not be over
	local number
	for number in $(on "$1" akmctl -j generation show akm0 | grep -oE '"number": *[0-9]+' | grep -oE '[0-9]+$'); do
		[ "$number" = "$generation" ] || retire "$1" "$number" || return
	done
}

storm_start() { # its process id is $storm
	start "$scratch/storm" on a "${flood[@]}" storm $forever "$(overlay b)" 9
	storm=$started
}

recorder_says() { # FIELD
	grep violations "$scratch/log" | tail -n 1 | field "$1"
}

anew() { # INCARNATION NODE
	ip -n "$2" link del akm0 && incarnation=$1 atr_up "$2" "a b" spread on &&
		install_generation "$2" "a b" "$generation" && activate "$2" "$generation"
}

goes_down() { # and what it has sent does not grow any more
	ip -n a link set akm0 down || return
	down=$(counter a tx_packets)
	pings b 192.0.2.1 && equal "$(counter a tx_packets)" "$down"
}

hears_nothing() { # what b has received does not grow any more
	ip -n b link set akm0 down || return
	down=$(counter b rx_packets)
	pings b 192.0.2.1 && equal "$(counter b rx_packets)" "$down"
}

# Batches of 32 full datagrams to where nobody decrypts them: what sending alone costs
rate() { # SECONDS: datagrams per second
	local n
	start "$scratch/rate" on a taskset -c 0 march send $forever 1200 "$(overlay b)" 5200
	doze "$1"
	stop "$started"
	n=$(cat "$scratch/rate")
	echo $((n / $1))
}

tcp_rate() { # SECONDS: of one flow, Mbit/s
	start "$scratch/server" on b iperf3 -s -1
	within 20 on b sh -c 'ss -ltn | grep -q :5201' || return
	on a taskset -c 0 iperf3 -c "$(overlay b)" -t "$1" -J | jq '.end.sum_received.bits_per_second / 1e6 | floor'
	within 20 ended "$started"
}

figures() { # nothing is claimed of them: processors that are emulated, and have other work, say little
	local round mode n
	for n in a b; do
		ip -n "$n" link set eth0 gso_max_segs 65535
	done
	for round in 1 2; do
		for mode in off on; do
			spread $mode
			say "figure: one TCP flow, spread $mode: $(tcp_rate 2) Mbit/s"
		done
	done
	on a akmctl member set akm0 index 2 prefix "$(overlay b)/32" endpoint 192.0.2.24:7645
	for round in 1 2; do
		for mode in off on; do
			spread $mode
			say "figure: sending alone, spread $mode: $(rate 2) datagrams/s"
		done
	done
}

generation=1
group_up "a b"
claim "it is off unless asked for" spread_is off
if [ "$processors" = 1 ]; then
	need "it is on" spread on
	comes_in_order "one processor"
	claim "there is no other that could help" equal "$(counter a tx_spread) $(counter b rx_spread)" "0 0"
	need "it is off again" spread off
	echo Y >$alone
fi

comes_in_order off
claim "nobody helped" equal "$(counter a tx_spread) $(counter b rx_spread)" "0 0"
need "it is on" spread on
claim "and a says so" spread_is on
sent=$(counter a tx_packets)
came=$(counter b rx_packets)
comes_in_order on
helped=$(counter a tx_spread) sent=$(($(counter a tx_packets) - sent))
say "        $helped of $sent packets were sealed by others than the sender"
claim "others have sealed" at_least "$helped" 1000
claim "and so has the sender" at_least $((sent - helped)) 200
helped=$(counter b rx_spread) came=$(($(counter b rx_packets) - came))
say "        $helped of $came packets were opened by others than where they came"
claim "others have opened" at_least "$helped" 1000
claim "and so has where they came" at_least $((came - helped)) 200

need "traffic flows" march_on
for round in 1 2 3 4; do
	need "it goes off" spread off
	before=$(counter a tx_packets)
	need "traffic goes on" within 20 counter_at_least a tx_packets $((before + 200))
	need "it goes on" spread on
	before=$(counter a tx_spread)
	need "others help again" within 20 counter_at_least a tx_spread $((before + 200))
	before=$(counter b rx_spread)
	need "at the other end too" within 20 counter_at_least b rx_spread $((before + 200))
done
evidence=1 claim "all arrived, in order" march_stop

keys_change_under_load() { # WHAT IT COMES AS
	local before
	before=$(dropped)
	need "traffic flows" march_on
	for round in 1 2 3; do
		generation=$((generation + 1))
		claim "keys change, generation $generation, $1" keys_change $generation
		marched=$(counter b rx_packets)
		need "traffic goes on" within 20 arrived 300
	done
	evidence=1 claim "all arrived, in order" march_stop
	claim "nothing was taken for a replay" equal "$(counter b rx_replay)" 0
	claim "nothing was dropped" equal "$(dropped)" "$before"
}

before=$(counter b rx_spread)
keys_change_under_load batches
claim "others have opened" at_least "$(($(counter b rx_spread) - before))" 200

for round in 2 3; do
	storm_start
	before=$(counter b rx_spread)
	need "others help, round $round" within 20 counter_at_least b rx_spread $((before + 500))
	claim "set down, it delivers nothing more" hears_nothing
	need "up again, it goes on" ip -n b link set akm0 up
	before=$(counter b rx_packets)
	need "traffic flows" within 20 counter_at_least b rx_packets $((before + 500))
	claim "deleted while it receives, and made anew with incarnation $round" anew $round b
	stop "$storm"
	claim "a and b talk" pings a "$(overlay b)"
done

for n in a b; do
	# as on a cable: datagrams one by one, which is what the recorder understands
	need "$n's wire takes single datagrams only" ip -n "$n" link set eth0 gso_max_segs 1
done
start "$scratch/log" on wire nice -n -19 noncelog br0
recorder=$started
need "the recorder watches" within 10 says watching "$scratch/log"
for n in a b; do
	need "$n forgets the keys before the last" forget "$n"
done
keys_change_under_load "one by one"

for round in 2 3 4; do
	storm_start
	before=$(counter a tx_spread)
	need "others help, round $round" within 20 counter_at_least a tx_spread $((before + 500))
	claim "set down, it sends nothing more" goes_down
	need "up again, it goes on" ip -n a link set akm0 up
	before=$(counter a tx_packets)
	# the addresses' routes went with it, so the storm did as well
	stop "$storm"
	storm_start
	need "traffic flows" within 20 counter_at_least a tx_packets $((before + 500))
	claim "deleted under traffic, and made anew with incarnation $round" anew $round a
	stop "$storm"
	claim "a and b talk" pings a "$(overlay b)"
done
stop "$recorder"
say "        $(grep violations "$scratch/log" | tail -n 1)"
claim "no (key, nonce) pair came twice" equal "$(recorder_says violations)" 0
claim "the recorder missed nothing" equal "$(recorder_says dropped)" 0

[ "$processors" = 1 ] || figures
storm_start
before=$(counter a tx_packets)
need "traffic flows" within 20 counter_at_least a tx_packets $((before + 500))
claim "the module goes under traffic" rmmod akm
world_down

say "answered later"
suite=chacha20-poly1305
need "a cipher comes that answers later" insmod "$(dirname "$module")/later/akm_later.ko"
need "the module comes back" load_module
[ "$processors" != 1 ] || echo Y >$alone
group_up "a b"
need "it serves both ends" driver akm-later
need "it is on" spread on
comes_in_order "answered later"
claim "others have sealed" at_least "$(counter a tx_spread)" 1000
claim "others have opened" at_least "$(counter b rx_spread)" 1000
world_down
need "the module goes" within 20 rmmod akm
need "the cipher goes: nobody uses it" rmmod akm_later
need "the module loads again" load_module
