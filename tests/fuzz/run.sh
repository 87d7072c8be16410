#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run.sh [TARGET…]: builds the fuzz targets with clang's libFuzzer, address and undefined behaviour
# sanitizers, and runs each for FUZZ_SECONDS (default 10) on a corpus that stays under build/fuzz,
# as many at a time as there are processors. The last line is the lane's. An input that breaks a
# target is kept as build/fuzz/crash/TARGET-….
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/lane.sh
. tests/lib/lane.sh

seconds=${FUZZ_SECONDS:-10}
cc=clang-14
san=fuzzer-no-link,address,undefined
objects=build/userspace/$cc-${san//,/-}
out=build/fuzz
# shellcheck disable=SC2016 # for make to expand
libs=$(${MAKE:-make} -s --no-print-directory --eval='libs: ; @echo $(LIB_LDLIBS)' libs)
all=(tests/fuzz/fuzz_*.c)
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=("${all[@]}")
mkdir -p "$out/bin" "$out/crash" "$out/log" "$out/seed"

build_objects() {
	local list=("$objects/libakmd.a" "$objects/tests/fuzz/seeds.o" "$objects/tests/unit/support_sample.o") t
	for t in "${targets[@]}"; do
		list+=("$objects/tests/fuzz/$(basename "$t" .c).o")
	done
	${MAKE:-make} --no-print-directory -s -j"$(nproc)" CC="$cc" SAN="$san" "${list[@]}"
}

link() { # NAME SANITIZERS OBJECT…
	local name=$1 with=$2
	shift 2
	# shellcheck disable=SC2086 # a list of options
	"$cc" -fsanitize="$with" -o "$out/bin/$name" "$@" "$objects/libakmd.a" $libs -lm -lutil
}

# -timeout is for an input that never ends, on a machine that is busy with other things as well.
fuzz() { # NAME: its log and exit status go to $out/log
	local log=$out/log/$1.log corpora=("$out/corpus/$1" "$out/seed/$1" "tests/fuzz/corpus/${1#fuzz_}")
	mkdir -p "${corpora[@]:0:2}"
	[ -d "${corpora[2]}" ] || corpora=("${corpora[@]:0:2}")
	"$out/bin/$1" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -print_final_stats=1 -max_len=8192 \
		-artifact_prefix="$out/crash/$1-" "${corpora[@]}" >"$log" 2>&1
	echo $? >"$out/log/$1.status"
}

judge() { # NAME
	local log=$out/log/$1.log executed found status
	status=$(cat "$out/log/$1.status")
	executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	found=$(find "$out/corpus/$1" -type f | wc -l)
	# A target that ran a handful of inputs has tried nothing.
	if [ "$status" = 0 ] && [ "${executed:-0}" -ge 100 ]; then
		lane_add 1 0 0
		echo "ok    $1: $executed inputs, corpus $found"
	else
		lane_add 0 1 0
		echo "FAIL  $1: exit status $status after ${executed:-0} inputs"
		tail -n 40 "$log" | sed 's/^/      /'
	fi
}

run_targets() { # NAME…
	local name running=0
	for name; do
		rm -f "$out/log/$name".{log,status}
		[ "$running" -lt "$(nproc)" ] || { wait -n; running=$((running - 1)); }
		fuzz "$name" &
		running=$((running + 1))
	done
	wait
	for name; do
		judge "$name"
	done
}

if ! command -v "$cc" >/dev/null; then
	echo "$cc is not installed: make deps"
	lane_add 0 1 0
elif ! build_objects || ! link seeds address,undefined,fuzzer-no-link "$objects/tests/fuzz/seeds.o" \
		"$objects/tests/unit/support_sample.o" || ! "$out/bin/seeds" "$out/seed"; then
	echo "FAIL  the targets do not build"
	lane_add 0 1 0
else
	linked=()
	for target in "${targets[@]}"; do
		name=$(basename "$target" .c)
		if link "$name" fuzzer,address,undefined "$objects/tests/fuzz/$name.o"; then
			linked+=("$name")
		else
			echo "FAIL  $name does not link"
			lane_add 0 1 0
		fi
	done
	run_targets "${linked[@]}"
fi
lane_end fuzz
