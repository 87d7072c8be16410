#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Process 1 of bench.sh --growth: loads the modules and runs growth.c. Kernel arguments:
# akm_out=, akm_reps=, akm_members=10:100
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys

word() {
	sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" /proc/cmdline
}

out=$(word akm_out)
IFS=: read -ra members <<<"$(word akm_members)"
insmod "$out/ubench/ubench.ko" && insmod "$out/new/akm.ko" && "$out/growth/growth" "$(word akm_reps)" "${members[@]}" &&
	rmmod akm && echo "akm-growth: complete"
busybox poweroff -f
