#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run.sh [-i] [-t SECONDS] [-o DIR] SERIES SCRIPT [ARG…]
#
# Boots Debian's own kernel of that series (6.1, 6.12, or a full release) in QEMU, with this machine's root
# directory underneath a tmpfs, and runs SCRIPT in it as root. Nothing of this machine can be written to but
# DIR (default build/vm/SERIES), which SCRIPT sees as $RESULTS. The console goes to standard output as it
# comes, and to DIR/console.log. The exit status is SCRIPT's; 124 if it took longer than SECONDS (default
# 900); 125 if the kernel died or complained (BUG, WARNING, a lockup).
#   -i   interactive: the terminal becomes the machine's console
# Uses KVM where it works, else emulation. MEM (MiB) and SMP from the environment.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)

usage() { sed -n '3,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }

interactive='' seconds=900 results=''
while getopts it:o: option; do
	case $option in
	i) interactive=1 ;;
	t) seconds=$OPTARG ;;
	o) results=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 2 ] || usage
series=$1 script=$(realpath "$2")
shift 2
results=${results:-$top/build/vm/$series}
mkdir -p "$results"
results=$(realpath "$results")
rm -f "$results"/status "$results"/complaints

release=$series
[ -e "/boot/vmlinuz-$series" ] || release=$("$top/tests/lib/kernels.sh" find "$series")
for need in qemu-system-x86_64 busybox cpio modprobe; do
	command -v "$need" >/dev/null || { echo "'$need' is not installed: run 'make deps'" >&2; exit 1; }
done
[ -r "/boot/vmlinuz-$release" ] || { echo "/boot/vmlinuz-$release cannot be read: run this as root" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The modules that the root directory needs, in the order in which they must be loaded.
module_files() {
	local m
	for m in virtio_pci 9pnet_virtio 9p overlay virtio_rng; do
		modprobe -S "$release" --show-depends "$m" 2>/dev/null
	done | awk '$1 == "insmod" && !seen[$2]++ {print $2}'
}

make_initrd() {
	local n=100 file name
	mkdir -p "$work/root/bin" "$work/root/mod"
	cp "$(command -v busybox)" "$work/root/bin/busybox"
	while read -r file; do
		name=$n-$(basename "$file")
		case $file in
		*.xz) xz -dc "$file" >"$work/root/mod/${name%.xz}" ;;
		*) cp "$file" "$work/root/mod/$name" ;;
		esac
		n=$((n + 1))
	done < <(module_files)
	printf -v command ' %q' "$here/guest.sh" "$script" "$@"
	sed "s|@COMMAND@|${command//&/\\&}|" "$here/initrd-init.sh" >"$work/root/init"
	chmod +x "$work/root/init"
	(cd "$work/root" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd"
}

# Both processors on one thread of the host. With a thread each, QEMU before 8.1 can run a translation of code
# that the other processor has just patched, and a kernel that switches a static branch dies of its own int3
# (https://bugzilla.redhat.com/show_bug.cgi?id=2216496).
emulation=tcg,thread=single

# /dev/kvm being there does not say that it works (nested machines): whether this very kernel reaches its
# initramfs with it in 10 s does. The answer is kept for this boot of the host.
accelerator() {
	local memo answer=$emulation
	mkdir -p "$top/build/vm"
	memo=$top/build/vm/kvm-$(cat /proc/sys/kernel/random/boot_id)
	if [ -w /dev/kvm ] && [ ! -e "$memo" ]; then
		timeout -k 1 10 qemu-system-x86_64 -accel kvm "${machine[@]}" -append "$append akm_probe" \
			</dev/null 2>&1 | grep -q "akm: probed" && answer=kvm
		echo "$answer" >"$work/kvm"
		mv "$work/kvm" "$memo"	# whole: another lane may be reading it
	fi
	cat "$memo" 2>/dev/null || echo "$emulation"
}

machine=(
	-cpu max -smp "${SMP:-2}" -m "${MEM:-2560}"
	-nographic -no-reboot -nic none -device virtio-rng-pci
	-virtfs "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"
	-virtfs "local,path=$results,mount_tag=results,security_model=none,multidevs=remap"
	-kernel "/boot/vmlinuz-$release" -initrd "$work/initrd"
)
append="console=ttyS0 mitigations=off panic=-1 quiet akm_interactive=${interactive:-0} akm_term=${TERM:-linux}"

make_initrd "$@"
machine+=(-accel "$(accelerator)")
status=0
if [ -n "$interactive" ]; then
	qemu-system-x86_64 "${machine[@]}" -append "$append" || status=$?
else
	timeout -k 5 "$seconds" qemu-system-x86_64 "${machine[@]}" -append "$append" </dev/null 2>&1 |
		sed -u -e 's/\r//g; s/\x1b\[[0-9;?]*[A-Za-z]//g; s/\x1bc//g; s/Booting from ROM\.*//g' \
			-e '/SeaBIOS (version/d; /sysrq: Power Off$/d; /reboot: Power down$/d' |
		tee "$results/console.log" || status=$?
fi

if [ "$status" = 124 ] || [ "$status" = 137 ]; then
	echo "The virtual machine was stopped after $seconds s." >&2
	exit 124
fi
if [ ! -s "$results/status" ]; then
	echo "The virtual machine ended before $(basename "$script") did: see $results/console.log" >&2
	exit 125
fi
if [ -s "$results/complaints" ]; then
	echo "The kernel complained:" >&2
	cat "$results/complaints" >&2
	exit 125
fi
exit "$(cat "$results/status")"
