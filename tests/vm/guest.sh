#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest.sh SCRIPT [ARG…]: process 1 inside the virtual machine, after the initramfs. Makes a usable system,
# runs SCRIPT, leaves its exit status and the kernel's messages in $RESULTS, and powers the machine off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 AKM_IN_VM=1
script=$1
shift

mount -t tmpfs run /run
mkdir -p /run/tmp /run/results /dev/pts /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
mount -t tmpfs shm /dev/shm
mount -t devpts -o ptmxmode=0666 pts /dev/pts
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=none results /run/results || echo "no results directory"
export RESULTS=/run/results TMPDIR=/run/tmp
ip link set lo up
# The console is for the script's words; from the kernel only what is critical. All of it is in dmesg.log.
echo 3 >/proc/sys/kernel/printk
# What udev loads on a machine with these CPU features: the fast ciphers.
modprobe -q -a aesni_intel ghash_clmulni_intel
# The first socket that asks for time stamps patches the network's code, and the last one to go patches it back: ping
# does, at each start and end. QEMU's emulation may run a processor into the breakpoint of such a patch after the
# kernel has forgotten about it ("Oops: int3"). One ping that never ends keeps the code as it is.
ping -q -i 86400 127.0.0.1 >/dev/null 2>&1 </dev/null &
echo "Linux $(uname -r) is up after $(cut -d' ' -f1 /proc/uptime) s"

interactive='' terminal=linux
read -ra words </proc/cmdline
for word in "${words[@]}"; do
	case $word in
	akm_interactive=1) interactive=1 ;;
	akm_term=*) terminal=${word#*=} ;;
	esac
done

if [ -n "$interactive" ]; then
	# A session of its own, so that the console is its controlling terminal and job control works.
	TERM=$terminal setsid -c -w bash "$script" "$@" </dev/ttyS0 >/dev/ttyS0 2>&1
else
	bash "$script" "$@" </dev/null
fi
status=$?

dmesg >"$RESULTS/dmesg.log"
grep -nE -A25 'BUG:|WARNING:|Oops|general protection|soft lockup|hung_task|refcount_t|unregister_netdevice: waiting' \
	"$RESULTS/dmesg.log" >"$RESULTS/complaints"
echo "$status" >"$RESULTS/status"
sync
echo o >/proc/sysrq-trigger
# The machine goes off while this waits; process 1 must not end.
read -r _ </dev/ttyS0
