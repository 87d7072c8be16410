#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Order inside a flow is kept: flows from every processor at once under one key, with a cipher that answers at once,
# and with one that answers every request later, and from a queue that is soon full (tests/vm/later). Nothing is lost
# on that way, memory neither, and the module's removal waits for requests that are under way.
# Seen failing with the faults that tests/kunit/mutants.txt has for it: completions that overtake each other, requests
# that are not given back, holds on keys that are not, -EBUSY taken for an error, "left the backlog" for an answer,
# a backlog that is never counted down.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

processors=$(nproc)
cipher=/sys/module/akm_later/parameters
suite=chacha20-poly1305

later_at_least() { # COUNTER LEAST
	at_least "$(cat "$cipher/$1")" "$2"
}

udp_server() { # CPU: takes one flow, and writes what it has seen in JSON
	start "$scratch/udp-$1.json" on b taskset -c "$1" iperf3 -s -1 -J -p $((5300 + $1))
	servers[$1]=$started
	within 20 on b sh -c "ss -ltn | grep -q :$((5300 + $1))"
}

# A second of datagrams from each processor at once, so that each flow stays on its own
udp_flows() {
	local cpu clients=()
	for ((cpu = 0; cpu < processors; cpu++)); do
		start "$scratch/client-$cpu" on a taskset -c "$cpu" iperf3 -c "$(overlay b)" -p $((5300 + cpu)) \
			-u -b 20M -l 1300 -t 1
		clients+=("$started")
	done
	for cpu in "${!clients[@]}"; do
		within 60 ended "${clients[cpu]}" && within 60 ended "${servers[cpu]}" || return
	done
}

in_order() { # CPU
	local packets wrong
	read -r packets wrong < <(jq -r '.end.streams[0].udp | "\(.packets) \(.out_of_order)"' "$scratch/udp-$1.json")
	echo "$packets packets, $wrong out of order"
	[ "$packets" -gt 100 ] && [ "$wrong" = 0 ]
}

tcp_on_one() { # MIB: all on one processor, so that nothing but the tunnel could change the order
	local status
	taskset -p -c 0 $BASHPID >/dev/null
	tcp_transfer a b "$(overlay b)" $(($1 << 20))
	status=$?
	taskset -p -c "0-$((processors - 1))" $BASHPID >/dev/null
	return "$status"
}

flows_keep_order() { # WHAT MIB
	local cpu servers=()
	for ((cpu = 0; cpu < processors; cpu++)); do
		need "$1: a server for processor $cpu" udp_server "$cpu"
	done
	claim "$1: flows from $processors processors end" udp_flows
	for ((cpu = 0; cpu < processors; cpu++)); do
		evidence=1 claim "$1: the flow of processor $cpu came in order" in_order "$cpu"
	done
	claim "$1: $2 MiB over TCP" tcp_on_one "$2"
	claim "$1: no TCP segment overtook another" equal "$(overtaken b)" 0
	claim "$1: nothing was taken for a replay" equal "$(counter b rx_replay)" 0
	claim "$1: a lost nothing, b lost nothing" equal "$(counter a tx_dropped) $(counter b rx_dropped)" "0 0"
}

gone() { # NODE: its interface
	! ip -n "$1" link show akm0 >/dev/null 2>&1
}

say "answered at once"
group_up "a b"
need "the driver of both ends is the usual one" driver rfc7539
flows_keep_order "at once" 1
world_down
need "the module goes" within 20 rmmod akm

say "answered later"
need "a cipher comes that answers later" insmod "$(dirname "$module")/later/akm_later.ko"
need "the module comes back" load_module
group_up "a b"
need "it serves both ends" driver akm-later
before=$(slab)
flows_keep_order later 3
# AKM_BACKLOG_MAX is 1,024. How many find the queue full depends on the machine: traffic goes on until it is enough.
for ((rounds = 0; rounds < 30 && $(cat $cipher/backlogged) < 1100; rounds++)); do
	need "3 MiB more" tcp_on_one 3
done
say "        $(cat $cipher/answered) requests were answered, $(cat $cipher/backlogged) had found the queue full"
claim "4,000 requests were answered later" later_at_least answered 4000
claim "more had found the queue full than may wait at the same time" later_at_least backlogged 1100
claim "still no TCP segment overtook another" equal "$(overtaken b)" 0
claim "still nothing was lost" equal "$(counter a tx_dropped) $(counter b rx_dropped)" "0 0"
# 1 kB each, and more
quarantine || claim "their memory came back" within 20 slab_below $((before + 3000))

say "removed while requests are under way"
echo Y >"$cipher/hold"
start "$scratch/storm" on a storm 100 "$(overlay b)" 9
need "50 requests wait for an answer" within 20 later_at_least pending 50
start "$scratch/rmmod" rmmod akm
removal=$started
need "the interfaces go" within 20 gone a
claim "the requests still wait" later_at_least pending 50
claim "the module waits for them" kill -0 "$removal"
echo N >"$cipher/hold"
claim "they are answered, and the module goes" within 20 ended "$removal"
claim "nothing is left to wait for" equal "$(cat $cipher/pending)" 0
claim "the removal said nothing" equal "$(cat "$scratch/rmmod")" ""
stop_all
need "the cipher goes: nobody uses it" rmmod akm_later
world_down
need "the module loads again" load_module
