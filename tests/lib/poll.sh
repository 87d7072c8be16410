# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Waiting for an event, never for the clock.

now_ms() {
	echo $((${EPOCHREALTIME/[.,]/} / 1000))
}

quiet() {
	"$@" >/dev/null 2>&1
}

not() {
	! "$@"
}

# within SECONDS COMMAND…: tries COMMAND every 50 ms until it succeeds; status 1 if it has not by then.
# Shows what the last try said.
within() {
	local end=$(($(now_ms) + $1 * 1000)) out
	shift
	while ! out=$("$@" 2>&1); do
		if [ "$(now_ms)" -ge "$end" ]; then
			[ -z "$out" ] || echo "$out"
			return 1
		fi
		sleep 0.05
	done
	[ -z "$out" ] || echo "$out"
}
