# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # variables for the lives
# What the lives share, on top of the scenarios' library. LIFE is short, or long.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/lib.sh"

LIFE=${LIFE:-short}

pick() { # SHORT LONG
	if [ "$LIFE" = long ]; then echo "$2"; else echo "$1"; fi
}

figure() { # TEXT: one line that life.sh collects; shown whether or not a claim fails
	echo "figure: $*"
}

# The underlay carries nothing but AKM: what is lost on it can be counted. Interfaces made later have IPv6.
quiet_wire() { # NODE…
	local n m
	for n; do
		on "$n" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=0 || return
		for m; do
			[ "$n" = "$m" ] || ip -n "$n" neigh replace "192.0.2.$(index_of "$m")" dev eth0 nud permanent \
				lladdr "02:00:00:00:00:$(printf %02x "$(index_of "$m")")" || return
		done
	done
}

gossip_group=239.7.6.46
gossips=()

# Everybody is ready to talk to everybody and, unless gossip_group is empty, to the group: ROUNDS times, MICROSECONDS apart.
gossip_up() { # "NODES" ROUNDS MICROSECONDS [OPTIONS…]
	local nodes=$1 rounds=$2 interval=$3 n m others
	shift 3
	for n in $nodes; do
		others=()
		for m in $nodes; do
			[ "$m" = "$n" ] || others+=("$(overlay "$m")")
		done
		on "$n" ip route replace 239.0.0.0/8 dev akm0 || return
		start "$scratch/gossip-$n" on "$n" gossip ${gossip_group:+-m "$gossip_group"} -i "$interval" "$@" "$(index_of "$n")" "$rounds" \
			"${others[@]}"
		gossips+=("$started")
		within 20 says listening "$scratch/gossip-$n" || return
	done
}

gossip_begin() {
	kill -USR1 "${gossips[@]}"
}

gossip_done() {
	[ "$(grep -lx 'done' "$scratch"/gossip-* | wc -l)" = "${#gossips[@]}" ]
}

# They say no more, and have told what they heard: gossip_sum may be asked.
gossip_end() {
	finish "${gossips[@]}" || return
	gossips=()
}

gossip_sum() { # FIELD: over all nodes
	cat "$scratch"/gossip-* | grep -oE "\"$1\": [0-9]+" | awk '{ n += $2 } END { print n + 0 }'
}

gossip_most() { # FIELD
	cat "$scratch"/gossip-* | grep -oE "\"$1\": [0-9]+" | awk '$2 > n { n = $2 } END { print n + 0 }'
}

gossip_due() { # NODES ROUNDS: how many datagrams would be heard if none were lost
	echo $(($1 * $2 * ($1 - 1) * 2))
}

counters_are() { # VALUE COUNTER…: on all of $members
	local value=$1 n c
	shift
	for n in $members; do
		for c; do
			equal "$n $c $(counter "$n" "$c")" "$n $c $value" || return
		done
	done
}

# Members from index $first on, $silent of them, that nobody is
first=100 silent=0

silent_members() { # NODE: knows them; what they are sent comes to nobody
	ip -n "$1" neigh replace 192.0.2.99 dev eth0 lladdr 02:00:00:00:00:99 nud permanent &&
		on "$1" crowd akm0 "$first" "$silent" 192.0.2.99 7645
}

silent_pairs() { # NUMBER: as in a pair file
	local i
	for ((i = first; i < first + silent; i++)); do
		printf '%d %064x\n' "$i" $(($1 * 10000 + i))
	done
}

# Every counter of a packet that the keys, or what belongs to them, did not let pass
key_counters=(rx_auth_fail rx_replay rx_unknown_key rx_epoch_stale rx_malformed rx_prefix rx_dropped rx_clone
	rx_wait_dropped tx_no_key tx_exhausted tx_dropped)
