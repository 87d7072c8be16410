#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What somebody on the data network can try against a fleet of eight: floods of packets, and silence. Each is recorded
# at manager and root, policy does what it should and nothing more, and honest members lose nothing meanwhile.
# shellcheck source=tests/vm/breach.sh
. "$(dirname "$0")/../../breach.sh"
packets=${BREACH_PACKETS:-100000}

record() { # packets of the present generation
	rm -f "$world/recorded.pcap"
	capture_start "$world/recorded.pcap" fabric br-data udp port 7645
	local recorder=$capture
	reaches A B && reaches C B
	capture_stop "$recorder"
	captured 12 "$world/recorded.pcap"
}

# Policy lets the next rekey wait for longer each time, until there was a pause of that length.
calm() { # has it been quiet for long enough?
	[ $(($(now_ms) - rekeyed_at)) -gt $((hold_down * 8000)) ] && now_at
}

# So many packets to B, ten thousand in a second: all parties and the attacker share one processor here.
flood() { # MODE as inject has it, COUNT; or stale: the recording of the flood before, which a rekey has ended
	local mode=$1
	need "it is calm" within $((hold_down * 20)) calm
	if [ "$1" = stale ]; then
		mode=replay
	else
		need "somebody records packets" record
	fi
	talk "$1" AB CB GH
	began=$(now_ms)
	start "$world/log/inject-$1" on Attacker inject -d 192.0.2.12 -n "$2" -r 10000 "$mode" eth0 "$world/recorded.pcap"
	flooding=$started
}

flooded() { # MODE: the end of it
	claim "$1: the flood comes to its end" within 300 ended "$flooding"
	say "        $(<"$world/log/inject-$1") packets in $(($(now_ms) - began)) ms"
	claim "$1: nothing was lost between members" talked_losslessly "$1"
}

answered_by_rekey() { # MODE EVIDENCE WHAT
	flood "$1" "$packets"
	claim "$1: everybody moves to a new generation" within 60 recovered_past "$now"
	flooded "$1"
	rekeyed_at=$(now_ms)
	claim "$1: within the window of the rule" at_most $((recovered_at - began)) $((window * 1000))
	evidence=1 claim "$1: manager and root say why" recorded "$2"
	took_from "$began" "$recovered_at"
	row "$packets packets $3" "$2" rekey
}

only_told() { # MODE EVIDENCE ACTION WHAT
	flood "$1" $((packets / 10))
	flooded "$1"
	evidence=1 claim "$1: recorded at manager and root" recorded "$2"
	[ "$3" = none ] || claim "$1: somebody is told" recorded "$3" "$2"
	claim "$1: that is all" all_at "$now"
	row "$((packets / 10)) packets $4" "$2" "$3"
}

breach_up "A B C D E F G H"
rekeyed_at=0

need "it is calm" within 30 calm
talk silent AB EA GH
kill -STOP "${daemon_pid[EdgeNodeE]}"
began=$(now_ms)
evidence=1 claim "a node that is silent is noticed" recorded heartbeat-missed EdgeNodeE
took_from "$began" "$(now_ms)"
claim "that is all" all_at "$now"
kill -CONT "${daemon_pid[EdgeNodeE]}"
claim "it is heard again" recorded heartbeat-back EdgeNodeE
claim "nothing was lost between members, nor by who was silent" talked_losslessly silent
row "a node's daemon hangs" heartbeat-missed none

only_told key unknown-key alert "under a key that nobody has"
only_told version malformed none "of no known version"
answered_by_rekey random auth-fail "forged"
answered_by_rekey replay replay "replayed"
only_told stale epoch-stale alert "of an epoch that is over"

claim "in all that, nobody was evicted or removed" nobody_went
