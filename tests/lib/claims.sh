# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Claims: a sentence, and the command that proves it. A failed one is shown with what the command said, and
# the script goes on; claims_done ends it.

claims_ok=0 claims_failed=0
claims_output=$(mktemp)

say() {
	printf '%s\n' "$*"
}

# Overridden by who wants to keep a record: OUTCOME SENTENCE OUTPUT, after each claim.
claim_record() {
	:
}

claims_show() { # N TEXT: its first N lines, or its last -N, each behind a bar
	local -a lines
	[ -n "$2" ] || return 0
	mapfile -t lines <<<"$2"
	if [ "$1" -lt 0 ]; then
		[ "${#lines[@]}" -le $((-$1)) ] || lines=("${lines[@]: $1}")
	else
		lines=("${lines[@]:0:$1}")
	fi
	[ "${#lines[@]}" = 0 ] || printf '        | %s\n' "${lines[@]}"
}

# COMMAND runs in this very shell: what it starts and sets stays. With evidence=N set, the first N lines of what it
# said are shown as well.
claim() { # SENTENCE COMMAND…
	local sentence=$1 out holds=1
	shift
	"$@" >"$claims_output" 2>&1 || holds=''
	out=$(<"$claims_output")
	if [ -n "$holds" ]; then
		claims_ok=$((claims_ok + 1))
		say "  ok    $sentence"
		claims_show "${evidence:-0}" "$out"
		claim_record ok "$sentence" "$out"
	else
		claims_failed=$((claims_failed + 1))
		say "  FAIL  $sentence"
		say "        command: $*"
		claims_show -15 "$out"
		claim_record failed "$sentence" "$out"
	fi
}

need() { # SENTENCE COMMAND…: a claim without which going on makes no sense
	local before=$claims_failed
	claim "$@"
	[ "$claims_failed" = "$before" ] || exit 1
}

refused() { # PATTERN COMMAND…: COMMAND must fail, and say why in words that match PATTERN (extended, any case)
	local pattern=$1 out
	shift
	if out=$("$@" 2>&1); then
		echo "this was not refused: $out"
		return 1
	fi
	grep -qiE -- "$pattern" <<<"$out" || { echo "refused, but the reason says: $out"; return 1; }
	printf '%s\n' "$out"
}

shows() { # PATTERN: passes standard input on; one of its lines must match
	local line found=1
	while IFS= read -r line || [ -n "$line" ]; do
		printf '%s\n' "$line"
		[[ $line =~ $1 ]] && found=0
	done
	return "$found"
}

equal() { # ACTUAL EXPECTED
	[ "$1" = "$2" ] && return
	echo "is '$1', not '$2'"
	return 1
}

at_least() { # ACTUAL LEAST
	[ "$1" -ge "$2" ] && return
	echo "is $1, less than $2"
	return 1
}

at_most() { # ACTUAL MOST
	[ "$1" -le "$2" ] && return
	echo "is $1, more than $2"
	return 1
}

claims_done() {
	rm -f "$claims_output" "${poll_output:-}"
	[ "$claims_failed" = 0 ] && [ "$claims_ok" -gt 0 ]
}
