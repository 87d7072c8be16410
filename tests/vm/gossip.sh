# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # world.sh and the scenario set them
# For scenarios in bad weather: wires that lose, delay, overtake and repeat, and members ($talkers) of which each
# says something to each other one, and to all, in every round. Sourced after world.sh.
group=239.7.6.46
gossips=()

# What a processor has received and not looked at yet waits in a queue of 1000 packets, for all interfaces together.
# A machine that had to wait has more in hand at once: members catch up with what they have to say. Of the machine.
widen_backlog() {
	sysctl -qw net.core.netdev_max_backlog=300000
}

spoil() { # LETTER "NETEM-WORDS FOR DATA" "… FOR MANAGEMENT": what goes to it
	local data management
	read -ra data <<<"$2"
	read -ra management <<<"$3"
	tc -n fabric qdisc add dev "eth0-$1" root netem limit 10000 "${data[@]}" &&
		tc -n fabric qdisc add dev "mgmt0-$1" root netem limit 10000 "${management[@]}"
}

dropped() { # by the wires to those who talk
	local n
	for n in $talkers; do
		tc -n fabric -s qdisc show dev "eth0-$n"
	done | awk '/dropped/ { sub(",", "", $7); n += $7 } END { print n + 0 }'
}

gossip_up() { # LETTER ROUNDS MICROSECONDS: it waits for SIGUSR1
	local m others=()
	for m in $talkers; do
		[ "$m" = "$1" ] || others+=("$(overlay "$m")")
	done
	on "EdgeNode$1" ip route replace 239.0.0.0/8 dev akm1 || return
	start "$world/log/gossip-$1" on "EdgeNode$1" gossip -m "$group" -i "$3" "$(node_number "$1")" "$2" "${others[@]}"
	gossips+=("$started")
	within 20 says listening "$world/log/gossip-$1"
}

gossip_end() {
	finish "${gossips[@]}"
}

gossip_sum() { # FIELD: over those who talked
	cat "$world"/log/gossip-* | grep -oE "\"$1\": [0-9]+" | awk '{ n += $2 } END { print n + 0 }'
}

# At the manager: nothing that would be an attack, or the answer to one. What the wires repeat is recorded as replayed.
no_alarm() { # [PATTERN]: of what may be there all the same
	local events
	events=$(akm MgmtMod events) || return
	events=$(grep -vE "${1:-^$}" <<<"$events")
	! grep -E ' (auth-fail|clone|unknown-[a-z]+|epoch-[a-z]+|alert|rekey|evict|fallback)( |:)' <<<"$events"
}
