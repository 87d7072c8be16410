#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# spread.sh: whether "spread" pays: one flow whose sealing is handed to several processors, against the same
# without. Measured twice:
#
#	native		User-Mode Linux, one processor at native speed: what sending costs with and
#			without sealing, what is copied, and what handing over costs
#	parallel	a kernel with two processors in QEMU, each on a processor of the host, at the
#			same time; ciphers are emulated far too dear, so weight.c stands for them, with
#			the part of the whole that "native" found
#
#	REPS=5 MS=400	pairs of measurements, off and on by turns, and milliseconds of each
#	SWEEP=500,…	further weights, per mille of what sending costs without sealing
#	SMP=2		processors of the parallel machine; as many of the host are needed, idle
#
# Results: build/bench/spread.json, and the tables on standard output; last line "lane spread: N passed, ...": what
# is claimed is order, that nothing is dropped, that others seal, and that sending alone is faster. Some ten
# minutes; the first time, the kernel is built as well. It needs qemu-system-x86 and linux-source-6.1.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
out=${AKM_BENCH_OUT:-$top/build/bench}/spread
reps=${REPS:-5} ms=${MS:-400} sweep=${SWEEP:-500} smp=${SMP:-2}
# shellcheck source=tests/lib/lane.sh
. "$top/tests/lib/lane.sh"
# shellcheck source=tests/lib/poll.sh
. "$top/tests/lib/poll.sh"

die() {
	echo "spread: $*" >&2
	exit 1
}

command -v qemu-system-x86_64 >/dev/null || die "qemu-system-x86_64 is not installed: run 'make deps'"
[ "$(nproc)" -ge "$smp" ] || die "$smp processors are needed, that nothing else uses; here are $(nproc)"

# build_in NAME KERNEL ARCH: the modules and akmctl for that kernel in $out/NAME
build_in() {
	local dir=$out/$1
	mkdir -p "$dir/new/module" "$dir/ubench"
	cp -au "$top/Kbuild" "$top/kernel" "$top/include" "$dir/new/module/"
	cp -u "$here/Kbuild" "$here/ubench.c" "$here/weight.c" "$dir/ubench/"
	if ! {
		make -C "$2" ARCH="$3" M="$dir/new/module" modules &&
			make -C "$2" ARCH="$3" M="$dir/ubench" modules &&
			make -C "$top" --no-print-directory CC=gcc tools
	} >"$dir/build.log" 2>&1; then
		tail -n 20 "$dir/build.log" >&2
		die "$1 does not build, see $dir/build.log"
	fi
	cp "$dir/new/module/akm.ko" "$top/build/userspace/gcc/akmctl" "$dir/new/"
}

# Each emulated processor on one of the host. Return: false: they are not all there yet.
pin() { # PID
	local task name n found=0
	for task in "/proc/$1/task"/*; do
		read -r name <"$task/comm" || return
		[[ $name = CPU*TCG ]] || continue
		n=${name#CPU }
		taskset -p -c "${n%%/*}" "${task##*/}" >/dev/null && found=$((found + 1))
	done
	[ "$found" = "$smp" ]
}

# The root is this machine's own, read-only, over 9p. JUMP_LABEL is off in this kernel: see smp.config. The
# processors' clock is the host's; what it ticks at cannot be measured in this type of machine, and without it a
# tick of the timer would be the shortest time. Only ratios matter, so it need not be exact.
emulate() { # BZIMAGE WORDS…
	local bzimage=$1 khz
	shift
	khz=$(awk '/^cpu MHz/ { printf "%d", $4 * 1000; exit }' /proc/cpuinfo)
	timeout --foreground --kill-after=5 "${VM_TIMEOUT:-1800}" qemu-system-x86_64 -cpu max -smp "$smp" -m 1024 \
		-M microvm,acpi=off,pit=on,pic=on,rtc=on,isa-serial=on -accel tcg,thread=multi -name spread,debug-threads=on \
		-display none -no-reboot -nodefaults -serial stdio -kernel "$bzimage" \
		-fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap \
		-device virtio-9p-device,fsdev=root,mount_tag=root \
		-append "console=ttyS0 root=root rootfstype=9p ro mitigations=off panic=-1 reboot=t quiet tsc=reliable \
tsc_early_khz=${khz:-2500000} rootflags=trans=virtio,version=9p2000.L,cache=loose,msize=512000 \
init=$here/spread-init.sh $*" </dev/null 2>&1 &
	within 10 pin_child $! || die "the machine does not begin"
	wait $! || true
}

pin_child() { # PID of timeout
	local pid
	pid=$(pgrep -P "$1") && pin "$pid"
}

complete() { # LOG
	grep -aE '^akm-spread: broken|^akm-bench: broken|Kernel panic|BUG:|Oops' "$1" >&2 || true
	grep -qa '^akm-bench: end complete' "$1" || die "the machine did not come to its end, see $1"
}

# weight.c is no cipher, and would not pass as one
words=(akm_top="$top" akm_reps="$reps" akm_ms="$ms" cryptomgr.notests=1)
[ ! -d /usr/lib/ccache ] || export PATH=/usr/lib/ccache:$PATH
export PYTHONPYCACHEPREFIX=${out%/*}/pycache
mkdir -p "$out"
exec 9>"$out/lock"
flock -n 9 || { echo "spread: waiting for another run" >&2; flock 9; }
uml=$("$top/tests/uml/build-kernel.sh" plain)
kernel=$("$top/tests/uml/build-kernel.sh" smp)
build_in native "$uml" um
build_in parallel "$kernel" x86_64

UML_TIMEOUT=${UML_TIMEOUT:-600} UML_MEM=512M "$top/tests/uml/run.sh" "$uml" "$here/spread-init.sh" "${words[@]}" \
	akm_out="$out/native" >"$out/native.log" 2>&1 9>&- || true
complete "$out/native.log"
shares=$("$here/spread.py" --shares "$out/native.log")
emulate "$kernel/arch/x86/boot/bzImage" "${words[@]}" akm_out="$out/parallel" akm_share="$shares" akm_sweep="$sweep" \
	>"$out/parallel.log" 9>&-
complete "$out/parallel.log"

verdict=$("$here/spread.py" --json "${out%/*}/spread.json" "$out/native.log" "$out/parallel.log")
grep -vE '^(passed|failed) ' <<<"$verdict"
while read -r outcome what; do
	if [ "$outcome" = passed ]; then
		lane_add 1 0 0
	else
		lane_add 0 1 0
		echo "failed  $what"
	fi
done < <(grep -E '^(passed|failed) ' <<<"$verdict")
lane_end spread
