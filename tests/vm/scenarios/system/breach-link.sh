#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What somebody on the management network can try: garbage, broken and guessed handshakes at the manager's door, and to be
# the manager, or the root. Each is recorded at manager and root, costs no generation and nobody's place, and the
# links are there again when it ends.
# shellcheck source=tests/vm/breach.sh
. "$(dirname "$0")/../../breach.sh"
mutations=${BREACH_MUTATIONS:-200}

intruder_up() { # somebody on the management network, with a certificate of its own making
	add_namespace Intruder
	plug Intruder intruder mgmt0 10.10.0.66 02:00:00:00:10:66
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=MgmtMod -days 1 \
		-keyout "$world/intruder.key" -out "$world/intruder.crt" && make_guess
}

serve() { # ADDRESS:PORT, with TLS and keys of its own; its process id is $started
	start "$world/log/serve" on Intruder openssl s_server -accept "$1" -tls1_3 -cert "$world/intruder.crt" \
		-key "$world/intruder.key" -quiet
	within 10 on Intruder sh -c "ss -ltn | grep -q ':${1#*:} '"
}

# A key for the suite of the links: openssl takes it from a session, any will do.
make_guess() {
	serve 127.0.0.1:7001 || return
	on Intruder timeout 2 openssl s_client -connect 127.0.0.1:7001 -tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384 \
		-ign_eof -sess_out "$world/guess" </dev/null >"$world/log/guess" 2>&1
	stop "$started"
	[ -s "$world/guess" ]
}

knock() { # what comes from standard input, at the manager's door
	on Intruder timeout 5 socat -t 0.05 -u - TCP4:10.10.0.2:7646
}

garbage() {
	local i
	for ((i = 0; i < 20; i++)); do
		head -c $((i * 50 + 7)) /dev/urandom | knock || return
	done
}

greet() { # IDENTITY: a TLS client that has it, and a key that it guesses
	on Intruder timeout 10 openssl s_client -connect 10.10.0.2:7646 -tls1_3 -psk_session "$world/guess" \
		-psk_identity "$1" </dev/null >>"$world/log/greet" 2>&1
	return 0			# that it is refused is seen at the other end
}

note_hello() { # a handshake's first message, as a stranger would send it
	start "$world/log/note" on Intruder socat -u TCP4-LISTEN:7000,reuseaddr "CREATE:$world/hello"
	local noting=$started
	within 10 on Intruder sh -c 'ss -ltn | grep -q :7000' || return
	on Intruder timeout 1 openssl s_client -connect 127.0.0.1:7000 -tls1_3 -psk_session "$world/guess" \
		-psk_identity "$(printf '%048d' 1)" </dev/null >>"$world/log/greet" 2>&1
	within 10 ended "$noting" || stop "$noting"
	at_least "$(wc -c <"$world/hello")" 200
}

# A line for each: that message with four bytes changed, at places and to values that the round says, as printf has it
mutate() {
	local hello bytes byte round i at
	hello=$(xxd -p "$world/hello" | tr -d '\n' | sed 's/../\\x&/g')
	for ((round = 0; round < mutations; round++)); do
		bytes=$hello
		for i in 1 2 3 4; do
			at=$((((round * 7919 + i * 104729) % (${#hello} / 4)) * 4))
			printf -v byte '\\x%02x' $(((round * 31 + i * 17) % 256))
			bytes=${bytes:0:at}$byte${bytes:at+4}
		done
		printf '%s\n' "$bytes"
	done
}

# Each in a connection of its own. After a few dozen failures of one address in a row (LINK_FAILURE_BURST) the manager
# looks at ten in a second; who is not let in may find the connection closed while it speaks.
mutants() {
	# shellcheck disable=SC2016 # it is that shell which expands them
	mutate | on Intruder bash -c 'trap "" PIPE
		while read -r line; do
			{ printf "$line" >&3; } 3<>/dev/tcp/10.10.0.2/7646
		done' 2>>"$world/log/mutants"
	daemon_serves MgmtMod && ! ended "${daemon_pid[MgmtMod]}"
}

# Every link begins with its identity, in clear: sets $identity to one of D's.
identity_seen() {
	capture_start "$world/links.pcap" fabric br-mgmt host 10.10.0.14 and tcp port 7646
	local recorder=$capture
	daemon_stop EdgeNodeD
	daemon_up EdgeNodeD && within 30 node_linked D
	capture_stop "$recorder"
	identity=$(grep -aoEm1 'akm1:[0-9a-f]{32}:[0-9]+:[0-9a-f]{32}' "$world/links.pcap" | head -n 1)
	[ -n "$identity" ]
}

# Who has an address of others, and answers there with TLS and keys of its own
impersonate() { # ADDRESS
	ip -n Intruder addr add "$1/24" dev mgmt0 || return
	serve "$1:7646" || return
	impostor=$started
	on Intruder ping -n -q -c 1 -W 2 -I "$1" 10.10.0.11	# tells who has the address now
}

impostor_gone() { # ADDRESS PARTY PORT: and whose it is is there again, and says something
	stop "$impostor"
	ip -n Intruder addr del "$1/24" dev mgmt0 && ip -n fabric link set "$3" up &&
		on "$2" ping -n -q -c 1 -W 5 10.10.0.11
}

links_up() { # everybody's
	local n
	for n in $members; do
		node_linked "$n" || return
	done
	equal "$(akm Root -j node show MgmtMod | field link)" up
}

# ATTEMPT KIND COMMAND…: recorded at both ends; links, generations and members stay as they are
shrugged_off() {
	local attempt=$1 kind=$2
	shift 2
	talk door AB DC
	claim "$attempt" "$@"
	evidence=1 claim "$kind at manager and root" recorded "$kind"
	claim "links and generations are as they were" links_up
	claim "at generation $now" all_at "$now"
	claim "nothing was lost between members" talked_losslessly door
	row "$attempt" "$kind" none
}

few_since() { # RECORDS MILLISECONDS: one when it begins, and one that is owed
	local seconds=$((($(now_ms) - $2) / 1000)) records=$(($(events_of link-protocol) - $1))
	at_most "$records" $((seconds / 10 + 2)) && echo "$records records in $seconds s"
}

breach_up "A B C D"
need "somebody else is on the management network" intruder_up
need "a handshake is noted down" note_hello
need "D's identity is seen on the wire" identity_seen
need "everybody is at one generation" within 30 now_at

shrugged_off "a stranger's handshake" link-unknown greet "$(printf '%048d' 1)"
shrugged_off "a guessed key for D's link" link-psk greet "$identity"
shrugged_off "garbage at the manager's door" link-protocol garbage
before=$(events_of link-protocol) began=$(now_ms)
shrugged_off "$mutations broken handshakes" link-protocol mutants
evidence=1 claim "at most one record of them in ten seconds" few_since "$before" "$began"

talk manager AB DC
ip -n fabric link set mgmt0-mgr down
need "somebody takes the manager's address" impersonate 10.10.0.2
for n in $members; do
	evidence=1 claim "$n notices that it is another" within 90 event_at "EdgeNode$n" impostor
done
claim "they talk on" reaches A D
began=$(now_ms)
need "the real one is there again" impostor_gone 10.10.0.2 MgmtMod mgmt0-mgr
claim "all find the real one again" within 90 links_up
took_from "$began" "$(now_ms)"
evidence=1 claim "manager and root hear of it" recorded impostor 10.10.0.2
claim "nobody was told anything" all_at "$now"
claim "nothing was lost between members" talked_losslessly manager
row "the manager impersonated" impostor none

talk root AB DC
ip -n fabric link set mgmt0-root down
need "somebody takes the root's address" impersonate 10.10.0.1
evidence=1 claim "the manager notices" within 90 event_at MgmtMod impostor 10.10.0.1
claim "a rekey without the root" akm MgmtMod atr rekey '#1'
began=$(now_ms)
need "the real one is there again" impostor_gone 10.10.0.1 Root mgmt0-root
claim "the manager finds the real one again" within 90 links_up
took_from "$began" "$(now_ms)"
evidence=1 claim "the root hears of it" recorded impostor 10.10.0.1
claim "nothing was lost between members" talked_losslessly root
row "the root impersonated" impostor none

claim "in all that, nobody was evicted or removed" nobody_went
