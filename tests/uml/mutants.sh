#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mutants.sh [PATTERN]: do the KUnit suites notice faults? Plants each fault of
# tests/kunit/mutants.txt (those whose line matches PATTERN) in a copy, runs the
# suites, and demands that the suite named there fails.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/uml/mutants
pattern=${1:-.}
[ ! -d /usr/lib/ccache ] || export PATH=/usr/lib/ccache:$PATH
# shellcheck source=tests/lib/lane.sh
. "$top/tests/lib/lane.sh"

kernel=$("$here/build-kernel.sh")
mapfile -t wanted < <(grep -hoP '^\t\.name = "\K[^"]+' "$top"/tests/kunit/*_test.c)

# Objects stay where they are: only what a fault touches is compiled again.
refresh() {
	mkdir -p "$out"
	cp -ru --preserve=timestamps "$top/kernel" "$top/include" "$top"/tests/kunit/* "$out/"
}

# plant FILE SED: the fault must change the file
plant() {
	sed "$2" "$top/$1" >"$out/$1"
	! cmp -s "$top/$1" "$out/$1"
}

unplant() {
	cp "$top/$1" "$out/$1"
}

run() {
	make -C "$kernel" ARCH=um M="$out" -j"$(nproc)" modules >"$out/build.log" 2>&1 || return
	UML_TIMEOUT=60 "$here/run.sh" "$kernel" "$here/kunit-init.sh" \
		akm_modules="$out/akm_test.ko" >"$out/console.log" 2>&1 || true
	"$here/ktap.py" "${wanted[@]}" <"$out/console.log" >"$out/verdict" || true
}

# try FILE SED SUITE: why the fault went unnoticed, or nothing
try() {
	plant "$1" "$2" || { echo "changes nothing"; return; }
	if ! run; then
		echo "does not compile"
	elif ! grep -qE "^failed +(suite )?$3\b" "$out/verdict"; then
		echo "not noticed by $3"
	fi
}

trim() {
	sed 's/^ *//; s/ *$//'
}

refresh
while IFS= read -r line; do
	file=$(cut -d'|' -f1 <<<"$line" | trim)
	suite=$(rev <<<"$line" | cut -d'|' -f1 | rev | trim)
	script=${line#*|}
	script=$(trim <<<"${script%|*}")
	why=$(try "$file" "$script" "$suite")
	unplant "$file"
	if [ -z "$why" ]; then
		lane_add 1 0 0
		echo "noticed $file: $script"
	else
		lane_add 0 1 0
		echo "FAILED  $file: $script: $why"
	fi
done < <(grep -vE '^(#|$)' "$top/tests/kunit/mutants.txt" | grep -E -- "$pattern")
lane_end mutants
