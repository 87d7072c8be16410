#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What somebody can try who has had a machine in hand: a node's disk, with and without its TPM, or a copy of both; another
# machine at the serial line; a manager that is set back to a backup. Honest members lose nothing meanwhile.
# shellcheck source=tests/vm/breach.sh
. "$(dirname "$0")/../../breach.sh"

machine() { # NAME NUMBER OF: on both networks, with a copy of OF's disk; no TPM yet
	cp -a "$world/state/$3" "$world/state/$1"
	add_namespace "$1"
	plug "$1" "$1" mgmt0 "10.10.0.$2" "02:00:00:00:10:$2"
	sed "s|/$3|/$1|" "$world/conf/$3.conf" | sed '/^\[provision\]/,/^listen/d' >"$world/conf/$1.conf"
}

plug_data() { # NAME NUMBER INTERFACE MAC: plug() for a name of the interface that is ours to choose
	ip -n fabric link add "data-$1" type veth peer name "$3" netns "$1" address "$4"
	ip -n fabric link set "data-$1" master br-data up
	ip -n "$1" addr add "192.0.2.$2/24" dev "$3"
	ip -n "$1" link set "$3" up
}

machine_gone() { # NAME
	daemon_stop "$1"
	tpm_stop "$1"
	ip -n "$1" link del akm1 2>/dev/null
	ip -n fabric link del "data-$1"
	ip -n fabric link del "mgmt0-$1"
}

ends_itself() { # PARTY PATTERN: and its last words match
	daemon_start "$1"
	within 60 ended "${daemon_pid[$1]}" || { daemon_stop "$1" KILL; echo "it runs"; return 1; }
	tail -n 5 "$world/log/$1.log" | grep -iE -- "$2"
}

stolen_disk() {
	machine Thief 77 EdgeNodeD
	plug_data Thief 77 eth0 02:00:00:00:20:77
	need "another machine has a copy of D's disk, and a TPM of its own" tpm_start Thief
	talk thief AB DA
	evidence=1 claim "its daemon ends by itself, and says why" ends_itself Thief 'another TPM'
	claim "no interface came up there" not on Thief akmctl dev show akm1
	claim "that is all" all_at "$now"
	claim "nothing was lost between members" talked_losslessly thief
	row "a stolen disk, in another machine" "(its own log)" refused
	machine_gone Thief
}

# Another network card is another hardware value, and so another link key. The keys that were sealed are there, as they
# would be for D: until D is evicted.
moved_tpm() {
	node_power_off D
	machine Mover 78 EdgeNodeD
	plug_data Mover 78 eth0 02:00:00:00:20:78
	cp -a "$world/tpm-state/EdgeNodeD" "$world/tpm-state/Mover"
	need "another machine has D's disk and D's TPM" tpm_start Mover
	talk mover AB BC
	daemon_start Mover
	evidence=1 claim "manager and root hear that its hardware is another" recorded link-psk EdgeNodeD
	claim "it has no link" not node_linked D
	members="A B C"
	claim "that is all" all_at "$now"
	claim "nothing was lost between members" talked_losslessly mover
	talk evict AB BC
	began=$(now_ms)
	claim "somebody looks, and evicts D" akm MgmtMod node evict EdgeNodeD reason stolen
	claim "everybody else moves to a new generation" within 60 recovered_past "$now"
	took_from "$began" "$recovered_at"
	claim "the other machine does not reach anybody" cannot_reach Mover A
	claim "nothing was lost to that" lossless_or_slow evict $((recovered_at - began))
	row "disk and TPM in another machine, D is evicted" link-psk evict
	machine_gone Mover
}

# An eviction waits for nobody longer than 1.8 s (REKEY_URGENT_END_MS): where a machine takes longer to make the keys, what
# is under way is lost.
lossless_or_slow() { # NAME MILLISECONDS
	talked_losslessly "$1" || at_least "$2" 1800
}

cannot_reach() { # MACHINE LETTER
	on "$1" ping -n -q -c 3 -i 0.2 -W 1 "$(overlay "$2")" 2>&1 | shows ' 100% packet loss|Network is unreachable'
}

# A machine whose TPM is software can be copied whole while it is off. Both count the same incarnation next, and send the
# same packet numbers under the same keys.
cloned_machine() {
	node_power_off C
	machine Twin 79 EdgeNodeC
	ip -n Twin link add eth0 address 02:00:00:00:20:13 type dummy
	plug_data Twin 79 eth1 02:00:00:00:20:79
	cp -a "$world/tpm-state/EdgeNodeC" "$world/tpm-state/Twin"
	need "there is a copy of C, with its TPM" tpm_start Twin
	need "C has its TPM" tpm_start EdgeNodeC
	need "C is back" daemon_up EdgeNodeC
	need "C has its interface" within 60 has_akm1 C
	need "C talks" within 60 reaches C A
	need "everybody is at one generation" within 60 now_at
	talk twin AB BA
	ping_start twin-C C A
	local talking=$pinging
	began=$(now_ms)
	need "the copy runs" daemon_up Twin
	need "and has the interface" within 60 on Twin ip link show akm1
	start "$world/log/twin-ping" on Twin ping -n -i 0.05 "$(overlay A)"
	evidence=1 claim "manager and root know that there are two" recorded clone
	claim "and whose they are, and where" \
		recorded two-places 'EdgeNodeC is in two places: .* from 10\.10\.0\.(13|79):'
	claim "everybody moves to a new generation" within 60 recovered_past "$now"
	took_from "$began" "$recovered_at"
	stop "$started"
	stop "$talking" INT
	claim "nothing was lost between the others" talked_losslessly twin
	row "a machine copied with its TPM, both run" clone rekey
}

rogue_up() {
	add_namespace Rogue
	plug Rogue rogue mgmt0 10.10.0.80 02:00:00:00:10:80
	plug_data Rogue 80 eth0 02:00:00:00:20:80
	write_config Rogue node <<-CONF
		[hardware]
		sources = ek,mac:eth0
		[provision]
		listen = unix-listen:$world/serial/rogue.sock
	CONF
	tpm_start Rogue && daemon_up Rogue && within 30 test -S "$world/serial/rogue.sock"
}

provision_rogue() { # NAME [WORDS…]: who asks for that name finds the rogue at the line
	within 30 test -S "$world/serial/rogue.sock" && akm MgmtMod node provision "$1" via "unix:$world/serial/rogue.sock" "${@:2}"
}

rogue_at_the_line() {
	need "somebody brings a machine and a TPM of his own" rogue_up
	talk rogue AB BC
	evidence=1 claim "it is not taken for D" refused 'another machine' provision_rogue EdgeNodeD
	claim "manager and root know" recorded provision-failed 'EdgeNodeD failed: name'
	evidence=1 claim "nor for a new one, whose hardware is known" \
		refused 'hardware value is not the expected' provision_rogue EdgeNodeN hardware "$(printf '%064d' 7)"
	claim "manager and root know" recorded provision-failed 'EdgeNodeN failed: hardware'
	claim "it has got nothing" says 'not provisioned' <(akm Rogue -j status)
	claim "that is all" all_at "$now"
	claim "nothing was lost between members" talked_losslessly rogue
	row "another machine at the serial line" provision-failed refused
	machine_gone Rogue
}

links_up() { # everybody's
	local n
	for n in $members; do
		node_linked "$n" || return
	done
}

state_from() { # COPY: the manager's, while it is off
	daemon_stop MgmtMod
	rm -rf "$world/state/MgmtMod"
	cp -a "$world/$1" "$world/state/MgmtMod"
}

set_back() { # COPY: the manager, to that state of its
	state_from "$1"
	daemon_up MgmtMod
}

keep_as() { # COPY
	daemon_stop MgmtMod
	cp -a "$world/state/MgmtMod" "$world/$1"
	daemon_up MgmtMod
}

# Its records may have members that were thrown out since: it makes nothing of them by itself, nodes take nothing older.
stale_manager() {
	need "there is a backup of the manager" keep_as backup
	need "all are linked" within 90 links_up
	for each in 1 2; do
		need "a rekey, later than the backup" akm MgmtMod atr rekey '#1'
	done
	need "everybody is at one generation" within 60 now_at
	need "its state is kept" keep_as latest
	talk stale AB BC
	began=$(now_ms)
	need "the manager is back, as it was in the backup" set_back backup
	evidence=1 claim "manager and root know" recorded generation-ahead
	took_from "$began" "$(now_ms)"
	claim "nodes are where they were" generations_are "$now"
	need "the manager is back, with its latest state" set_back latest
	claim "all is well again" within 90 well_at "$now"
	claim "nothing was lost between members" talked_losslessly stale
	row "the manager set back to before rekeys" generation-ahead refused
}

# In the backup D is a member still.
evicter_set_back() {
	need "its state is kept" keep_as after-eviction
	need "all are linked" within 90 links_up
	talk evicter AB BC
	state_from backup
	evidence=1 claim "its daemon ends by itself, and says why" ends_itself MgmtMod 'was set back to a backup'
	claim "nodes are where they were" generations_are "$now"
	need "the manager is back, with its latest state" set_back after-eviction
	claim "all is well again" within 90 well_at "$now"
	claim "nothing was lost between members" talked_losslessly evicter
	row "the manager set back to before an eviction" "(its own log)" refused
}

generations_are() { # NUMBER: whatever the manager thinks of it
	local n
	for n in $members; do
		equal "$n at $(generation "$n")" "$n at $1" || return
	done
}

well_at() { # GENERATION
	links_up && all_at "$1"
}

breach_up "A B C D"
need "everybody is at one generation" within 30 now_at
stolen_disk
rogue_at_the_line
stale_manager
need "everybody is at one generation" within 60 now_at
moved_tpm
need "everybody is at one generation" within 60 now_at
evicter_set_back
need "everybody is at one generation" within 60 now_at
cloned_machine
