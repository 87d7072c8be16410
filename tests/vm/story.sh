#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# story.sh [--shell]: the story of AKM, told by doing it. Every claim is checked, and its evidence is printed
# beside it. Leaves summary.json, captures and logs in $RESULTS; fails if one claim does not hold. --shell: once the
# ATR is there, a shell in the same world.
# shellcheck source=tests/vm/world.sh
. "$(dirname "$0")/world.sh"
results=${RESULTS:?set RESULTS to a directory}
members="A B C D E"
began=$(now_ms)
rekeyed_at=0
records=$(mktemp)
step=0 title=''
declare -A address	# of each member, inside
marker=pump-4-opens-at-noon

chapter() { # TITLE, what it is about
	step=$((step + 1)) title=$1
	say
	say "$step. $1"
	shift
	printf '   %s\n' "$@"
}

claim_record() { # OUTCOME SENTENCE OUTPUT: a line of tab-separated fields for the summary
	local proof=${3:0:600}
	proof=${proof//$'\t'/ }
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$step" "$title" "$1" $((${EPOCHREALTIME/[.,]/} / 1000 - began)) "$2" "${proof//$'\n'/$'\x1e'}" >>"$records"
}

summary() {
	jq -Rn --arg kernel "$(uname -r)" --argjson ms "$(($(now_ms) - began))" '
		[inputs / "\t" | {step: (.[0] | tonumber), title: .[1], claim: .[4], holds: (.[2] == "ok"),
			at_ms: (.[3] | tonumber), evidence: (.[5] | split("\u001e"))}] |
		{kernel: $kernel, milliseconds: $ms, passed: map(select(.holds)) | length,
			failed: map(select(.holds | not)) | length, claims: .}' "$records" >"$results/summary.json"
}

finish() {
	local status=$?
	trap - EXIT
	mkdir -p "$results/log"
	summary
	world_down
	cp "$world"/log/* "$results/log/" 2>/dev/null
	cp "$world"/*.pcap "$results/" 2>/dev/null
	rm -f "$records"
	say
	say "$claims_ok claims hold, $claims_failed do not; $(($(now_ms) / 1000 - began / 1000)) s on Linux $(uname -r)"
	[ "$status" = 0 ] || exit "$status"
	claims_done
	exit $?			# explicit: a bare exit in a trap gives the status from before it
}
trap finish EXIT

# ------------------------------------------------------------------ provisioning

same_key_name() { # LETTER: manager and node name the same TPM object
	local here there
	here=$(akm MgmtMod -j node show "EdgeNode$1" | field key_name)
	there=$(akm "EdgeNode$1" -j status | field key_name)
	[ -n "$here" ] || { echo "the manager shows no key_name"; return 1; }
	equal "$there" "$here" && echo "TPM object name $here"
}

label_is() { # LETTER
	local label
	label=$(akm "EdgeNode$1" -j status | field label)
	equal "$label" "MgmtMod-EdgeNode$1" && echo "provisioning ATR $label"
}

unprovisioned() { # LETTER
	daemon_answers "EdgeNode$1" && akm "EdgeNode$1" status | shows 'not provisioned'
}

chapter_world() {
	chapter "The world" "Root, management module, edge nodes A to H: each a network namespace with a TPM 2.0 of its own" \
		"behind the kernel's TPM driver. A serial line leads from the management module to every node."
	need "akm.ko loads, every party has a TPM" world_up "$all_nodes"
	evidence=3 claim "TPMs and serial lines are there" ls -l "$world/tpm" "$world/serial"
	capture_start "$world/underlay.pcap" fabric br-data
	capture_start "$world/management.pcap" fabric br-mgmt
}

chapter_root() {
	chapter "The root of trust" "The backend creates the domain: a policy signing key and a storage key which only managers" \
		"that it approves ever receive. The management module gets its credentials over a direct connection."
	daemon_start Root
	daemon_start MgmtMod
	need "the root runs" daemon_answers Root
	need "the management module runs, unprovisioned" daemon_answers MgmtMod
	evidence=12 need "the root provisions MgmtMod" provision_manager
	evidence=12 claim "the root lists it" akm Root node list
	claim "as the provisioning ATR Root-MgmtMod" equal "$(akm Root -j node show MgmtMod | field label)" Root-MgmtMod
}

chapter_provision() {
	local n
	chapter "Initial ATR provisioning, A to H" "Over the serial line: the node proves that its EK and storage key live in" \
		"one TPM; the manager's TPM makes K_mn and duplicates it to that storage key and no other."
	for n in $all_nodes; do
		daemon_start "EdgeNode$n"
	done
	for n in $all_nodes; do
		need "EdgeNode$n runs, unprovisioned" unprovisioned "$n"
		if [ "$n" = A ]; then
			evidence=12 need "EdgeNodeA is provisioned" provision_node A
		else
			need "EdgeNode$n is provisioned" provision_node "$n"
		fi
		evidence=1 claim "its ATR is MgmtMod-EdgeNode$n" label_is "$n"
		evidence=1 claim "both TPMs hold the same object" same_key_name "$n"
	done
	evidence=2 claim "a second provisioning of A is refused" refused 'provisioned|exist' provision_node A
	for n in $all_nodes; do
		stop "${serial_pid[EdgeNode$n]}"
	done
	say "        The serial lines are pulled: from here on, nobody touches a node."
	for n in $all_nodes; do
		need "EdgeNode$n has its link to the management module" within 60 node_linked "$n"
	done
}

chapter_atr() {
	local n
	chapter "Operational ATR #1, A-B-C-D-E" "The management module makes ATR #1 from what it knows of the provisioning ATRs," \
		"and saves it within each of A to E, over their links."
	evidence=16 need "ATR #1 is created" akm MgmtMod atr create '#1' label A-B-C-D-E \
		members EdgeNodeA,EdgeNodeB,EdgeNodeC,EdgeNodeD,EdgeNodeE subnet 10.77.0.0/24
	for n in $members; do
		address[$n]=$(overlay "$n")
		need "EdgeNode$n has akm1, ${address[$n]}" test -n "${address[$n]}"
	done
	evidence=30 claim "EdgeNodeA's kernel shows it, without a secret" on EdgeNodeA akmctl show akm1
	for n in F G H; do
		claim "EdgeNode$n has no part in it" refused 'does not exist' ip -n "EdgeNode$n" link show akm1
	done
}

chapter_shell() {
	{
		declare -f
		declare -p top world all_nodes address daemon_pid tpm_pid serial_pid console poll_output poll_pipe
		echo "PATH=$PATH PS1='akm# '"
	} >"$world/shell"
	say
	say "The world is yours. Try:   akm MgmtMod status            akm MgmtMod events -f"
	say "                           akm MgmtMod atr show '#1'     akm MgmtMod node evict EdgeNodeE"
	say "                           on EdgeNodeA akmctl show      on EdgeNodeA ping ${address[B]}"
	say "                           node_power_cycle C            daemon_stop MgmtMod; daemon_up MgmtMod"
	say "Logs: $world/log. Captures: $world/*.pcap. 'exit' ends everything."
	bash --rcfile "$world/shell" -i
}

# ------------------------------------------------------------------- operation

tcp_through() { # FROM TO: 4 MiB by TCP, compared by digest
	local size=4194304
	head -c "$size" /dev/urandom >"$world/tcp.in"
	start "$world/log/tcp" on "EdgeNode$2" socat -u TCP4-LISTEN:5001,reuseaddr "CREATE:$world/tcp.out"
	local server=$started begin
	within 60 listens "$2" -ltn 5001 || return
	begin=$(now_ms)
	on "EdgeNode$1" timeout 120 socat -u "OPEN:$world/tcp.in" "TCP4:${address[$2]}:5001" || return
	within 60 ended "$server" || return
	cmp "$world/tcp.in" "$world/tcp.out" && echo "$size bytes in $(($(now_ms) - begin)) ms, identical"
}

multicast_heard() { # FROM TO…: everyone hears one datagram
	local from=$1 n listeners=()
	shift
	for n; do
		start "$world/log/multicast-$n" on "EdgeNode$n" socat -u \
			"UDP4-RECV:5003,ip-add-membership=239.7.6.45:akm1" "OPEN:$world/heard-$n,creat,trunc"
		listeners+=("$started")
	done
	for n; do
		within 60 listens "$n" -lun 5003 || return
	done
	ip -n "EdgeNode$from" route replace 239.0.0.0/8 dev akm1
	printf 'to all: %s' "$marker" | on "EdgeNode$from" socat -u - UDP4-DATAGRAM:239.7.6.45:5003
	for n; do
		within 60 grep -q "$marker" "$world/heard-$n" || { echo "EdgeNode$n heard nothing"; return 1; }
	done
	kill "${listeners[@]}"
	echo "heard by $*"
}

outsider() { # F makes an akm interface of its own, for the same ATR and key_id, with secrets of its own
	local key
	key=$(on EdgeNodeA akmctl -j generation show akm1 | field key_id)
	printf '%s' "what F guessed" | sha256sum | cut -c1-64 >"$world/guess"
	printf '0 %s\n' "$(cat "$world/guess")" >"$world/guess-pair"
	on EdgeNodeF akmctl dev add akm1 &&
		on EdgeNodeF akmctl dev set akm1 atr-id 1 self 9 incarnation 1 &&
		on EdgeNodeF akmctl member set akm1 index 0 name EdgeNodeA prefix "${address[A]}/32" endpoint 192.0.2.11:7645 &&
		on EdgeNodeF akmctl generation install akm1 number 1 key-id "$key" chain-file "$world/guess" pair-file "$world/guess-pair" &&
		on EdgeNodeF akmctl generation activate akm1 number 1 &&
		ip -n EdgeNodeF addr add 10.77.0.200/24 dev akm1 && ip -n EdgeNodeF link set akm1 up || return
	on EdgeNodeF ping -n -q -c 3 -i 0.2 -W 1 "${address[A]}" | shows ' 100% packet loss'
}

counter() { # LETTER NAME
	on "EdgeNode$1" akmctl -j stats akm1 | field "$2"
}

counted() { # LETTER COUNTER LEAST
	at_least "$(counter "$1" "$2")" "$3"
}

# What others said to each other is led to its address: it counts five packets that it cannot read, and delivers none.
# Others may send something of their own at that very moment: then once more.
deaf() { # LETTER COUNTER pair|group FILE
	within 60 hears_nothing "$@"
}

hears_nothing() {
	local before unread
	before=$(counter "$1" rx_packets) unread=$(counter "$1" "$2")
	on Attacker inject -t "$3" -n 5 -R "$(underlay "$1")" -E "02:00:00:00:20:$((10 + $(node_number "$1")))" \
		replay eth0 "$4" >/dev/null || return
	counted "$1" "$2" $((unread + 5)) && equal "$(counter "$1" rx_packets)" "$before" &&
		echo "$2: $unread → $(counter "$1" "$2"), delivered: none"
}

listen() { # LETTER PORT FILE
	start "$3.log" on "EdgeNode$1" socat -u "UDP4-RECV:$2" "OPEN:$3,creat"
	within 60 listens "$1" -lun "$2"
}

only_a_to_b() { # also what A says to all: each member gets its own copy
	tcpdump -nr "$world/underlay.pcap" -w "$world/a-to-b.pcap" \
		'src host 192.0.2.11 and dst host 192.0.2.12 and udp port 7645' && captured 3 "$world/a-to-b.pcap"
}

chapter_talk() {
	local n
	chapter "Set and forget" "Nodes talk through akm1. Nobody negotiates: whoever holds the ATR sends."
	for n in B C D E; do
		evidence=1 claim "A reaches EdgeNode$n" reaches A "$n"
	done
	claim "E reaches C" reaches E C
	evidence=1 claim "TCP from A to E" tcp_through A E
	need "B listens" listen B 5002 "$world/heard"
	printf '%s\n' "$marker" | on EdgeNodeA socat -u - "UDP4:${address[B]}:5002"
	claim "B reads A's order: '$marker'" within 60 grep -qF "$marker" "$world/heard"
	evidence=1 claim "one multicast datagram of A, heard by all" multicast_heard A B C D E
	claim "the wire carried packets of it" within 60 captured 40 "$world/underlay.pcap" udp port 7645
	claim "the order is nowhere on the wire" not grep -qaF "$marker" "$world/underlay.pcap"
	claim "nor is any address of the overlay" captured_none 'net 10.77.0.0/24 or net 239.0.0.0/8'
	say "        Now somebody leads what A said to B, and to all, to others:"
	need "the attacker has recorded what A sent" only_a_to_b
	evidence=1 claim "C, a member, cannot read it" deaf C rx_auth_fail pair "$world/a-to-b.pcap"
	evidence=1 claim "F, which is no member and guesses, gets no answer" outsider
	evidence=1 claim "F cannot read what A said to B" deaf F rx_auth_fail pair "$world/a-to-b.pcap"
	evidence=1 claim "F cannot read what A said to all" deaf F rx_auth_fail group "$world/a-to-b.pcap"
	ip -n EdgeNodeF link del akm1
}

captured_none() { # FILTER
	equal "$(frames "$world/underlay.pcap" "$1")" 0
}

chapter_away() {
	chapter "The management module is away" "Its daemon is killed. The ATR works on; the daemon comes back, and" \
		"finds everything as it was."
	local n
	daemon_stop MgmtMod KILL
	claim "A reaches E without it" reaches A E
	daemon_stop EdgeNodeB KILL
	claim "A reaches B, whose own daemon was killed as well" reaches A B
	daemon_start MgmtMod
	need "B's daemon is back" daemon_up EdgeNodeB
	need "the management module is back" daemon_answers MgmtMod
	claim "A reaches B" reaches A B
	for n in $members; do
		need "EdgeNode$n is linked again" within 60 node_linked "$n"
	done
}

# --------------------------------------------------------------------- attacks

rekeyed() { # PAST: everyone's active generation is newer
	local n
	for n in A B C D E; do
		generation_is_past "$n" "$1" || { echo "EdgeNode$n is at $(generation "$n")"; return 1; }
	done
	echo "generation $1 → $(generation A) on A to E"
}

event_seen() { # PARTY PATTERN
	akm "$1" events | tail -n 60 | grep -iE -m3 "$2"
}

record() { # what the attacker works with: packets of the present generation
	rm -f "$world/recorded.pcap"
	capture_start "$world/recorded.pcap" fabric br-data udp port 7645
	local recorder=$capture
	reaches A B
	capture_stop "$recorder"
	captured 6 "$world/recorded.pcap"
}

attack() { # MODE as inject has it, PATTERN of the event
	local before
	before=$(generation A)
	ping_start "$1" A B
	claim "the attacker sends 300 packets to B: $1" \
		on Attacker inject -d 192.0.2.12 -n 300 -r 100 "$1" eth0 "$world/recorded.pcap"
	evidence=1 claim "A to E move to a new generation by themselves" within 60 rekeyed "$before"
	rekeyed_at=$(now_ms)
	evidence=1 claim "A's ping to B, running all the while, lost nothing" lossless "$1"
	evidence=3 claim "the management module says why" within 60 event_seen MgmtMod "$2"
}

chapter_breach() {
	chapter "A breach attempt: recorded packets come back" "Someone on the wire records packets and sends them again. The nodes refuse them and report; the" \
		"policy ($replay_rule: so many within so many seconds) replaces the secret, during a running ping."
	need "the attacker has recorded packets" record
	attack replay replay
}

chapter_forged() {
	chapter "A breach attempt: forged packets" "Headers as recorded, with fresh packet numbers and random contents. Recovery has a hold-down of" \
		"$hold_down s, so that nobody can use it as the weapon."
	need "the hold-down is over" within $((hold_down + 5)) hold_down_over
	need "the attacker has recorded packets" record
	attack random 'auth'
}

hold_down_over() {
	[ $(($(now_ms) - rekeyed_at)) -gt $((hold_down * 1000)) ]
}

last_answer_ms() { # LOG of ping -D: when the last answer came
	sed -n 's/^\[\([0-9]*\)\.\([0-9]\{3\}\).*bytes from.*/\1\2/p' "$1" | tail -n 1
}

refused_in_time() { # LETTER: its last answer to E came less than 2 s after the decision
	local last
	last=$(last_answer_ms "$world/log/evicted-$1")
	[ -n "$last" ] || { echo "E never reached $1"; return 1; }
	at_most $((last - decided)) 2000 && echo "EdgeNode$1's last answer to E: $((last - decided)) ms after the decision"
}

after_eviction() { # what A says to D, and to all, now
	capture_start "$world/after.pcap" fabric br-data src host 192.0.2.11 and udp port 7645
	local recorder=$capture
	quiet reaches A D && multicast_heard A B C D
	local status=$?
	capture_stop "$recorder"
	return "$status"
}

chapter_evict() {
	local n talking=()
	chapter "Eviction" "The operator evicts EdgeNodeE, while it is talking to everybody. Its daemon is frozen, so that it" \
		"obeys nothing and keeps its old keys, and its wire."
	for n in A B C D; do
		start "$world/log/evicted-$n" on EdgeNodeE ping -n -D -i 0.1 "${address[$n]}"
		talking+=("$started")
	done
	ping_start evict A D
	for n in A B C D; do
		need "E talks to $n" within 60 says 'bytes from' "$world/log/evicted-$n"
	done
	kill -STOP "${daemon_pid[EdgeNodeE]}"
	decided=$(now_ms)
	evidence=4 need "the decision: akmctl node evict EdgeNodeE" akm MgmtMod node evict EdgeNodeE reason 'sold at the flea market'
	within 4 eviction_settled
	kill "${talking[@]}"
	for n in A B C D; do
		evidence=1 claim "$n refuses E within 2 s of the decision" refused_in_time "$n"
	done
	evidence=1 claim "A and D, who stay, lost nothing" lossless evict
	evidence=1 claim "A still reaches D, and all who stay" after_eviction
	evidence=1 claim "E cannot read what A says to D" deaf E rx_unknown_key pair "$world/after.pcap"
	evidence=1 claim "E cannot read what A says to all" deaf E rx_unknown_key group "$world/after.pcap"
	kill -CONT "${daemon_pid[EdgeNodeE]}"
	evidence=1 claim "E cannot come back over the network" refused "is 'down'" node_linked E
}

eviction_settled() { # 3 s after the decision, so that an answer after 2 s would be seen
	[ $(($(now_ms) - decided)) -gt 3000 ]
}

refuses_disk() { # the daemon on the copied disk ends by itself, and names the reason
	daemon_start Thief
	within 60 ended "${daemon_pid[Thief]}" || { daemon_stop Thief; echo "it runs"; return 1; }
	grep -iE 'TPM' "$world/log/Thief.log" | grep -iE 'another|not hold|does not|ENOKEY|other' | tail -n 1
}

chapter_theft() {
	chapter "A stolen disk" "EdgeNodeA's disk is copied, whole, into another machine with another TPM."
	local key
	key=$(printf '%08x' "$(on EdgeNodeA akmctl -j generation show akm1 | field key_id)")
	add_namespace Thief
	plug Thief thief eth0 192.0.2.77 02:00:00:00:20:77
	tpm_start Thief
	cp -a "$world/state/EdgeNodeA" "$world/state/Thief"
	sed "s|/EdgeNodeA|/Thief|" "$world/conf/EdgeNodeA.conf" | sed '/^\[provision\]/,/^listen/d' >"$world/conf/Thief.conf"
	evidence=1 claim "akmd refuses, and says why" refuses_disk
	claim "no interface came up there" not on Thief akmctl dev show akm1
	evidence=1 claim "the real A is not concerned" reaches A B
	claim "the sealed store does not even show key_id $key" not shown_on_disk "$key"
}

shown_on_disk() { # HEX: the key_id is public, and stored beside the secrets
	cat "$world"/state/EdgeNodeA/sealed/* | xxd -p | tr -d '\n' | grep -q "$1"
}

chapter_reboot() {
	local before
	chapter "Power cut" "EdgeNodeC loses its power, and comes back while the management module is away."
	before=$(incarnation C)
	daemon_stop MgmtMod
	need "C comes back" node_power_cycle C
	need "its interface is there again" within 60 has_akm1 C
	claim "it talks at once, without the management module" within 60 reaches C A
	evidence=1 claim "with a new incarnation: no nonce can come twice" grown "$before" "$(incarnation C)"
	need "the management module is back" daemon_up MgmtMod
}

chapter_root_knows() {
	chapter "What the backend knows" "Events went from the nodes to the management module, and on to the root."
	evidence=3 claim "the root has the replays" within 60 event_seen Root replay
	evidence=3 claim "and the eviction" within 60 event_seen Root evict
	evidence=20 claim "the management module's view, in which the alerts stand" refused . akm MgmtMod status
}

replay_rule=50/10:rekey auth_fail_rule=50/10:rekey hold_down=20

chapter_world
chapter_root
chapter_provision
chapter_atr
if [ "${1:-}" = --shell ]; then
	chapter_shell
	exit 0
fi
chapter_talk
chapter_away
chapter_breach
chapter_forged
chapter_evict
chapter_theft
chapter_reboot
chapter_root_knows
