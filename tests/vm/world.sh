# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # variables for those who source it
# The whole system on one machine: root, manager and nodes A … H, each in its network namespace with its own
# TPM 2.0 (a software TPM behind the kernel's TPM driver), and a serial line from the manager to every node.
#
#                 br-mgmt, ns fabric: 10.10.0.0/24                     br-data, ns fabric: 192.0.2.0/24
#   Root ───mgmt0─ .1 ─┐                               ┌─ .11 ─eth0─── EdgeNodeA ─ akm1: the ATR's overlay
#   MgmtMod ─mgmt0 .2 ─┼─ .11 ─mgmt0─── EdgeNodeA ─────┤
#                      ├─ .12 ─mgmt0─── EdgeNodeB ─────┼─ .12 ─eth0─── EdgeNodeB
#                      └─ …                            └─ .66 ─eth0─── Attacker
#
# Sourced, as root, in the VM or on a machine that can load modules. Everything it writes lies under $world.
# shellcheck source=tests/vm/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

world=${WORLD:-/run/akm-world}
all_nodes="A B C D E F G H"
declare -A daemon_pid tpm_pid serial_pid

akm() { # PARTY WORDS…: akmctl, talking to that party's daemon. To its kernel: on PARTY akmctl …
	AKM_SOCKET=/run/akm/$1.sock akmctl "${@:2}"
}

node_number() { # A → 1
	printf '%d\n' "$(($(printf '%d' "'$1") - 64))"
}

underlay() { # A → its address on the data underlay
	echo "192.0.2.$((10 + $(node_number "$1")))"
}

# ------------------------------------------------------------------- network

plug() { # PARTY PORT-SUFFIX INTERFACE ADDRESS MAC: mgmt0 goes to br-mgmt, eth0 to br-data
	local bridge=br-data
	[ "$3" = mgmt0 ] && bridge=br-mgmt
	ip -n fabric link add "$3-$2" type veth peer name "$3" netns "$1" address "$5"
	ip -n fabric link set "$3-$2" master "$bridge" up
	ip -n "$1" addr add "$4/24" dev "$3"
	ip -n "$1" link set "$3" up
}

world_network() { # NODE-LETTERS
	local bridge n i
	add_namespace fabric
	for bridge in br-mgmt br-data; do
		ip -n fabric link add "$bridge" type bridge stp_state 0 forward_delay 0 mcast_snooping 0
		on fabric sysctl -qw "net.ipv6.conf.$bridge.disable_ipv6=1"
		ip -n fabric link set "$bridge" up
	done
	add_namespace Root
	plug Root root mgmt0 10.10.0.1 02:00:00:00:10:01
	add_namespace MgmtMod
	plug MgmtMod mgr mgmt0 10.10.0.2 02:00:00:00:10:02
	for n in $1; do
		i=$(node_number "$n")
		add_namespace "EdgeNode$n"
		plug "EdgeNode$n" "$n" mgmt0 "10.10.0.$((10 + i))" "02:00:00:00:10:$((10 + i))"
		plug "EdgeNode$n" "$n" eth0 "$(underlay "$n")" "02:00:00:00:20:$((10 + i))"
	done
	add_namespace Attacker
	plug Attacker att eth0 192.0.2.66 02:00:00:00:20:66
}

# ----------------------------------------------------------------------- TPM

tpm_taken() { # DEVICE PARTY: does another party's name lead to it?
	local link
	for link in "$world"/tpm/*; do
		[ "${link##*/}" = "$2" ] || [ "$(readlink "$link")" != "$1" ] || return 0
	done
	return 1
}

# PARTY: its device, /dev/tpmrmN, once the driver has made it. The number is announced before that: of a TPM that the
# driver gave up, it may by now be another party's.
tpm_there() {
	local line device=''
	while read -r line; do
		[[ $line =~ ^New\ TPM\ device:\ /dev/tpm([0-9]+) ]] && device=/dev/tpmrm${BASH_REMATCH[1]}
	done <"$world/log/$1.swtpm"
	[ -n "$device" ] && [ -c "$device" ] && ! ended "${tpm_pid[$1]}" && ! tpm_taken "$device" "$1" &&
		ln -sfn "$device" "$world/tpm/$1"
}

tpm_settled() { # PARTY: it is there, or swtpm has ended, which it does when the driver has given it up
	ended "${tpm_pid[$1]}" || tpm_there "$1"
}

# A TPM is a chip of its own: what the machine's processors do must not keep it waiting. So it has real-time priority.
tpm_power() { # PARTY
	local dir=$world/tpm-state/$1
	mkdir -p "$dir"
	chrt --rr 10 vtpm swtpm chardev --fd 3 --tpm2 --tpmstate "dir=$dir" --locality allow-set-locality \
		--flags not-need-init,startup-clear --log "file=$world/log/$1.swtpm-log" >"$world/log/$1.swtpm" 2>&1 </dev/null &
	tpm_pid[$1]=$!
}

# $world/tpm/PARTY names its device from then on. If the driver gave it up all the same, its power is cycled.
tpm_start() { # PARTY
	local try
	for try in 1 2 3 4 5; do
		tpm_power "$1"
		within 20 tpm_settled "$1"
		tpm_there "$1" && return
		tpm_stop "$1"
		progress "TPM of $1: try $try failed"
	done
	tail -n 5 "$world/log/$1.swtpm" "$world/log/$1.swtpm-log"
	return 1
}

tpm_start_all() { # PARTY…: one after another, for each has only so long to answer
	local party
	for party; do
		tpm_start "$party" || return
		progress "$party: $(readlink "$world/tpm/$party")"
	done
}

tpm_stop() { # PARTY: its power goes
	stop "${tpm_pid[$1]}"
	rm -f "$world/tpm/$1"
}

# ------------------------------------------------------------------- daemons

serial_line() { # NODE-PARTY: a pair of terminals, one end each for manager and node
	local dir=$world/serial
	start "$world/log/$1.serial" socat "pty,raw,echo=0,link=$dir/$1-manager" "pty,raw,echo=0,link=$dir/$1-node"
	serial_pid[$1]=$started
}

write_config() { # PARTY ROLE, further lines from standard input
	local party=$1 role=$2 more
	IFS= read -r -d '' more
	{
		echo "[akmd]"
		echo "role = $role"
		echo "name = $party"
		echo "state = $world/state/$party"
		echo "socket = /run/akm/$party.sock"
		echo "log = ${log_level:-debug}"
		echo "[tpm]"
		echo "tcti = device:$world/tpm/$party"
		printf '%s' "$more"
	} >"$world/conf/$party.conf"
}

configure_root() {
	write_config Root root <<-EOF
		[link]
		listen = 10.10.0.1:7646
		announce = 10.10.0.1:7646
	EOF
}

manager_policy() { # what [policy] says
	cat <<-EOF
		auth_fail = ${auth_fail_rule:-50/10:rekey}
		replay = ${replay_rule:-50/10:rekey}
		hold_down = ${hold_down:-20}
	EOF
}

configure_manager() {
	write_config MgmtMod manager <<-EOF
		[hardware]
		sources = ek,mac:mgmt0
		[link]
		listen = 10.10.0.2:7646
		announce = 10.10.0.2:7646
		[provision]
		listen = unix-listen:$world/serial/MgmtMod
		[heartbeat]
		interval = ${heartbeat:-1000}
		missed = 5
		[atr]
		grace = ${grace:-5000}
		[policy]
		$(manager_policy)
	EOF
}

configure_node() { # LETTER
	write_config "EdgeNode$1" node <<-EOF
		[hardware]
		sources = ek,mac:eth0
		[link]
		endpoint = $(underlay "$1")
		group_link = eth0
		[provision]
		listen = serial:$world/serial/EdgeNode$1-node
		[heartbeat]
		interval = ${heartbeat:-1000}
		missed = 5
	EOF
}

daemon_start() { # PARTY: its log goes on in $world/log/PARTY.log
	# Not nsenter: a daemon also wants the /sys of its namespace.
	ip netns exec "$1" akmd --config "$world/conf/$1.conf" >>"$world/log/$1.log" 2>&1 </dev/null &
	daemon_pid[$1]=$!
}

daemon_serves() { # PARTY: a daemon that is gone is not waited for
	ended "${daemon_pid[$1]}" || akm "$1" -j status | field role >/dev/null
}

daemon_answers() { # PARTY: on its control socket
	within 60 daemon_serves "$1" && ! ended "${daemon_pid[$1]}" && return
	tail -n 10 "$world/log/$1.log"
	stat -c '%A %u %n' "$world/state/$1" "$world/state/$1"/*
	return 1
}

daemon_up() { # PARTY: started, and answering
	daemon_start "$1"
	daemon_answers "$1"
}

daemon_stop() { # PARTY [SIGNAL]: and wait for its end
	stop "${daemon_pid[$1]}" "${2:-TERM}"
}

# Kernel state and TPM session go with it; disk and the TPM's NV stay.
node_power_off() { # LETTER [SIGNAL]: its daemon's end, without a word unless one is named
	local party=EdgeNode$1 link
	daemon_stop "$party" "${2:-KILL}"
	for link in $(on "$party" akmctl -j dev show | sed -n 's/.*"ifname": *"\([^"]*\)".*/\1/p'); do
		ip -n "$party" link del "$link"
	done
	tpm_stop "$party"
}

node_power_cycle() { # LETTER
	node_power_off "$1"
	tpm_start "EdgeNode$1" && daemon_up "EdgeNode$1"
}

# ------------------------------------------------------------- the world's life

world_modules() {
	[ -c /dev/vtpmx ] || modprobe -q tpm_vtpm_proxy ||
		{ echo "The kernel $(uname -r) has no tpm_vtpm_proxy (CONFIG_TCG_VTPM_PROXY)." >&2; return 1; }
	load_module
}

world_up() { # NODE-LETTERS: network, TPMs, serial lines, configurations; no daemon yet
	local n parties=(Root MgmtMod)
	rm -rf "$world"
	mkdir -p "$world"/{tpm,tpm-state,log,conf,state,serial} /run/akm
	world_modules || return
	world_network "$1" && configure_root && configure_manager || return
	for n in $1; do
		parties+=("EdgeNode$n")
		serial_line "EdgeNode$n" && configure_node "$n" || return
	done
	tpm_start_all "${parties[@]}" || return
	for n in $1; do
		within 30 test -e "$world/serial/EdgeNode$n-node" || return
	done
}

world_down() {
	local party
	for party in "${!daemon_pid[@]}"; do
		daemon_stop "$party"
	done
	stop_all
	delete_namespaces
	for party in "${!tpm_pid[@]}"; do
		tpm_stop "$party"
	done
	daemon_pid=() tpm_pid=() serial_pid=()
}

# ------------------------------------------------------------------ the story

provision_manager() { # root → manager
	within 30 test -S "$world/serial/MgmtMod" || return
	akm Root manager provision MgmtMod via "unix:$world/serial/MgmtMod"
}

provision_node() { # LETTER: manager → node, over its serial line
	akm MgmtMod node provision "EdgeNode$1" via "serial:$world/serial/EdgeNode$1-manager"
}

node_linked() { # LETTER
	equal "$(akm MgmtMod -j node show "EdgeNode$1" | field link)" up
}

overlay() { # LETTER: its IPv4 address on akm1; empty if it has none
	ip -n "EdgeNode$1" -4 -o addr show dev akm1 2>/dev/null | sed -n 's|.* inet \([0-9.]*\)/.*|\1|p'
}

has_akm1() { # LETTER
	[ -n "$(overlay "$1")" ]
}

generation() { # LETTER: number of the active generation of akm1
	on "EdgeNode$1" akmctl -j dev show akm1 | field active_generation
}

generation_is_past() { # LETTER NUMBER
	at_least "$(generation "$1")" $(($2 + 1))
}

reaches() { # FROM TO [OPTIONS…]: three pings, three answers
	local from=$1 to=$2
	shift 2
	on "EdgeNode$from" ping -n -q -c 3 -i 0.1 -W 3 "$@" "$(overlay "$to")" | tail -n 2 | shows ' 0% packet loss'
}

ping_start() { # NAME FROM TO: until lossless
	start "$world/log/ping-$1" on "EdgeNode$2" ping -n -i 0.05 -W 10 "$(overlay "$3")"
	pinging=$started
}

answered() { # LEAST LOG
	at_least "$(grep -c 'bytes from' "$2")" "$1"
}

# Every request that it sent was answered, up to the last answer; one more may have been under way when it ended.
lossless() { # NAME [LEAST]: once so many have been answered, stops the ping
	local log=$world/log/ping-$1 answers last sent
	within 60 answered "${2:-100}" "$log" || return
	stop "$pinging" INT
	answers=$(grep -c 'bytes from' "$log")
	last=$(sed -n 's/.*icmp_seq=\([0-9]*\).*/\1/p' "$log" | tail -n 1)
	sent=$(sed -n 's/\([0-9]*\) packets transmitted.*/\1/p' "$log")
	equal "$answers" "$last" && at_most $((sent - answers)) 1 &&
		echo "$answers requests, $answers answers, 0 lost"
}

grown() { # FROM TO
	at_least "$2" $(($1 + 1)) && echo "incarnation $1 → $2"
}

incarnation() { # LETTER
	on "EdgeNode$1" akmctl -j dev show akm1 | field incarnation
}

listens() { # LETTER SS-OPTION PORT
	[ -n "$(on "EdgeNode$1" ss -H "$2" "sport = :$3")" ]
}

fleet_up() { # NODE-LETTERS: everybody provisioned and linked
	local n
	need "the world is up: Root, MgmtMod, nodes $1" world_up "$1"
	need "the root runs" daemon_up Root
	need "the management module runs" daemon_up MgmtMod
	need "the root provisions it" provision_manager
	for n in $1; do
		daemon_start "EdgeNode$n"
	done
	for n in $1; do
		need "EdgeNode$n runs" daemon_answers "EdgeNode$n"
		need "EdgeNode$n is provisioned" provision_node "$n"
	done
	for n in $1; do
		need "EdgeNode$n is linked" within 60 node_linked "$n"
	done
}

atr_create() { # NODE-LETTERS [WORDS…]: ATR #1
	local n list='' label=''
	for n in $1; do
		list=$list,EdgeNode$n label=$label-$n
	done
	akm MgmtMod atr create '#1' label "${label#-}" members "${list#,}" subnet 10.77.0.0/24 "${@:2}"
}

# For scenarios: what the daemons said is kept beside the result.
scenario_end() {
	local status=$? name
	trap - EXIT
	world_down
	name=$(basename "$0" .sh)
	if [ -n "${RESULTS:-}" ] && [ -d "$world/log" ]; then
		mkdir -p "$RESULTS/$name"
		cp "$world"/log/* "$RESULTS/$name/"
	fi
	claim "the module can be removed afterwards" within 60 rmmod akm
	rm -rf "$world"
	[ "$status" = 0 ] || exit "$status"
	claims_done
	exit $?			# explicit: a bare exit in a trap gives the status from before it
}
