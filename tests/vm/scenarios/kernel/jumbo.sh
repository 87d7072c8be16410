#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The largest packets there can be: in pieces over an ordinary underlay, and whole over one that takes them.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

largest() { # NODE: its interface's upper limit
	ip -n "$1" -d -j link show akm0 | jq '.[0].max_mtu'
}

underlay_mtu() { # MTU
	local n
	for n in a b; do
		ip -n wire link set "port-$n" mtu "$1" && ip -n "$n" link set eth0 mtu "$1" || return
	done
}

# One at a time: ping's socket has room for one answer of this size
echoes() { # SIZE
	local n
	for n in 1 2 3; do
		on a ping -q -c 1 -W 10 -M "do" -s "$1" "$(overlay b)" | shows ' 0% packet loss' || return
	done
}

for outer in 4 6; do
	say "outer IPv$outer"
	group_up "a b"
	mtu=$(largest a)
	for n in a b; do
		claim "$n takes the largest MTU, $mtu" ip -n "$n" link set akm0 mtu "$mtu"
	done
	for under in 1500 65535; do
		need "the underlay's MTU is $under" underlay_mtu "$under"
		for size in 20000 32000 33000 50000 $((mtu - 28)); do
			claim "echoes of $size bytes come back" echoes "$size"
		done
		claim "4 MiB over TCP" tcp_transfer a b "$(overlay b)" 4194304
	done
	claim "none of it looked like an attack" equal \
		"$(counter b rx_malformed) $(counter b rx_auth_fail) $(counter b rx_replay) $(counter a rx_malformed)" "0 0 0 0"
	world_down
done
