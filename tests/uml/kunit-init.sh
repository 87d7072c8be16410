#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Process 1 of the kunit lane: loads the modules of akm_modules= (colon between),
# unloads them, powers off. KUnit's results go from the kernel to the console.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys

modules=$(sed -n 's/.*\bakm_modules=\([^ ]*\).*/\1/p' /proc/cmdline)
loaded=
for m in ${modules//:/ }; do
	if insmod "$m"; then
		loaded="$(basename "$m" .ko) $loaded"
	else
		echo "akm-lane: cannot load $m"
	fi
done
for m in $loaded; do
	rmmod "$m" || echo "akm-lane: cannot unload $m"
done
echo "akm-lane: end"
busybox poweroff -f
