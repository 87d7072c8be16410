#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# Process 1 of the initramfs (run.sh fills in the command): the host's root under a tmpfs, then onwards.
b=/bin/busybox
$b mkdir -p /proc /sys /dev /host /rw /new
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
if $b grep -q akm_probe /proc/cmdline; then
	$b echo "akm: probed"
	$b poweroff -f
fi
for m in /mod/*.ko; do
	$b insmod "$m" || $b echo "initramfs: cannot load $m"
done
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,ro,cache=loose host /host
$b mount -t tmpfs -o size=75% rw /rw
$b mkdir /rw/upper /rw/work
$b mount -t overlay -o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work root /new
for d in proc sys dev; do
	$b mount --move /$d /new/$d
done
exec $b switch_root /new /bin/bash @COMMAND@
