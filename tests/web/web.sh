#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Lane "web": the page in headless Chromium, drawn from a manager with sample data (serve.c). Not part of
# `make check`: Chromium is large (apt-get install chromium). Leaves build/web/page.png and page.html to look at.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/lane.sh
. tests/lib/lane.sh
# shellcheck source=tests/lib/poll.sh
. tests/lib/poll.sh

out=build/web
serve=$1
command -v chromium >/dev/null || { echo "chromium is missing: apt-get install chromium"; exit 1; }
rm -rf "$out"
mkdir -p "$out"
scratch=$(mktemp -d)
port=$((20000 + $$ % 20000))
coproc SERVER { TMPDIR=$scratch exec "$serve" "127.0.0.1:$port" 2>"$out/serve.log"; }
# shellcheck disable=SC2154 # coproc sets it
server=$SERVER_PID
trap 'kill "$server" 2>/dev/null; rm -rf "$scratch"' EXIT
line=
read -r -t 120 line <&"${SERVER[0]}"
[ "$line" = ready ] || { echo "no sample manager:"; tail "$out/serve.log"; exit 1; }

browse() { # OPTION…
	timeout 120 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$scratch/profile" --window-size=1400,1750 \
		--virtual-time-budget=5000 "$@" "http://127.0.0.1:$port/" 2>>"$out/chromium.log"
}

browse --dump-dom >"$out/page.html"
browse --screenshot="$PWD/$out/page.png" >>"$out/chromium.log"

sees() { # WHAT PATTERN
	if grep -qE -- "$2" "$out/page.html"; then
		lane_add 1 0 0
		echo "ok    $1"
	else
		lane_add 0 1 0
		echo "FAIL  $1: the page has no $2"
	fi
}

sees_not() { # WHAT PATTERN
	if grep -qE -- "$2" "$out/page.html"; then
		lane_add 0 1 0
		echo "FAIL  $1: the page has $2"
	else
		lane_add 1 0 0
		echo "ok    $1"
	fi
}

sees "it was drawn" 'data-state="shown"'
sees "whose it is" '<span id="who">MgmtMod \(manager\)</span>'
sees "the verdict" 'class="verdict alert"[^>]*>Not healthy, [0-9]+ alerts'
sees "a silent node, with its remedy" '<strong>EdgeNodeB:</strong>not heard any more.*akmctl node evict EdgeNodeB'
sees "an alert, with its remedy" 'clone, the last: Kernel: two holders.*akmctl acknowledge until [0-9]+'
sees "numbers" '<dt>nodes up</dt><dd>2<small> of 3</small>'
sees "the topology" 'aria-label="MgmtMod with 3 below it, 2 of them up"'
sees "a link that is down" '<title>EdgeNodeB: down</title><circle class="dot down"'
sees "who shares an ATR" 'class="mesh  atr0" d="M'
sees "an ATR" '#1 plant</th>.*aes-256-gcm'
sees "its members" '<summary>.*of 3 current</summary>.*<li>EdgeNodeA <span class="tag'
sees "an evicted node" 'EdgeNodeD</th>.*evicted'
sees "evidence over time" '<circle class="alert" cx='
sees "evidence in words" '<td>clone</td><td class="wide">Kernel: two holders'
sees "markup as text" '&lt;img src=x onerror=alert\(1\)&gt;&lt;script&gt;alert\(2\)'
sees_not "no markup of a node's" '<img src="?x|<script>alert'
if [ "$(stat -c %s "$out/page.png")" -gt 50000 ]; then
	lane_add 1 0 0
else
	lane_add 0 1 0
	echo "FAIL  no picture of it"
fi
lane_end web
