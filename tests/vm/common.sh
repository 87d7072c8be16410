# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # variables for those who source it
# What lib.sh (kernel scenarios) and world.sh (the whole system) share.
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/lib/poll.sh
. "$top/tests/lib/poll.sh"
# shellcheck source=tests/lib/claims.sh
. "$top/tests/lib/claims.sh"
PATH=$top/build/userspace/gcc:$top/build/userspace/gcc/tests/vm:$PATH
module=${AKM_MODULE:-$top/build/module-$(uname -r)/akm.ko}
background=() namespaces=()
# For progress in the midst of a claim, whose own output is kept back.
exec {console}>&1

on() { # NAMESPACE COMMAND…
	local ns=$1
	shift
	nsenter --net="/run/netns/$ns" -- "$@"
}

start() { # LOGFILE COMMAND…: in the background until stop_all; its process id is $started
	local log=$1
	shift
	# "on" would leave a shell between us and the process: signals must reach the latter.
	[ "$1" != on ] || set -- nsenter --net="/run/netns/$2" -- "${@:3}"
	"$@" >"$log" 2>&1 </dev/null &
	started=$!
	background+=("$started")
}

stop() { # PID [SIGNAL]: and wait for its end; a process that does not heed it within 15 s is killed
	kill -"${2:-TERM}" "$1" 2>/dev/null
	within 15 ended "$1" || kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

finish() { # PID…: each is told to end, does so in its own time, and says that all went well
	local pid
	kill -TERM "$@"
	for pid; do
		within 60 ended "$pid" && wait "$pid" || return
	done
}

stop_all() {
	local pid
	for pid in ${background[@]+"${background[@]}"}; do
		stop "$pid"
	done
	background=()
}

# A shell whose read was cut off by its time may be left deaf to the end of its children: so a zombie has ended, too.
ended() { # PID
	local stat
	kill -0 "$1" 2>/dev/null && read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
	[[ ${stat##*) } == Z* ]]
}

says() { # PATTERN FILE
	grep -qE -- "$1" "$2"
}

field() { # NAME: its first value in akmctl's JSON on standard input. jq takes half a second under emulation.
	local text
	IFS= read -r -d '' text
	[[ $text =~ \"$1\":\ *\"?([^\",}[:cntrl:]]*) ]] && printf '%s\n' "${BASH_REMATCH[1]}"
}

progress() {
	printf '        … %s\n' "$*" >&"$console"
}

load_module() {
	grep -q '^akm ' /proc/modules && return
	modprobe -q udp_tunnel
	modprobe -q ip6_udp_tunnel
	insmod "$module"
}

capture_start() { # FILE NAMESPACE INTERFACE [FILTER…]: its process id is $capture
	local file=$1 ns=$2 interface=$3
	shift 3
	start "$file.log" on "$ns" tcpdump --immediate-mode -U -Z root -B 65536 -s 0 -i "$interface" -w "$file" "$@"
	capture=$started
	within 20 says 'listening on' "$file.log" || cat "$file.log"
}

capture_stop() { # PID
	stop "$1"
}

frames() { # FILE [FILTER…]: how many the capture holds
	local file=$1
	shift
	tcpdump -nr "$file" "$@" 2>/dev/null | wc -l
}

captured() { # LEAST FILE [FILTER…]
	local least=$1
	shift
	at_least "$(frames "$@")" "$least"
}

add_namespace() { # NAME: ours, and deleted by delete_namespaces; other people's stay as they are
	ip netns add "$1" && namespaces+=("$1") && ip -n "$1" link set lo up
}

delete_namespaces() {
	local ns
	for ns in ${namespaces[@]+"${namespaces[@]}"}; do
		[ -e "/run/netns/$ns" ] || continue
		ip netns pids "$ns" | xargs -r kill -KILL
		ip netns del "$ns"
	done
	namespaces=()
}
