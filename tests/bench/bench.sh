#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh [--smoke|--growth]: akm beside its peers on one User-Mode Linux CPU at native speed.
#
#	BASE=<commit>	two builds of akm.ko in turns, with the few peers that show the scale
#	REPS=5 MS=100	repetitions, and milliseconds of processor time of each measurement
#	TESTS=… KINDS=…	only these, see summary.py. Tests beside the usual ones: ktcp1, ktcp4,
#			TCP from inside the kernel, which a busy machine disturbs less
#
# Results: build/bench/summary.json, performance.svg, and the table on standard output.
# If the peers stray from their known ratios the machine was noisy, and the tests
# concerned are done again, at most twice. --smoke runs everything once, shortly, and
# judges only that there are figures (in build/bench/smoke); last line "lane bench: N passed, …".
# --growth measures the control path alone, with MEMBERS="10 100 1000 10000" members: build/bench/growth.json,
# growth.svg, a table, and "lane growth: N passed, …" of what growth.py claims.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
out=${AKM_BENCH_OUT:-$top/build/bench}
# shellcheck source=tests/lib/lane.sh
. "$top/tests/lib/lane.sh"
all_tests="tcp1 tcp4 udp64 udp512 udp1400 rtt group4 group64"
all_kinds="plain vxlan wireguard macsec256 esp-transport esp-tunnel akm-aes256gcm akm-chacha20poly1305"
smoke='' growth=''
case ${1:-} in
--smoke) smoke=1 ;;
--growth) growth=1 ;;
esac

say() {
	echo "bench: $*" >&2
}

die() {
	say "$*"
	exit 1
}

# build_in TREE NAME: akm.ko and akmctl of the sources TREE in $out/NAME
build_in() {
	local dir=$out/$2
	mkdir -p "$dir/module"
	cp -au "$1/Kbuild" "$1/kernel" "$1/include" "$dir/module/"
	if ! {
		make -C "$kernel" ARCH=um M="$dir/module" modules &&
			make -C "$1" --no-print-directory CC=gcc tools
	} >"$dir/build.log" 2>&1; then
		tail -n 20 "$dir/build.log" >&2
		die "$2 does not build, see $dir/build.log"
	fi
	cp "$dir/module/akm.ko" "$1/build/userspace/gcc/akmctl" "$dir/"
}

build_ubench() {
	mkdir -p "$out/ubench"
	cp -u "$here/Kbuild" "$here/ubench.c" "$here/weight.c" "$out/ubench/"
	make -C "$kernel" ARCH=um M="$out/ubench" modules >"$out/ubench/build.log" 2>&1 ||
		{ tail -n 20 "$out/ubench/build.log" >&2; die "ubench.ko does not build"; }
}

build_growth() {
	mkdir -p "$out/growth"
	make -C "$top" --no-print-directory CC=gcc build/userspace/gcc/tests/bench/growth >"$out/growth/build.log" 2>&1 ||
		{ tail -n 20 "$out/growth/build.log" >&2; die "growth does not build"; }
	cp "$top/build/userspace/gcc/tests/bench/growth" "$out/growth/"
}

build_base() {
	local tree=$out/base/tree commit
	commit=$(git -C "$top" rev-parse --verify --quiet "$BASE^{commit}") || die "no such commit: $BASE"
	if [ "$(cat "$out/base/commit" 2>/dev/null)" != "$commit" ]; then
		rm -rf "$out/base"
		mkdir -p "$tree"
		git -C "$top" archive "$commit" | tar -x -C "$tree"
	fi
	build_in "$tree" base
	echo "$commit" >"$out/base/commit"
}

colons() {
	tr ' ' ':' <<<"$*"
}

# boot_init LOG INIT WORDS…: one machine
boot_init() {
	local log=$1 init=$2
	shift 2
	UML_TIMEOUT=${UML_TIMEOUT:-1800} UML_MEM=${UML_MEM:-1024M} "$top/tests/uml/run.sh" "$kernel" \
		"$here/$init" akm_top="$top" akm_out="$out" "$@" >"$log" 2>&1 9>&- || true
	grep -aE '^akm-(bench|growth): broken|Kernel panic|BUG:' "$log" >&2 || true
	grep -qaE '^akm-(bench|growth): (end )?complete' "$log"
}

# boot LOG TEST…: one machine that does these tests
boot() {
	local log=$1
	shift
	boot_init "$log" bench-init.sh akm_reps="$reps" akm_ms="$ms" akm_slices="$slices" akm_bytes="$bytes" \
		akm_tests="$(colons "$@")" akm_kinds="$(colons "$kinds")" akm_builds="$(colons "$builds")"
}

boot_growth() { # LOG MEMBERS…
	local log=$1
	shift
	boot_init "$log" growth-init.sh akm_reps="$reps" akm_members="$(colons "$@")"
}

# A signal frame with AVX-512 state now and then finds UML's signal stack full, and
# the host kills it: such a machine, which said nothing before its end, is tried again.
boot_again() { # boot or boot_growth, and its arguments
	local attempt
	for attempt in 1 2 3; do
		"$@" && return
		! grep -qaE '^akm-(bench|growth): (broken|end)|Kernel panic|BUG:' "$2" || break
		say "the machine disappeared ($attempt)"
	done
	die "the machine did not come to its end, see $2"
}

measure() {
	local again attempt
	boot_again boot "$results/console-1.log" "${tests[@]}"
	logs=("$results/console-1.log")
	for attempt in 2 3; do
		[ -z "$smoke" ] || return 0
		read -ra again < <("$here/summary.py" --noisy "${logs[@]}")
		[ ${#again[@]} -gt 0 ] || return 0
		say "noisy, the peers stray from what is known of them; again: ${again[*]}"
		boot_again boot "$results/console-$attempt.log" "${again[@]}"
		logs+=("$results/console-$attempt.log")
	done
}

judge() { # lines "passed …", "failed …"
	local outcome what
	while read -r outcome what; do
		if [ "$outcome" = passed ]; then
			lane_add 1 0 0
		else
			lane_add 0 1 0
			echo "failed  $what"
		fi
	done
}

measure_growth() {
	local verdict members
	read -ra members <<<"${MEMBERS:-10 100 1000 10000}"
	[ -z "$smoke" ] || members=(10 100)
	build_growth
	boot_again boot_growth "$results/growth.log" "${members[@]}"
	verdict=$("$here/growth.py" --json "$results/growth.json" --svg "$results/growth.svg" \
		--verdict "$(colons "${members[@]}")" "$results/growth.log")
	grep -vE '^(passed|failed) ' <<<"$verdict"
	judge < <(grep -E '^(passed|failed) ' <<<"$verdict")
}

judge_smoke() {
	local verdict text
	if text=$("$here/summary_test.py" 2>&1); then
		lane_add 1 0 0
	else
		lane_add 0 1 0
		echo "$text"
	fi
	verdict=$("$here/summary.py" --smoke "$(colons "${tests[@]}")" "$(colons "$kinds")" "${logs[@]}") || true
	judge <<<"$verdict"
	measure_growth
	lane_end bench
}

read -ra tests <<<"${TESTS:-$all_tests}"
reps=${REPS:-5} ms=${MS:-100} slices=3 bytes='' results=$out
kinds=${KINDS:-$all_kinds} builds=new
[ -z "$smoke" ] || { reps=1 ms=20 slices=1 bytes=2M results=$out/smoke; }
export PYTHONPYCACHEPREFIX=$out/pycache
[ ! -d /usr/lib/ccache ] || export PATH=/usr/lib/ccache:$PATH
mkdir -p "$results"
exec 9>"$out/lock"
flock -n 9 || { say "waiting for another run"; flock 9; }
kernel=$("$top/tests/uml/build-kernel.sh" plain)
build_ubench
build_in "$top" new
if [ -n "$growth" ]; then
	measure_growth
	lane_end growth
	exit
fi
if [ -n "${BASE:-}" ]; then
	build_base
	builds="new base"
	kinds=${KINDS:-vxlan wireguard akm-aes256gcm akm-chacha20poly1305}
	read -ra tests <<<"${TESTS:-tcp1 ktcp1 udp64 udp512 udp1400 rtt group4}"
fi
measure
"$here/summary.py" --json "$results/summary.json" --svg "$results/performance.svg" "${logs[@]}"
[ -z "$smoke" ] || judge_smoke
