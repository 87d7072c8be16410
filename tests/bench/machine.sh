# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The beginning of a machine of the bench lane, sourced by its process 1: what it stands on, words for
# what it does, this network namespace and namespace b with veth pairs between them, and pairs of AKM
# devices. Kernel argument: akm_top=

export PATH=/run/tmp/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
umask 077
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir -p /run/tmp/bin /run/netns
ln -s /proc/self/fd /dev/fd
export TMPDIR=/run/tmp

word() {
	sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" /proc/cmdline
}

top=$(word akm_top)
# shellcheck source=tests/lib/poll.sh
. "$top/tests/lib/poll.sh"

say() {
	echo "akm-bench: $*"
}

# The emulated machine is of a type that can only be ended by a reset.
end() {
	say "end $*"
	if grep -q "User Mode Linux" /proc/cpuinfo; then
		/bin/busybox poweroff -f
	else
		/bin/busybox reboot -f
	fi
}

need() {
	"$@" >/run/tmp/need 2>&1 && return
	say "broken $*: $(tr '\n' ' ' </run/tmp/need)"
	end broken
}

b() { # COMMAND…: in namespace b
	nsenter --net=/run/netns/b -- "$@"
}

load() { # COMMAND…: of ubench, here
	echo "$*" >/proc/ubench
}

result() { # NAME: from what the last load reported
	sed -n "s/.*\b$1 \([^ ]*\).*/\1/p" /proc/ubench
}

# ---- underlay ----

underlay() { # N
	ip link add "v$1" address "02:00:00:00:$(printf %02x "$1"):01" type veth \
		peer name "w$1" netns b address "02:00:00:00:$(printf %02x "$1"):02" &&
		ip addr add "10.$1.0.1/24" dev "v$1" && ip link set "v$1" up &&
		b ip addr add "10.$1.0.2/24" dev "w$1" && b ip link set "w$1" up
}

overlay() { # N INTERFACE: both ends
	ip addr add "10.$((100 + $1)).0.1/24" dev "$2" && ip link set "$2" up &&
		b ip addr add "10.$((100 + $1)).0.2/24" dev "$2" && b ip link set "$2" up
}

# ---- akm ----

key=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

# akm_end N SELF NAME SUITE MEMBERS: the device NAME, with members named INDEX,PREFIX,ENDPOINT.
# Incarnations of a namespace have to grow, and so do the N of its devices.
akm_end() {
	local n=$1 self=$2 name=$3 suite=$4 m
	shift 4
	akmctl dev add "$name" || return
	akmctl dev set "$name" atr-id "$n" label "bench$n" self "$self" suite "$suite" incarnation "$n" || return
	for m; do
		IFS=, read -r index prefix endpoint <<<"$m"
		akmctl member set "$name" index "$index" name "node$index" prefix "$prefix" endpoint "$endpoint" || return
		[ "$index" = "$self" ] || echo "$index $key"
	done >/run/tmp/pairs
	echo "$key" >/run/tmp/chain
	akmctl generation install "$name" number 1 key-id "$((1000 + n))" chain-file /run/tmp/chain pair-file /run/tmp/pairs &&
		akmctl generation activate "$name" number 1
}

akm_pair() { # N SUITE
	local members=("1,10.$((100 + $1)).0.1/32,10.$1.0.1:7645" "2,10.$((100 + $1)).0.2/32,10.$1.0.2:7645")
	akm_end "$1" 1 "akm$1" "$2" "${members[@]}" &&
		b bash -c "key=$key; $(declare -f akm_end); akm_end $1 2 akm$1 $2 ${members[*]}" &&
		overlay "$1" "akm$1"
}

# Other processes' addresses would come and go on the veths
namespaces() {
	sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 &&
		ip netns add b &&
		b sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 &&
		ip link set lo up && b ip link set lo up
}
