#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P9, P12 and P11 in bad weather: five nodes whose wires, for data and for management, lose, delay, overtake and repeat
# packets, and an epoch of five seconds. Root and manager are killed; one member is cut off and its daemon stopped,
# another one loses its power; then a rekey. Nothing is lost but by the wires, nobody takes the weather for an
# attack, and in the end all agree.
# shellcheck source=tests/vm/world.sh
. "$(dirname "$0")/../../world.sh"
# shellcheck source=tests/vm/gossip.sh
. "$(dirname "$0")/../../gossip.sh"
trap scenario_end EXIT
talkers="A B C"
rounds=100000			# of 20 ms: longer than the scenario
# What the wires repeat counts as replayed, and 50 of that in 10 s make a policy act: here about 10 do.
wires="loss 2% delay 10ms 8ms duplicate 0.3%"

epoch_of() { # LETTER: of what it sends on
	on "EdgeNode$1" akmctl -j generation show akm1 | jq 'first(.. | objects | select(.state? == "active")).epoch'
}

epochs_later() { # SINCE COUNT: at A
	at_least "$(epoch_of A)" $(($1 + $2))
}

cut_off() { # LETTER: no wire, and a daemon that does nothing
	kill -STOP "${daemon_pid[EdgeNode$1]}"
	ip -n fabric link set "eth0-$1" down && ip -n fabric link set "mgmt0-$1" down
}

back() { # LETTER
	ip -n fabric link set "eth0-$1" up && ip -n fabric link set "mgmt0-$1" up
	kill -CONT "${daemon_pid[EdgeNode$1]}"
}

all_at() { # the same generation everywhere, newer than NUMBER
	local n first
	first=$(generation A)
	at_least "$first" $(($1 + 1)) || return
	for n in $members; do
		equal "$(generation "$n")" "$first" || return
	done
	echo "generation $first"
}

stop_clocks() { # nobody steps by itself any more
	local n
	for n in $members; do
		on "EdgeNode$n" akmctl dev set akm1 epoch-interval 0 || return
	done
}

same_epoch() {
	local n
	for n in $members; do
		equal "$(epoch_of "$n")" "$(epoch_of A)" || return
	done
	echo "epoch $(epoch_of A)"
}

counters_zero() { # COUNTER…: at those who talk
	local n c
	for n in $talkers; do
		for c; do
			equal "$n $c $(on "EdgeNode$n" akmctl -j stats akm1 | field "$c")" "$n $c 0" || return
		done
	done
}

never_behind() { # no packet of those who talk was of an epoch that another one of them had erased
	local n m
	for n in $talkers; do
		for m in $talkers; do
			[ "$n" = "$m" ] || equal "$m at $n: $(stale_at "$n" "$m")" "$m at $n: 0" || return
		done
	done
}

stale_at() { # LETTER OF
	on "EdgeNode$1" akmctl -j stats akm1 |
		jq --arg of "EdgeNode$2" '.[0].members[] | select(.name == $of).stats.rx_epoch_stale'
}

members="A B C D E"
need "the processor's queue holds all that may come at once" widen_backlog
fleet_up "$members"
need "ATR #1, with an epoch of 5 s" atr_create "$members" epoch-interval 5s epoch-grace 4s
for n in $members; do
	need "$n has its interface" within 60 has_akm1 "$n"
	need "the weather at $n is bad" spoil "$n" "$wires" "loss 2% delay 20ms 10ms duplicate 0.3%"
done
for n in $talkers; do
	need "$n is ready to talk" gossip_up "$n" "$rounds" 20000
done
before=$(generation A) epoch=$(epoch_of A)
need "they talk" kill -USR1 "${gossips[@]}"

daemon_stop MgmtMod KILL
daemon_stop Root KILL
cut_off D
claim "three epochs without root, manager and D" within 60 epochs_later "$epoch" 3
need "D comes back" back D
claim "D talks" within 30 reaches D A
claim "and is heard by B" within 30 reaches B D
need "E loses its power" node_power_cycle E
claim "E is back by itself, and talks" within 60 reaches E A
claim "and is heard by C" within 30 reaches C E
need "the root is back" daemon_up Root
need "the manager is back" daemon_up MgmtMod
for n in $members; do
	claim "$n is linked again" within 90 node_linked "$n"
done
# E, member 4, comes back in an epoch that the others have erased, if its machine was slow: until it has caught up, it
# does not know the others' keys, and is behind for them.
claim "nobody took the weather for an attack" no_alarm 'EdgeNodeE unknown-key|epoch-stale ATR #1 member 4:'
claim "a rekey in this weather" akm MgmtMod atr rekey '#1'
evidence=1 claim "all are on it" within 90 all_at "$before"
epoch=$(epoch_of A)
claim "two epochs more" within 60 epochs_later "$epoch" 2
claim "they have said everything" gossip_end
heard=$(gossip_sum heard) sent=$(gossip_sum sent) wires=$(dropped)
# each round of each: two datagrams that one hears, and one that two hear
due=$((sent * 4 / 3))
say "        $due datagrams due, $heard heard, $wires packets dropped by the wires"
claim "nothing was lost but by the wires" at_most $((due - heard)) "$wires"
claim "the wires did lose some" at_least "$wires" $((due / 200))
claim "nothing came twice" equal "$(gossip_sum twice)" 0
claim "the keys refused nothing" counters_zero rx_auth_fail rx_unknown_key rx_malformed rx_clone rx_wait_dropped tx_no_key \
	tx_exhausted tx_dropped
claim "nobody who talks was ever behind" never_behind
# To read them takes longer than an epoch, where the machine is slow.
need "nobody steps by itself any more" stop_clocks
evidence=1 claim "all are in the same epoch" within 30 same_epoch
