#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Process 1 of tests/uml/scenarios.sh: what the scenarios of the VM lane expect of
# a machine, laid over the read-only root, then the scenario akm_run= (a path, without .sh).
# Everything goes to the console; the time limit is run.sh's.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir -p /run/tmp /run/results /run/netns
mkdir -p /dev/pts /dev/shm
mount -t tmpfs shm /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
mount -t devpts -o ptmxmode=0666 pts /dev/pts 2>/dev/null
export TMPDIR=/run/tmp RESULTS=/run/results
ip link set lo up

word() {
	sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" /proc/cmdline
}

top=$(word akm_top)
run=$(word akm_run)
name=$(basename "$run")
bash "$top/$run.sh" </dev/null
case $? in
0) outcome=passed ;;
77) outcome=skipped ;;
*) outcome=failed ;;
esac
echo "akm-lane: $outcome $name"
echo "akm-lane: end"
busybox poweroff -f
