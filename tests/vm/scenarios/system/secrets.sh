#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P7, P8: K_mn is nowhere but in TPMs. Nobody can show us the key; but the TPM computes HMACs with it, so the
# search tries every piece of memory, of every file and of every recorded byte as the key of a known HMAC. That it
# would find the key is shown on the one place where it must lie: in the software TPM itself.
# shellcheck source=tests/vm/world.sh
. "$(dirname "$0")/../../world.sh"
trap scenario_end EXIT

message=a-message-of-the-search
message_hex=$(printf '%s' "$message" | xxd -p)

configure_node() { # LETTER: over a Unix stream, so that a relay can record the exchange
	write_config "EdgeNode$1" node <<-CONF
		[hardware]
		sources = ek,mac:eth0
		[link]
		endpoint = $(underlay "$1")
		[provision]
		listen = unix-listen:$world/serial/$1.sock
	CONF
}

provision_recorded() { # LETTER
	within 60 test -S "$world/serial/$1.sock" || return	# the node waits for a connection
	start "$world/log/relay-$1" relay -o "$world/exchange-$1" "$world/serial/relay-$1.sock" "$world/serial/$1.sock"
	within 60 says waiting "$world/log/relay-$1" || return
	akm MgmtMod node provision "EdgeNode$1" via "unix:$world/serial/relay-$1.sock"
}

nowhere() { # WHERE…
	keysearch "$message_hex" "$mac" "$@"
}

need "the world is up" world_up "A B"
capture_start "$world/management.pcap" fabric br-mgmt
watcher=$capture
need "the root runs" daemon_up Root
need "the management module runs" daemon_up MgmtMod
need "the root provisions it" provision_manager
for n in A B; do
	need "EdgeNode$n runs" daemon_up "EdgeNode$n"
	need "EdgeNode$n is provisioned, and the exchange recorded" provision_recorded $n
	need "EdgeNode$n is linked" within 60 node_linked $n
done
need "ATR #1" atr_create "A B"
need "A reaches B" reaches A B

mac=$(oracle "device:$world/tpm/EdgeNodeA" "$world/state/EdgeNodeA/provision" "$message")
need "A's TPM computes an HMAC with K_mn" test "${#mac}" = 64
claim "the search finds K_mn in A's software TPM" refused FOUND nowhere "pid:$(pgrep -P "${tpm_pid[EdgeNodeA]}")"
claim "not where commands pass to it" nowhere "pid:${tpm_pid[EdgeNodeA]}"

evidence=2 claim "not in the memory of A's daemon" nowhere "pid:${daemon_pid[EdgeNodeA]}"
evidence=2 claim "not in the memory of the management module" nowhere "pid:${daemon_pid[MgmtMod]}"
evidence=2 claim "not in the memory of the root" nowhere "pid:${daemon_pid[Root]}"
mapfile -t files < <(find "$world/state" "$world/log" "$world/conf" -type f -size +0)
claim "not in one of ${#files[@]} files of stores, logs and configurations" nowhere "${files[@]}"
capture_stop "$watcher"
claim "the recorded exchange is there" test -s "$world/exchange-A"
claim "not in the exchange over the direct connection" nowhere "$world/exchange-A"
claim "the recorded links are there" at_least "$(frames "$world/management.pcap" tcp port 7646)" 20
claim "not on the management network" nowhere "$world/management.pcap"
dmesg >"$world/dmesg"
claim "not in the kernel's log" nowhere "$world/dmesg"
claim "the daemons cannot be dumped: no core, not traceable by others" sh -c \
	"grep -q '^Max core file size *0 ' /proc/${daemon_pid[MgmtMod]}/limits"
stop "${daemon_pid[Root]}"		# it holds its database for itself
claim "what the root stores names no operational secret" equal \
	"$(sqlite3 "$world/state/Root/akm.db" 'SELECT count(*) FROM generation WHERE length(secret) > 0')" 0
