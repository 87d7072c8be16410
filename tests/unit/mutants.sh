#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# mutants.sh [PATTERN]: do the unit tests notice broken promises? Plants each fault of mutants.txt (those whose line
# matches PATTERN) in a copy of the sources, and demands that the test program named there fails.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=tests/lib/lane.sh
. "$top/tests/lib/lane.sh"
out=$top/build/mutants
pattern=${1:-.}

# Objects stay where they are: only what differs is copied, and compiled again. A file that a fault was taken out
# of differs no more, but is newer than what was made of it.
refresh() {
	local f
	(cd "$top" && find Makefile daemon tools include Documentation tests/{unit,vectors,lib,fuzz} -type f) | while read -r f; do
		cmp -s "$top/$f" "$out/$f" && continue
		mkdir -p "$(dirname "$out/$f")"
		cp "$top/$f" "$out/$f"
	done
	build unit-tests
}

build() { # TARGET: faults leave things unused, which is no error here
	"${MAKE:-make}" -C "$out" --no-print-directory -s -j"$(nproc)" CFLAGS=-Wno-error "$@" >"$out/build.log" 2>&1
}

# Until its first failure; a test that waits for what never comes has a minute for each.
# Return: 0 passed, 1 failed or died, 124 neither within ten minutes.
judge() { # TEST
	local log=$out/$1.log status
	: >"$log"
	(cd "$out" && TMPDIR=$scratch exec timeout 600 "build/userspace/gcc/tests/unit/$1") 2>&1 | tee "$log" |
		grep -m 1 -q '^\[  FAILED'
	status=("${PIPESTATUS[@]}")
	[ "${status[2]}" != 0 ] || return 1
	case ${status[0]} in 0 | 124) return "${status[0]}" ;; esac
	return 1
}

# try FILE SED TEST: why the fault went unnoticed, or nothing
try() {
	cp "$out/$1" "$out/original"
	sed "$2" "$out/original" >"$out/$1"
	if cmp -s "$out/original" "$out/$1"; then
		echo "changes nothing"
	elif ! build "build/userspace/gcc/tests/unit/$3"; then
		echo "does not compile, see $out/build.log"
	else
		judge "$3"
		case $? in
		0) echo "not noticed by $3" ;;
		124) echo "$3 neither passed nor failed within ten minutes" ;;
		esac
	fi
	cp "$out/original" "$out/$1"
}

trim() {
	sed 's/^ *//; s/ *$//'
}

scratch=$(mktemp -d)
chmod 711 "$scratch"
trap 'rm -rf "$scratch"' EXIT
refresh || { tail -n 20 "$out/build.log"; exit 1; }
while IFS= read -r line; do
	promise=$(cut -d'|' -f1 <<<"$line" | trim)
	file=$(cut -d'|' -f2 <<<"$line" | trim)
	program=$(rev <<<"$line" | cut -d'|' -f1 | rev | trim)
	script=${line#*|}
	script=${script#*|}
	script=$(trim <<<"${script%|*}")
	why=$(try "$file" "$script" "$program")
	if [ -z "$why" ]; then
		lane_add 1 0 0
		echo "noticed $promise $file: $(grep -m1 -oE 'FAILED *\] [a-z_0-9]+|Segmentation|Aborted|Timeout' "$out/$program.log" | sed 's/.* //')"
	else
		lane_add 0 1 0
		echo "FAILED  $promise $file: $script: $why"
	fi
done < <(grep -vE '^(#|$)' "$here/mutants.txt" | grep -E -- "$pattern")
lane_end mutants
