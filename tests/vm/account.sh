# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # gossip.sh and the scenario set them
# Where the datagrams of those who talk ($talkers) were lost, if not on the wires: all that counts them on their way
# from one program to the other. Sourced after gossip.sh.
#
#   program ─ socket ─ akm1 ─ UDP, IP ─ eth0 ═ eth0-N ─ br-data ─ eth0-M ─ [netem] ═ eth0 ─ IP, UDP ─ akm1 ─ socket ─ program
#                      └ akm1 …             └──────────── link … ────────────┘       └ ip …   └ akm1 …  └ udp …

# What the keys, and what belongs to them, did not let pass. (rx_dropped is in what the link says of akm1.)
key_losses=(rx_auth_fail rx_replay rx_unknown_key rx_epoch_stale rx_malformed rx_prefix rx_clone rx_wait_dropped
	tx_no_key tx_no_member tx_no_endpoint tx_exhausted tx_dropped tx_too_big)
# Sockets that were full, above all; of IP, what it can lose without a word
socket_losses=(UdpRcvbufErrors UdpMemErrors UdpInCsumErrors UdpSndbufErrors IpInDiscards IpOutDiscards IpOutNoRoutes
	IpInHdrErrors IpReasmFails IpFragFails)

key_losses_of() { # LETTER
	on "EdgeNode$1" akmctl -j stats akm1 |
		jq -r --arg n "$1" '.[0].stats | $ARGS.positional[] as $c | "\($n) akm1 \($c) \(.[$c])"' --args "${key_losses[@]}"
}

socket_losses_of() { # LETTER: of both its interfaces, and of its daemon's sockets
	on "EdgeNode$1" cat /proc/net/snmp | awk -v "who=$1" -v "wanted=${socket_losses[*]}" '
		BEGIN { n = split(wanted, list); for (i = 1; i <= n; i++) take[list[i]] = 1 }
		!($1 in names) { names[$1] = $0; next }
		{
			split(names[$1], name)
			for (i = 2; i <= NF; i++) {
				what = substr($1, 1, length($1) - 1) name[i]
				if (what in take)
					print who, "net", what, $i
			}
		}'
}

link_losses_of() { # LETTER NAMESPACE INTERFACE…: on arrival, for want of room in the processor's queue above all
	local who=$1 ns=$2 link
	shift 2
	for link; do
		ip -n "$ns" -j -s link show dev "$link" | jq -r --arg n "$who" '.[0] | "\($n) link \(.ifname) \(.stats64.rx.dropped)"'
	done
}

losses() { # WHO WHERE WHAT COUNT, of all, also those that are 0
	local n
	for n in $talkers; do
		key_losses_of "$n"
		socket_losses_of "$n"
		link_losses_of "$n" "EdgeNode$n" akm1 eth0
		link_losses_of "$n" fabric "eth0-$n"
	done
}

losses_since() { # FILE: of losses(), before: those that have grown since, and by how much
	losses | awk 'NR == FNR { before[$1, $2, $3] = $4; next } $4 > before[$1, $2, $3] { print $1, $2, $3, $4 - before[$1, $2, $3] }' "$1" -
}

lost_in() { # WHERE…, of "akm1", "net" and "link": how many, of losses_since() on standard input
	awk -v "where= $* " 'index(where, " " $2 " ") { n += $4 } END { print n + 0 }'
}
