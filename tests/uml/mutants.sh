#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mutants.sh [PATTERN]: do the KUnit suites, the kernel scenarios and the short lives notice faults?
# Plants each fault of tests/kunit/mutants.txt (those whose line matches PATTERN)
# in a copy, runs the suites, the scenario or the life, and demands that the one named there
# fails.
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

# Objects stay where they are: only what a fault touches is compiled again. The
# suites' module includes sources, so the scenarios' has a tree of its own.
refresh() {
	mkdir -p "$out/akm"
	cp -ru --preserve=timestamps "$top/kernel" "$top/include" "$top"/tests/kunit/* "$out/"
	cp -ru --preserve=timestamps "$top/kernel" "$top/include" "$top/Kbuild" "$out/akm/"
	cp -ru --preserve=timestamps "$top/tests/vm/later" "$top/tests/vm/beat" "$out/akm/"
}

# plant TREE FILE SED: the fault must change the file
plant() {
	sed "$3" "$top/$2" >"$1/$2"
	! cmp -s "$top/$2" "$1/$2"
}

unplant() { # FILE
	cp "$top/$1" "$out/$1"
	cp "$top/$1" "$out/akm/$1"
}

build() { # TREE
	make -C "$kernel" ARCH=um M="$1" -j"$(nproc)" modules >"$out/build.log" 2>&1
}

run_suites() {
	UML_TIMEOUT=60 "$here/run.sh" "$kernel" "$here/kunit-init.sh" \
		akm_modules="$out/akm_test.ko" >"$out/console.log" 2>&1 || true
	"$here/ktap.py" "${wanted[@]}" <"$out/console.log" >"$out/verdict" || true
}

# try_suite FILE SED SUITE: why the fault went unnoticed, or nothing
try_suite() {
	plant "$out" "$1" "$2" || { echo "changes nothing"; return; }
	build "$out" || { echo "does not compile"; return; }
	run_suites
	grep -qE "^failed +(suite )?$3\b" "$out/verdict" || echo "not noticed by $3"
}

# try_scenario FILE SED NAME [LIFE]
try_scenario() {
	plant "$out/akm" "$1" "$2" || { echo "changes nothing"; return; }
	build "$out/akm" || { echo "does not compile"; return; }
	! LIFE=${4:-} AKM_MODULE=$out/akm/akm.ko NONCE_PACKETS=50000 "$here/scenarios.sh" plain "$3" >"$out/verdict" 2>&1 ||
		echo "not noticed by $3"
}

trim() {
	sed 's/^ *//; s/ *$//'
}

# What failed first, for who wants to judge whether it is what should have
first_words() { # KIND
	case $1 in
	scenario* | life*) grep -m 1 -oE 'FAIL .*|Kernel panic.*|(BUG|WARNING): .*|did not end' "$out/verdict" ;;
	*) grep -m 1 '^failed' "$out/verdict" ;;
	esac
}

refresh
build "$out/akm/later"
build "$out/akm/beat"
while IFS= read -r line; do
	file=$(cut -d'|' -f1 <<<"$line" | trim)
	suite=$(rev <<<"$line" | cut -d'|' -f1 | rev | trim)
	script=${line#*|}
	script=$(trim <<<"${script%|*}")
	case $suite in
	scenario*) why=$(try_scenario "$file" "$script" "${suite#scenario }") ;;
	life*) why=$(try_scenario "$file" "$script" "${suite#life }" short) ;;
	*) why=$(try_suite "$file" "$script" "$suite") ;;
	esac
	unplant "$file"
	if [ -z "$why" ]; then
		lane_add 1 0 0
		echo "noticed $file: $script: $(first_words "$suite")"
	else
		lane_add 0 1 0
		echo "FAILED  $file: $script: $why"
	fi
done < <(grep -vE '^(#|$)' "$top/tests/kunit/mutants.txt" | grep -E -- "$pattern")
lane_end mutants
