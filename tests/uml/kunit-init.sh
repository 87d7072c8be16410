#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Process 1 of the kunit lane: loads and unloads the modules of akm_modules= (colon
# between) one after the other, and powers off. The results go from the kernel to
# the console.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys

modules=$(sed -n 's/.*\bakm_modules=\([^ ]*\).*/\1/p' /proc/cmdline)
for m in ${modules//:/ }; do
	if ! insmod "$m"; then
		echo "akm-lane: cannot load $m"
	elif ! rmmod "$(basename "$m" .ko)"; then
		echo "akm-lane: cannot unload $m"
	fi
done
echo "akm-lane: end"
busybox poweroff -f
