#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Which kernels are here.
#   kernels.sh default          release `make module` builds for: the running one, else the oldest with headers;
#                               the running one as well if none has any, so that need-headers can name it
#   kernels.sh find 6.12        newest installed release of that series with image, modules and headers
#   kernels.sh need-headers R   succeeds, or says what to do
set -euo pipefail

with_headers() {
	local d
	for d in /lib/modules/*/build; do
		[ -e "$d/Makefile" ] && basename "$(dirname "$d")"
	done | sort -V
}

package() { # of a series: Debian names only the newer one after it
	case $1 in 6.1 | 6.1.*) echo "$2-amd64" ;; *) echo "$2-$(cut -d. -f1-2 <<<"$1")-amd64" ;; esac
}

default() {
	local running list
	running=$(uname -r) list=$(with_headers)
	grep -Fx "$running" <<<"$list" || head -n 1 <<<"${list:-$running}"
}

find_release() {
	local found
	found=$(with_headers | grep -E "^${1//./\\.}[.-]" | while read -r r; do
		[ -e "/boot/vmlinuz-$r" ] && echo "$r"
	done | tail -n 1) || true
	if [ -z "$found" ]; then
		echo "No Linux $1 with headers is installed: run 'make deps'," \
			"or 'apt-get install $(package "$1" linux-image) $(package "$1" linux-headers)'." >&2
		return 1
	fi
	echo "$found"
}

need_headers() {
	[ -e "/lib/modules/$1/build/Makefile" ] && return
	echo "The headers of kernel '$1' are missing: run 'make deps', or 'apt-get install linux-headers-$1'," \
		"or name another kernel with KREL=…" >&2
	return 1
}

case ${1:-} in
default) default ;;
find) find_release "$2" ;;
need-headers) need_headers "${2:-unknown}" ;;
*) echo "usage: $0 default | find SERIES | need-headers RELEASE" >&2; exit 2 ;;
esac
