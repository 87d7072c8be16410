# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # variables for the scenarios
# What the scenarios share. Inside the virtual machine (or on a machine that can load modules), as root.
#
#   ns a ─ eth0 ─┐                    underlay  192.0.2.N   2001:db8::N     (a = 1, b = 2, …)
#   ns b ─ eth0 ─┼─ br0 in ns wire    overlay   10.77.0.N   fd77::N         on akm0
#   ns x ─ eth0 ─┘                    x has a place on the wire, and no keys
# shellcheck source=tests/vm/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
umask 077	# the files hold keys, even if only a test's
scratch=$(mktemp -d)

index_of() { # NODE: a is 1, b is 2, …
	printf '%d\n' "$(($(printf '%d' "'$1") - 96))"
}

wire_up() { # NODE…
	local n i
	add_namespace wire
	on wire ip link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
	on wire sysctl -qw net.ipv6.conf.br0.disable_ipv6=1
	on wire ip link set br0 up
	for n; do
		i=$(index_of "$n")
		add_namespace "$n"
		ip -n wire link add "port-$n" type veth peer name eth0 netns "$n" address "02:00:00:00:00:$(printf %02x "$i")"
		ip -n wire link set "port-$n" master br0 up
		ip -n "$n" addr add "192.0.2.$i/24" dev eth0
		ip -n "$n" -6 addr add "2001:db8::$i/64" dev eth0 nodad
		ip -n "$n" link set eth0 up
	done
}

endpoint_of() { # NODE: its underlay address, of the family in $outer
	if [ "${outer:-4}" = 6 ]; then echo "[2001:db8::$(index_of "$1")]:7645"; else echo "192.0.2.$(index_of "$1"):7645"; fi
}

atr_up() { # NODE MEMBERS [dev-set WORDS…]: akm0 on NODE, that knows MEMBERS ("a b c"), up, without keys
	local n=$1 members=$2 m i
	shift 2
	i=$(index_of "$n")
	on "$n" akmctl dev add akm0 &&
		on "$n" akmctl dev set akm0 atr-id "${atr_id:-1}" label A-B-C self "$i" suite "${suite:-aes-256-gcm}" \
			incarnation "${incarnation:-1}" "$@" || return
	for m in $members; do
		member_set "$n" "$m" || return
	done
	ip -n "$n" addr add "10.77.0.$i/24" dev akm0 &&
		ip -n "$n" -6 addr add "fd77::$i/64" dev akm0 nodad &&
		ip -n "$n" link set akm0 up
}

member_set() { # NODE MEMBER [more WORDS…]: MEMBER's host prefixes and endpoint, on NODE
	local n=$1 m=$2 i
	shift 2
	i=$(index_of "$m")
	on "$n" akmctl member set akm0 index "$i" name "EdgeNode${m^^}" prefix "10.77.0.$i/32" prefix "fd77::$i/128" \
		endpoint "$(endpoint_of "$m")" "$@"
}

secret() { # WORDS: 32 bytes in hexadecimal that depend on them alone
	printf '%s' "$*" | sha256sum | cut -c1-64
}

key_files() { # NODE MEMBERS SEED: $scratch/NODE-SEED.chain and .pairs
	local n=$1 seed=$3 m low high
	secret chain "$seed" >"$scratch/$n-$seed.chain"
	: >"$scratch/$n-$seed.pairs"
	for m in $2; do
		[ "$m" = "$n" ] && continue
		low=$n high=$m
		[[ $low > $high ]] && low=$m high=$n
		echo "$(index_of "$m") $(secret pair "$seed" "$low" "$high")" >>"$scratch/$n-$seed.pairs"
	done
}

hex32() { # NUMBER…: big-endian, in hexadecimal
	printf '%08x' "$@"
}

# The chain's next step: HKDF-Expand to 32 bytes is one HMAC (RFC 5869, 2.3).
next_chain() { # CHAIN NUMBER KEY_ID: in hexadecimal, of ATR 1
	printf '%s%s01' "$(printf 'akm1 next' | xxd -p)" "$(hex32 1 "$2" "$3")" | xxd -r -p |
		openssl dgst -sha256 -mac HMAC -macopt "hexkey:$1" -r | cut -c1-64
}

step_files() { # NODE SEED NUMBER KEY_ID: the files of key_files, one epoch on
	local chain=$scratch/$1-$2.chain pairs=$scratch/$1-$2.pairs member secret stepped=''
	next_chain "$(cat "$chain")" "$3" "$4" >"$chain.next"
	mv "$chain.next" "$chain"
	while read -r member secret; do
		stepped+="$member $(next_chain "$secret" "$3" "$4")"$'\n'
	done <"$pairs"
	printf '%s' "$stepped" >"$pairs"
}

# "unused": the test has just made it up. A scenario about restarts sets history to the empty string.
history=unused
install_generation() { # NODE MEMBERS NUMBER [SEED] [WORDS…]: key_id is 1000 + NUMBER
	local n=$1 members=$2 number=$3 seed=${4:-$3}
	shift $(($# < 4 ? $# : 4))
	key_files "$n" "$members" "$seed"
	on "$n" akmctl generation install akm0 number "$number" key-id $((1000 + number)) \
		chain-file "$scratch/$n-$seed.chain" pair-file "$scratch/$n-$seed.pairs" ${history:+"$history"} "$@"
}

activate() { # NODE NUMBER [WORDS…]
	local n=$1 number=$2
	shift 2
	on "$n" akmctl generation activate akm0 number "$number" "$@"
}

retire() { # NODE NUMBER
	on "$1" akmctl generation retire akm0 number "$2"
}

# group_up "a b c": wire, devices, members, and generation 1 active everywhere; x is on the wire as well.
group_up() {
	local members=$1 n
	# shellcheck disable=SC2086 # a list of names
	wire_up $members x
	ip -n x route add 10.77.0.0/24 dev eth0
	for n in $members; do
		need "$n has an akm interface with members $members" atr_up "$n" "$members"
		need "$n holds generation 1" install_generation "$n" "$members" 1
	done
	for n in $members; do
		need "$n sends on generation 1" activate "$n" 1
	done
}

twin_up() { # after group_up "a b": x has copied a's secrets, index and incarnation
	ip -n x route del 10.77.0.0/24 dev eth0
	on x akmctl dev add akm0 && on x akmctl dev set akm0 atr-id 1 self 1 suite aes-256-gcm incarnation 1 &&
		member_set x a && member_set x b &&
		ip -n x addr add 10.77.0.1/24 dev akm0 && ip -n x link set akm0 up &&
		on x akmctl generation install akm0 number 1 key-id 1001 unused \
			chain-file "$scratch/a-1.chain" pair-file "$scratch/a-1.pairs" &&
		on x akmctl generation activate akm0 number 1
}

counter() { # NODE NAME [IF]: e.g. rx_replay
	on "$1" akmctl -j stats "${3:-akm0}" | field "$2"
}

counter_at_least() { # NODE COUNTER LEAST
	at_least "$(counter "$1" "$2")" "$3"
}

epoch_of() { # NODE: the epoch of its first generation
	on "$1" akmctl -j generation show akm0 | field epoch
}

epoch_is() { # NODE EPOCH
	equal "$(epoch_of "$1")" "$2"
}

monitor_start() { # NODE FILE: its events, as JSON, from now on
	start "$2" on "$1" akmctl -j monitor
	within 20 says listening "$2"
}

pings() { # FROM TO [OPTIONS…]: five in, five out
	local from=$1 to=$2
	shift 2
	on "$from" ping -q -c 5 -i 0.05 -W 3 "$@" "$to" | shows ' 0% packet loss'
}

silent() { # FROM TO [OPTIONS…]: nothing comes back
	local from=$1 to=$2
	shift 2
	on "$from" ping -q -c 3 -i 0.1 -W 1 "$@" "$to" 2>&1 | shows ' 100% packet loss|Network is unreachable|No data'
}

overlay() { # NODE: its IPv4 address inside
	echo "10.77.0.$(index_of "$1")"
}

overlay6() {
	echo "fd77::$(index_of "$1")"
}

tcp_transfer() { # FROM TO ADDRESS BYTES: one TCP connection, compared by digest
	local from=$1 to=$2 address=$3 bytes=$4 family=TCP4 host=$3 want got
	[[ $address == *:* ]] && family=TCP6 host="[$address]"
	head -c "$bytes" /dev/urandom >"$scratch/tcp.in"
	start "$scratch/tcp.log" on "$to" socat -u "$family-LISTEN:5001,reuseaddr" "CREATE:$scratch/tcp.out"
	local server=$started
	within 10 on "$to" sh -c 'ss -ltn | grep -q :5001' || return
	on "$from" timeout 60 socat -u "OPEN:$scratch/tcp.in" "$family:$host:5001" || { stop "$server"; return 1; }
	within 30 ended "$server" || { stop "$server"; return 1; }
	wait "$server"
	want=$(sha256sum <"$scratch/tcp.in") got=$(sha256sum <"$scratch/tcp.out")
	equal "$got" "$want"
}

overtaken() { # NODE: TCP segments that came before one they follow
	on "$1" nstat -asz TcpExtTCPOFOQueue | awk '/OFOQueue/ { print $2 }'
}

driver() { # PATTERN: of the driver that serves both ends
	local n
	for n in a b; do
		on "$n" akmctl -j dev show akm0 | field driver | shows "^$1" || return
	done
}

udp_listen() { # NODE ADDRESS PORT FILE: appends what arrives to FILE; its process id is $started
	local family=UDP4 host=$2
	[[ $2 == *:* ]] && family=UDP6 host="[$2]"
	start "$4.log" on "$1" socat -u "$family-RECV:$3${5:+,$5}" "OPEN:$4,creat,append"
	within 10 on "$1" sh -c "ss -lun | grep -q ':$3'"
}

slab() { # kB that only their owners give back
	awk '/^SUnreclaim:/ { print $2 }' /proc/meminfo
}

slab_below() { # LIMIT
	local now
	now=$(slab)
	[ "$now" -lt "$1" ] || { echo "$now kB, not below $1"; return 1; }
}

quarantine() { # KASAN keeps for a while what was given back
	grep -q ' kasan_quarantine_put$' /proc/kallsyms
}

world_down() { # everything that wire_up and start made
	stop_all
	delete_namespaces
}

scenario_end() {
	local status=$?
	trap - EXIT
	world_down
	# Nothing may hold the module once its interfaces are gone.
	if grep -q '^akm ' /proc/modules; then
		claim "the module can be removed afterwards" within 20 rmmod akm
	fi
	rm -rf "$scratch"
	[ "$status" = 0 ] || exit "$status"
	claims_done
	exit $?			# explicit: a bare exit in a trap gives the status from before it
}
trap scenario_end EXIT

need "akm.ko loads on $(uname -r)" load_module
