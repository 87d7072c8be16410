#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Lane "static": everything that can be found without running the code.
#
#   static.sh [CHECK...]	all checks, or those named
#
# Each check is one function check_NAME below: silent and 0 if all is well; what
# it printed is shown if not. Status 77 is a skip, its output the reason. A tool
# that is missing is a failure: `make deps` installs them all.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/static
jobs=${JOBS:-$(nproc)}
[ ! -d /usr/lib/ccache ] || export PATH=/usr/lib/ccache:$PATH
# shellcheck source=tests/lib/lane.sh
. "$top/tests/lib/lane.sh"
cd "$top" || exit
mkdir -p "$out"

skip() {
	echo "$*"
	return 77
}

# What git knows or would add; in an export without git, what is there
all_files() {
	git ls-files --cached --others --exclude-standard 2>/dev/null ||
		find . -type f -not -path './build/*' -printf '%P\n'
}

# files PATTERN...: files of the project that match one; * matches / as well
files() {
	local f pattern
	while read -r f; do
		[ -f "$f" ] || continue
		for pattern; do
			# shellcheck disable=SC2053 # it is a pattern
			if [[ $f == $pattern ]]; then
				echo "$f"
				break
			fi
		done
	done < <(all_files | sort -u)
}

scripts() {
	files '*' | while read -r f; do
		case $f in
		*.sh) echo "$f" ;;
		*.*) ;;
		*) ! head -c 64 "$f" | head -n 1 | grep -qE '^#!.*\b(ba)?sh\b' || echo "$f" ;;
		esac
	done
}

# The whole output is the finding
silent() {
	local text
	text=$("$@" 2>&1) || { echo "${text:-$* failed}"; return 1; }
	[ -z "$text" ] || { echo "$text"; return 1; }
}

# ---- the module ----

# module_build RELEASE MAKE-ARGUMENT...: a clean build of a copy; no line of a compiler may appear
module_build() {
	local release=$1 dir=$out/module-$1 log=$out/module-$1.log
	shift
	rm -rf "$dir"
	mkdir -p "$dir"
	cp -a Kbuild kernel include "$dir/"
	cp -a tests/vm/later/*.c tests/vm/beat/*.c "$dir/"
	echo 'obj-m += akm_later.o akm_beat.o' >>"$dir/Kbuild"
	make -C "/lib/modules/$release/build" M="$dir" -j"$jobs" "$@" modules >"$log" 2>&1 ||
		{ tail -n 20 "$log"; return 1; }
	! grep -E 'warning|error|WARNING|ERROR' "$log"
}

module_check() {
	local release
	release=$(tests/lib/kernels.sh find "$1") || return
	module_build "$release" "${@:2}"
}

# The compiler with W=1 and sparse with endian checks, in one build
strict=(W=1 C=2 CF="-D__CHECK_ENDIAN__ -Wsparse-error")
check_module_6_1() { module_check 6.1 "${strict[@]}"; }
check_module_6_12() { module_check 6.12 "${strict[@]}"; }

kernel_source() {
	"$top/tests/uml/build-kernel.sh" source 2>"$out/source.log" || { cat "$out/source.log"; return 1; }
}

kernel_files() {
	files 'kernel/*.[ch]' 'include/uapi/*.h' 'tests/kunit/*.[ch]' 'tests/vm/later/*.[ch]' 'tests/vm/beat/*.[ch]' |
		grep -v '^tests/kunit/vectors.h$'
}

# checkpatch FILES-PATTERN IGNORED: from a directory of its own, it leaves a cache where it stands
checkpatch() {
	local src list
	src=$(kernel_source) || { echo "$src"; return 1; }
	mapfile -t list < <(kernel_files | grep -E "$1")
	cd "$out" && perl "$src/scripts/checkpatch.pl" --no-tree --strict --quiet --terse --show-types \
		--max-line-length=100 --ignore "$2" --file "${list[@]/#/$top/}" 2>&1 | grep -v '^total: '
	[ "${PIPESTATUS[0]}" = 0 ]
}

# uapi headers keep a *_MAX right under its enum, and tables of comments on long lines
ignored=FILE_PATH_CHANGES,LINE_SPACING,LONG_LINE_COMMENT,MACRO_ARG_REUSE
check_checkpatch() { checkpatch '^(kernel/[^/]*|include/.*)$' "$ignored"; }
check_checkpatch_kunit() { checkpatch '^tests/' "$ignored,COMPLEX_MACRO"; }
# its whole purpose is to ask for the version
check_checkpatch_compat() {
	checkpatch '^kernel/compat/' "$ignored,LINUX_VERSION_CODE,CONSTANT_COMPARISON,NEW_TYPEDEFS"
}

check_kernel_doc() {
	local src list
	src=$(kernel_source) || { echo "$src"; return 1; }
	mapfile -t list < <(files 'kernel/*.[ch]')
	silent perl "$src/scripts/kernel-doc" -none -Werror "${list[@]}"
}

# ---- interface and vectors ----

check_netlink_spec() {
	silent "$here/spec.py" Documentation/netlink/specs/akm.yaml include/uapi/linux/akm.h
}

vectors() {
	local flags
	read -ra flags < <(pkg-config --cflags --libs json-c libcrypto)
	"${CC:-gcc}" -std=gnu11 -O1 -Wall -Wextra -Werror -o "$out/vectors" \
		tests/vectors/vectors.c "${flags[@]}" && "$out/vectors" "$@"
}

check_vectors() { vectors check tests/vectors/vectors.json >"$out/vectors.log" 2>&1 || { cat "$out/vectors.log"; return 1; }; }
check_vectors_drift() { vectors generate | diff -u tests/vectors/vectors.json -; }
check_vectors_interop() { PYTHONPYCACHEPREFIX=$out/pycache silent tests/interop/vectors.py tests/vectors/vectors.json; }
check_vectors_header() { vectors header tests/vectors/vectors.json | diff -u tests/kunit/vectors.h -; }

# ---- promises ----

# security.rst makes thirteen promises and names the tests of each, which are there
# shellcheck disable=SC2016 # backquotes of the page
check_promises() {
	local page=Documentation/security.rst n f bad=0 held
	held=$(sed -n '/^How each promise is held$/,/^What a group key/p' "$page")
	for n in {1..13}; do
		grep -qE "^P$n " "$page" || { echo "$page does not make promise P$n"; bad=1; }
		sed -n "/^P$n\$/,/^P[0-9]*\$/p" <<<"$held" | grep -q '``tests/' || { echo "$page names no test of P$n"; bad=1; }
	done
	while read -r f; do
		[ -e "$f" ] || { echo "$page names $f, which is not there"; bad=1; }
	done < <(grep -oE '``tests/[^`]*``' "$page" | tr -d '`' | sort -u)
	return $bad
}

# ---- userspace ----

check_cppcheck() {
	# memleak: it does not know __attribute__((cleanup)), valgrind does this better.
	# selfAssignment: "r = f() ?: r". internalAstError: its own trouble.
	silent cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -j "$jobs" \
		--enable=warning,performance,portability --suppress=missingIncludeSystem \
		--suppress=memleak --suppress=selfAssignment --suppress=internalAstError \
		--include=tests/static/cppcheck.h -Idaemon -Iinclude daemon tools tests/vectors
}

# ---- scripts and texts ----

check_shellcheck() {
	local list
	mapfile -t list < <(scripts)
	printf '%s\n' "${list[@]}" | xargs -P "$jobs" -n 8 shellcheck -x
}

check_python() {
	local list
	mapfile -t list < <(files '*.py')
	PYTHONPYCACHEPREFIX=$out/pycache silent python3 -W error -m py_compile "${list[@]}"
}

check_ktap_parser() { PYTHONPYCACHEPREFIX=$out/pycache python3 tests/uml/ktap_test.py 2>&1; }
check_spec_checker() { PYTHONPYCACHEPREFIX=$out/pycache python3 tests/static/spec_test.py 2>&1; }

check_man_pages() {
	local list
	mapfile -t list < <(files 'Documentation/man/*.[1-8]')
	[ ${#list[@]} -gt 0 ] || { skip "no man page yet"; return; }
	silent mandoc -Tlint -Wwarning "${list[@]}"
}

# Words of the trade that the list takes for misspellings: after -L
# What is installed is there, and systemd understands its part.
check_install() {
	local to=$out/installed f
	rm -rf "$to"
	flock build/.vm-build "${MAKE:-make}" --no-print-directory -s install "DESTDIR=$to" PREFIX=/usr KREL=none >"$out/install.log" 2>&1 ||
		{ cat "$out/install.log"; return 1; }
	for f in sbin/akmd bin/akmctl share/man/man8/akmd.8 share/bash-completion/completions/akmctl lib/tmpfiles.d/akm.conf; do
		[ -s "$to/usr/$f" ] || { echo "/usr/$f is not installed"; return 1; }
	done
	cp "$to/usr/lib/systemd/system/akmd@.service" "$out/akmd@.service"
	grep -qx 'ExecStart=/usr/sbin/akmd --config /etc/akm/%i.conf' "$out/akmd@.service" ||
		{ echo "the unit does not start what is installed"; return 1; }
	sed -i "s|^ExecStart=|&$to|" "$out/akmd@.service"
	silent systemd-analyze verify --man=no "$out/akmd@.service" || return
	systemd-sysusers --dry-run "--root=$to" "$to/usr/lib/sysusers.d/akm.conf" >"$out/sysusers.log" 2>&1
	grep -q "^Creating user 'akm'" "$out/sysusers.log" || { cat "$out/sysusers.log"; return 1; }
}

check_codespell() {
	local list
	mapfile -t list < <(files '*' | grep -vE '^tests/(vectors/vectors.json|kunit/vectors.h|fuzz/corpus/)')
	silent codespell --quiet-level=2 -L ot,nd,te,fo,ans,unparseable,nknown,ect "${list[@]}"
}

check_spdx() {
	local f bad=0
	while read -r f; do
		case $f in
		*.json | */corpus/* | */corpora/* | *.pcap | .gitkeep | COPYING | LICENSE*) continue ;;
		esac
		head -n 4 "$f" | grep -q 'SPDX-License-Identifier: ' || { echo "$f has no SPDX line"; bad=1; }
	done < <(files '*')
	return $bad
}

check_whitespace() {
	local list
	mapfile -t list < <(files '*.[ch]' '*.sh' '*.py' '*.rst' '*.md' '*.yaml' '*.cddl' Makefile Kbuild '*/Kbuild')
	! grep -nE '[[:space:]]+$' "${list[@]}" || return 1
	for f in "${list[@]}"; do
		[ -z "$(tail -c 1 "$f")" ] || { echo "$f does not end in a newline"; return 1; }
	done
}

check_no_stubs() {
	local list
	mapfile -t list < <(files '*.[ch]' '*.sh' '*.py' | grep -v '^tests/static/static.sh$')
	! grep -nE '\b(TODO|FIXME|XXX|HACK)\b|[Nn]ot (yet )?implemented' "${list[@]}"
}

# An event is awaited (tests/lib/poll.sh), time is not slept away
check_no_sleeps() {
	local list
	mapfile -t list < <(scripts | grep '^tests/' | grep -v '^tests/lib/poll.sh$')
	[ ${#list[@]} -eq 0 ] || ! grep -nE '(^|[;&|{(]|\bdo|\bthen)[[:space:]]*sleep[[:space:]]' "${list[@]}"
}

# ---- who may know whom ----

only() {
	local what=$1 allowed=$2
	shift 2
	! grep -lE "$what" "$@" 2>/dev/null | grep -vE "$allowed"
}

check_layers() {
	local c bad=0
	mapfile -t c < <(files 'daemon/*.[ch]' 'tools/*.[ch]')
	only '#include <tss2/' '^daemon/(keystore_tpm|tpmq|hwid|quote)' "${c[@]}" || { echo "… use tss2"; bad=1; }
	only '#include <sqlite3.h>' '^daemon/store_sqlite' "${c[@]}" || { echo "… use SQLite"; bad=1; }
	only '#include "(\.\./)?tests/' '^$' "${c[@]}" || { echo "… include tests"; bad=1; }
	! grep -HE '#include "|now_ms\(\)|clock_gettime|fopen' daemon/policy{,_kind,_file,_limit,_merge,_text}.c | grep -v 'include/akm-policy.h"' ||
		{ echo "… (policy files) know a sibling, a clock or a file"; bad=1; }
	mapfile -t c < <(files 'tools/*.[ch]')
	only '#include "(\.\./)?daemon/' '^$' "${c[@]}" || { echo "… include the daemon"; bad=1; }
	only '#include "(atr|keys|device|netlink|send|receive|aead|socket)\.h"' '^$' \
		kernel/{kdf,replay,monitor,prefix}.[ch] kernel/proto.h ||
		{ echo "… know a sibling"; bad=1; }
	return $bad
}

# ---- the runner ----

run_check() {
	local name=$1 text status started=$SECONDS
	text=$("check_$name")
	status=$?
	case $status in
	0) lane_add 1 0 0; printf 'passed  %s\n' "$name" ;;
	77) lane_add 0 0 1; printf 'skipped %s: %s\n' "$name" "$text" ;;
	*) lane_add 0 1 0; printf 'failed  %s\n' "$name"; head -n 60 <<<"$text" | sed 's/^/        /' ;;
	esac
	[ $((SECONDS - started)) -lt 20 ] || echo "        ($((SECONDS - started)) s)"
}

mapfile -t all < <(grep -oP '^check_\K\w+(?=\(\))' "${BASH_SOURCE[0]}")
[ $# -gt 0 ] || set -- "${all[@]}"
for check; do
	declare -F "check_$check" >/dev/null || { echo "no such check: $check (there are: ${all[*]})"; exit 2; }
	run_check "$check"
done
lane_end static
