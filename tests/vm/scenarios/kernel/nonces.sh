#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P1 in the kernel: several CPUs send at once, on every member, over rolls and generations; a deleted and newly
# made interface goes on under a new incarnation. A recorder on the wire finds no (key, nonce) pair twice.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

udp_storm() { # FROM TO SECONDS: two senders at a time
	start "$scratch/storm-$1-$2-$RANDOM" on "$1" iperf3 -c "$(overlay "$2")" -u -b 0 -l 64 -t "$3" -P 2
	storms+=("$started")
}

storms_end() {
	local pid
	for pid in "${storms[@]}"; do
		within 60 ended "$pid" || return
	done
	storms=()
}

storms=()
group_up "a b c"
for n in a b c; do
	start "$scratch/server-$n" on "$n" iperf3 -s
	need "$n serves" within 10 on "$n" sh -c 'ss -ltn | grep -q :5201'
done
start "$scratch/log" on wire noncelog br0
recorder=$started
need "the recorder watches" within 10 says watching "$scratch/log"
udp_storm a b 8
udp_storm b c 8
udp_storm c a 8
need "traffic flows" within 10 counter_at_least b rx_packets 500
claim "a rolls in the midst of it" on a akmctl epoch roll akm0
for n in a b c; do
	need "$n installs generation 2" install_generation $n "a b c" 2
done
for n in a b c; do
	need "$n activates it" activate $n 2
done
claim "the storms end" storms_end

# Fresh kernel state: the same secrets must go on under the next incarnation, and under no used one.
need "a's interface is deleted, and comes back" sh -c "ip -n a link del akm0"
incarnation=2
need "with incarnation 2" atr_up a "a b c"
need "and generation 2 as before" install_generation a "a b c" 2
need "which it sends on" activate a 2
claim "b takes its packets" pings a "$(overlay b)"
udp_storm a b 4
claim "the storm ends" storms_end
stop "$recorder"
say "        $(tail -n 1 "$scratch/log")"
claim "no (key, nonce) pair came twice" equal "$(field violations <"$scratch/log")" 0
claim "the recorder missed nothing" equal "$(field dropped <"$scratch/log")" 0
claim "it saw at least 5000 packets" at_least "$(field packets <"$scratch/log")" 5000
