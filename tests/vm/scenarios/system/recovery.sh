#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P9, P10, P12: changes under traffic, while parties are away, or move. A member that was cut off gets the new generation when it returns;
# a manager that is killed in the midst of a change finishes it after its restart; an evicted member that was
# away stays out; a member that is added reads nothing older; the root's policy outlives the root. Keys of
# provisioning ATRs are replaced over the link.
# shellcheck source=tests/vm/world.sh
. "$(dirname "$0")/../../world.sh"
trap scenario_end EXIT

cut_off() { # LETTER: from the management network only
	ip -n "EdgeNode$1" link set mgmt0 down
}

back() {
	ip -n "EdgeNode$1" link set mgmt0 up
}

moves() { # LETTER OLD NEW: its underlay address, 192.0.2.OLD
	ip -n "EdgeNode$1" addr del "192.0.2.$2/24" dev eth0 && ip -n "EdgeNode$1" addr add "192.0.2.$3/24" dev eth0
}

all_at() { # LETTERS: the same generation everywhere
	local n first=''
	for n in $1; do
		[ -n "$first" ] || first=$(generation "$n")
		equal "$(generation "$n")" "$first" || return
	done
	echo "generation $first on $1"
}

all_past() { # NUMBER LETTERS
	local n
	for n in $2; do
		generation_is_past "$n" "$1" || { echo "EdgeNode$n is at $(generation "$n")"; return 1; }
	done
}

atr_is() { # STATE
	equal "$(akm MgmtMod -j atr show '#1' | field state)" "$1"
}

lists() { # PATTERN
	akm MgmtMod atr show '#1' | grep -E "$1"
}

has() { # LETTER SETTING VALUE: its kernel
	equal "$(on "EdgeNode$1" akmctl -j dev show akm1 | field "$2")" "$3"
}

says_cost() { # PATTERN WORDS…: what such a change would interrupt
	akm MgmtMod atr set "${@:2}" --dry-run | grep -E "interrupted: *$1"
}

rotates() { # PARTY COMMAND NAME: the key is another one, by TPMs, and the old one is erased at both ends
	local before after
	before=$(akm "$1" -j node show "$3" | field key_name)
	akm "$1" -j "$2" rotate "$3" | shows '"rotation": *"done"' || return
	after=$(akm "$1" -j node show "$3" | field key_name)
	not equal "$after" "$before"
}

rotated() { # SOURCE: it has recorded that
	akm MgmtMod events | grep -E "$1 +rotated"
}

queued() { # NAME: it is away, as its link will show sooner or later
	akm MgmtMod node rotate "$1" | shows 'queued|waiting'
}

refused_link() { # the manager has seen C try
	akm MgmtMod events | grep 'link-unknown.*10\.10\.0\.13'
}

# Nothing comes back, or nothing can be sent: the order to remove its interface may have been under way to C when it was
# cut off, and then TCP brings it at its return.
silent() { # FROM TO
	on "EdgeNode$1" ping -n -q -c 3 -i 0.2 -W 1 "$(overlay "$2")" 2>&1 |
		shows ' 100% packet loss|Network is unreachable'
}

fleet_up "A B C"
need "ATR #1 of A and B" atr_create "A B"
claim "A reaches B" reaches A B

ping_start add A B
need "C is added" akm MgmtMod atr add '#1' EdgeNodeC
claim "A reaches C" within 60 reaches A C
claim "C reaches B" within 60 reaches C B
evidence=1 claim "A and B lost nothing meanwhile" lossless add

need "B gets another address in the underlay" moves B 12 112
claim "B reaches A from there" within 20 reaches B A
claim "A follows B, with nobody's help" within 20 reaches A B
need "B gets its old address again" moves B 112 12
claim "B reaches A" within 20 reaches B A
claim "A follows B" within 20 reaches A B

ping_start settings A B
claim "another epoch interval costs nothing" says_cost nothing '#1' epoch-interval 1h
claim "it changes, and the label with it" akm MgmtMod atr set '#1' epoch-interval 1h label plant
claim "A's kernel has it" has A epoch_interval 3600000
claim "C's kernel has it" has C epoch_interval 3600000
claim "B may use a network behind it" akm MgmtMod atr set plant member EdgeNodeB prefix 172.16.9.0/24
claim "B gets another name" akm MgmtMod node rename EdgeNodeB Pump3
evidence=1 claim "A and B lose nothing" lossless settings
need "B has an address there" on EdgeNodeB ip addr add 172.16.9.1/32 dev lo
need "A has a route there" on EdgeNodeA ip route add 172.16.9.0/24 dev akm1
claim "A reaches what is behind B" on EdgeNodeA ping -q -c 3 -i 0.2 -W 2 172.16.9.1
need "B gets its old name again" akm MgmtMod node rename Pump3 EdgeNodeB
claim "another suite and port are not changed by the way" refused 'word interrupt' \
	akm MgmtMod atr set plant suite aes-128-gcm port 7700
claim "what they would cost is said" says_cost 'all traffic' plant suite aes-128-gcm port 7700 interrupt
claim "they change" akm MgmtMod atr set plant suite aes-128-gcm port 7700 interrupt
claim "A's kernel has them" has A suite aes-128-gcm
claim "B's kernel has them" has B port 7700
claim "A reaches B with them" within 20 reaches A B
claim "C reaches A with them" within 20 reaches C A

ping_start rotate A B
claim "B's provisioning ATR gets another key over the link" rotates MgmtMod node EdgeNodeB
claim "and the management module's, from the root" rotates Root manager MgmtMod
claim "nobody has lost a packet to that" lossless rotate

cut_off C
before=$(generation A)
ping_start rekey A B
claim "a rekey while C cannot be reached comes through" akm MgmtMod atr rekey '#1'
evidence=1 claim "A and B move on" within 60 all_past "$before" "A B"
evidence=1 claim "and lose nothing" lossless rekey
evidence=1 claim "the manager says that C is absent" lists 'EdgeNodeC.*absent'
claim "another key for C waits for it" queued EdgeNodeC
back C
evidence=1 claim "C returns, and gets it" within 90 all_at "A B C"
claim "C talks" within 60 reaches C A
claim "C has its new key" within 60 rotated EdgeNodeC

for round in 1 2 3; do
	before=$(generation A)
	akm MgmtMod atr rekey '#1' >"$world/log/rekey" 2>&1 &
	changer=$!
	quiet within 10 not atr_is stable
	daemon_stop MgmtMod KILL
	wait "$changer"
	need "round $round: the management module, killed during a rekey, is back" daemon_up MgmtMod
	claim "round $round: everyone talks" reaches A B
	claim "round $round: the change comes to its end" within 90 atr_is stable
	evidence=1 claim "round $round: everyone agrees" within 90 all_at "A B C"
done

cut_off C
need "C is evicted while it is away" akm MgmtMod node evict EdgeNodeC
claim "A does not answer it any more" silent C A
back C
evidence=1 claim "it is refused when it returns" within 60 refused_link
claim "that changes nothing" silent C A
claim "A and B are well" reaches A B

root_policy() { # STATEMENTS: the root has them as its policy from now on, and starts with it
	printf '%b' "$1" >"$world/conf/policy"
	printf '[policy]\nfile = %s\n' "$world/conf/policy" >>"$world/conf/Root.conf"
	daemon_stop Root
	daemon_up Root
}

root_says() { # PATTERN
	akm Root policy show | grep -E "$1"
}

has_rule() { # PATTERN: at the manager
	akm MgmtMod policy show | grep -E "$1"
}

need "the root is given a policy" root_policy 'rule cloned locked\n when clone rate 1/60\n then rekey hold-down 77\n'
claim "the manager is under it" within 60 has_rule 'cloned +root-locked .*hold-down 77'
daemon_stop Root KILL
daemon_stop MgmtMod KILL
need "the management module is back, the root is not" daemon_up MgmtMod
claim "the root's policy is still in force" within 60 has_rule 'cloned +root-locked .*hold-down 77'
printf 'rule cloned\n when clone rate 1/60\n then alert hold-down 78\n' >"$world/conf/policy"
need "the root is back, with another one" daemon_up Root
claim "it gets to the manager by itself" within 60 has_rule 'cloned +root .*hold-down 78'
claim "the root says that it is in force there" within 20 root_says 'MgmtMod.* 2 .*in force'
