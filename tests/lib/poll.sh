# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Waiting for an event, never for the clock. An emulated machine takes a tenth of a second to start a process, so
# what runs often keeps to the shell's own means.

now_ms() {
	echo $((${EPOCHREALTIME/[.,]/} / 1000))
}

quiet() {
	"$@" >/dev/null 2>&1
}

not() {
	! "$@"
}

poll_output=$(mktemp)
# Waits without a process: nobody ever writes to this pipe.
exec {poll_pipe}<> <(:)

doze() { # SECONDS
	read -r -t "$1" -u "$poll_pipe" _ || true
}

# within SECONDS COMMAND…: tries COMMAND until it succeeds; status 1 if it has not by then. COMMAND runs in this very
# shell: what it sets stays. Shows what the last try said. Between tries it leaves the machine alone for 50 ms, or as
# long as the try took: what is waited for needs the processor as well.
within() {
	local deadline=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000)) begin took status=0
	shift
	while :; do
		begin=${EPOCHREALTIME/[.,]/}
		"$@" >"$poll_output" 2>&1 && break
		if [ "${EPOCHREALTIME/[.,]/}" -ge "$deadline" ]; then
			status=1
			break
		fi
		took=$((${EPOCHREALTIME/[.,]/} - begin))
		[ "$took" -ge 50000 ] || took=50000
		printf -v took '%d.%06d' $((took / 1000000)) $((took % 1000000))
		doze "$took"
	done
	[ ! -s "$poll_output" ] || cat "$poll_output"
	return "$status"
}
