#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Installs those packages of packages.txt that are missing. Says nothing when none is.
set -euo pipefail
list=$(dirname "$0")/packages.txt

missing() {
	local have
	have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null | sed -n 's/ installed$//p' | sort -u)
	sed -n 's/^\([a-z0-9][^[:space:]]*\).*/\1/p' "$list" | sort -u | comm -23 - <(echo "$have")
}

command -v dpkg-query >/dev/null || {
	echo "This is not a Debian system: install what $list lists by its own means, then use 'make all' and the check-… targets." >&2
	exit 1
}
mapfile -t want < <(missing)
[ ${#want[@]} -gt 0 ] || exit 0

echo "Installing ${#want[@]} Debian packages: ${want[*]}"
as_root=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "Packages are missing and neither root nor sudo is here to install them. As root: apt-get install ${want[*]}" >&2
		exit 1
	}
	as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get -q update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${want[@]}"
mapfile -t want < <(missing)
[ ${#want[@]} -eq 0 ] || { echo "Still missing after the installation: ${want[*]}" >&2; exit 1; }
