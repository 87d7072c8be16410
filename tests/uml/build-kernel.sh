#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build-kernel.sh [plain|debug|system|smp|source]: the UML kernel of the test lanes, and one for QEMU.
#
# Builds it from Debian's linux-source-6.1 package, once for each combination of
# source version, edit script, config and compiler, and keeps it in the cache
# (AKM_CACHE, default ~/.cache/akm; safe to delete at any time). Prints on
# standard output the one thing a caller needs:
#
#   plain, debug, the build directory: DIR/linux boots, and modules are built with
#   system        make -C DIR ARCH=um M=...
#   smp           DIR/arch/x86/boot/bzImage and ARCH=x86_64, of the same source: tests/bench/spread.sh
#   source        the edited source tree alone (scripts/checkpatch.pl and so on)
#
# Progress and errors go to standard error.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${AKM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/akm}
package=linux-source-6.1
tarball=/usr/src/$package.tar.xz
variant=${1:-plain}
arch=um
[ "$variant" != smp ] || arch=x86_64

say() {
	echo "build-kernel: $*" >&2
}

die() {
	say "$*"
	exit 1
}

key_of() {
	sha256sum | cut -c1-12
}

# Source version and the edits made to it
source_key() {
	{
		dpkg-query -W -f '${Version}\n' "$package"
		cat "$here/uml-simd.sh"
	} | key_of
}

fragments() {
	case $variant in
	smp) echo "$here/../bench/smp.config" ;;
	plain) echo "$here/uml.config" ;;
	*) printf '%s\n' "$here/uml.config" "$here/uml-$variant.config" ;;
	esac
}

build_key() {
	{
		source_key
		"${CC:-gcc}" --version | head -n 1
		fragments | xargs cat
	} | key_of
}

# Leaves the tree in $1. A half-made one never gets that name.
make_source() {
	local dir=$1 new=$1.new
	say "unpacking $package (about 15 s)"
	rm -rf "$new"
	mkdir -p "$new"
	tar -xJf "$tarball" -C "$new" --strip-components=1
	"$here/uml-simd.sh" "$new"
	mv "$new" "$dir"
}

# ccache finds a compilation again in a tree of another name if paths are relative
use_ccache() {
	[ -d /usr/lib/ccache ] || return 0
	export PATH=/usr/lib/ccache:$PATH CCACHE_BASEDIR=$cache CCACHE_NOHASHDIR=1
}

# allnoconfig drops silently what a dependency forbids: say it instead
check_config() {
	local dir=$1 missing
	missing=$(fragments | xargs cat | grep -E '^CONFIG_[A-Z0-9_]+=([ym]|-?[0-9]+)$' | sort -u |
		grep -vxFf "$dir/.config" || true)
	[ -z "$missing" ] || die "the kernel refuses these options: ${missing//$'\n'/ }"
}

make_build() {
	local src=$1 dir=$2 new=$2.new log=$2.log config jobs=${JOBS:-$(nproc)}
	say "building the $variant kernel (about 4 minutes, once); log: $log"
	rm -rf "$new"
	mkdir -p "$new"
	config=$new/fragment.config
	fragments | xargs cat >"$config"
	use_ccache
	make -C "$src" ARCH=$arch O="$new" KCONFIG_ALLCONFIG="$config" allnoconfig >"$log" 2>&1 ||
		die "the kernel cannot be configured, see $log"
	check_config "$new"
	{
		# the directory is renamed when complete: no absolute path of it may stick
		make -C "$src" ARCH=$arch O="$new" KBUILD_BUILD_TIMESTAMP= -j"$jobs"
	} >>"$log" 2>&1 || {
		tail -n 30 "$log" >&2
		die "the kernel does not build, see $log"
	}
	mv "$new" "$dir"
	make -C "$src" ARCH=$arch O="$dir" outputmakefile >>"$log" 2>&1
	rm -f "$log"
}

# Trees that no current key names, and that nobody used for two weeks
prune() {
	find "$cache" -maxdepth 1 -name 'uml-*' -mtime +14 \
		! -path "$1" ! -path "$2" -exec rm -rf {} +
}

case $variant in
plain | debug | system | smp | source) ;;
*) die "usage: build-kernel.sh [plain|debug|system|smp|source]" ;;
esac
[ -r "$tarball" ] || die "$tarball is missing: apt-get install $package"

src=$cache/uml-source-$(source_key)
dir=$src
[ "$variant" = source ] || dir=$cache/uml-$variant-$(build_key)

# A name appears only when the tree behind it is complete: no lock to look
if [ ! -d "$dir" ] || [ ! -d "$src" ]; then
	mkdir -p "$cache"
	exec 9>"$cache/uml.lock"
	flock -n 9 || { say "waiting for another build"; flock 9; }
	[ -d "$src" ] || make_source "$src"
	[ -d "$dir" ] || make_build "$src" "$dir"
	prune "$src" "$dir"
fi
touch "$src" "$dir"
echo "$dir"
