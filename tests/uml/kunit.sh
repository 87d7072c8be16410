#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Lanes "kunit" and "kunit-debug": the module's KUnit suites on a User-Mode Linux kernel.
#
#   kunit.sh [--build-only] [plain|debug]
#
# Builds akm.ko, akm_test.ko and the scenarios' akm_later.ko and akm_beat.ko in build/uml/ (the source
# tree stays clean), boots, judges. Last line: "lane kunit: N passed, N failed, N
# skipped"; exit status 1 if anything failed. "debug" is the same under KASAN, UBSAN
# and lockdep, whose complaints are failures as well.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
build_only=
[ "${1:-}" != --build-only ] || { build_only=1; shift; }
variant=${1:-plain}
lane=kunit
[ "$variant" = plain ] || lane=kunit-$variant
out=${AKM_UML_OUT:-$top/build/uml}/$variant

finish() {
	echo "lane $lane: $1 passed, $2 failed, $3 skipped"
	[ "$2" -eq 0 ] && exit 0
	exit 1
}

broken() {
	echo "failed  $*"
	finish 0 1 0
}

# A tree of links: objects land beside the links, edits are seen at once.
link_tree() {
	local to=$1
	shift
	mkdir -p "$to"
	find "$to" -xtype l -delete
	cp -rs --remove-destination "$@" "$to/"
}

build_modules() {
	local kernel=$1 dir
	link_tree "$out/akm" "$top/Kbuild" "$top/kernel" "$top/include"
	link_tree "$out/test" "$top/kernel" "$top/include" "$top"/tests/kunit/*
	link_tree "$out/akm/later" "$top"/tests/vm/later/*
	link_tree "$out/akm/beat" "$top"/tests/vm/beat/*
	[ ! -d /usr/lib/ccache ] || export PATH=/usr/lib/ccache:$PATH
	for dir in akm test akm/later akm/beat; do
		make -C "$kernel" ARCH=um M="$out/$dir" -j"${JOBS:-$(nproc)}" modules || return
	done
}

# The suites there must be: as the sources name them
suites() {
	grep -hoP '^\t\.name = "\K[^"]+' "$top"/tests/kunit/*_test.c
}

kernel=$("$here/build-kernel.sh" "$variant") || broken "the UML kernel does not build"
mkdir -p "$out"
# the lanes that use one kernel build the same modules, perhaps at the same time
exec 8>"$out/.build"
flock 8
build_modules "$kernel" >"$out/build.log" 2>&1 || {
	grep -E 'error|Error|undefined' "$out/build.log" || tail -n 20 "$out/build.log"
	broken "the modules do not build, see $out/build.log"
}
exec 8>&-
[ -z "$build_only" ] || exit 0
"$here/run.sh" "$kernel" "$here/kunit-init.sh" \
	akm_modules="$out/akm/akm.ko:$out/test/akm_test.ko" >"$out/console.log" 2>&1 || true
mapfile -t wanted < <(suites)
verdict=$("$here/ktap.py" "${wanted[@]}" <"$out/console.log") || true
head -n -1 <<<"$verdict"
read -r passed failed skipped < <(tail -n 1 <<<"$verdict")
[ "$failed" -eq 0 ] || echo "console: $out/console.log"
finish "$passed" "$failed" "$skipped"
