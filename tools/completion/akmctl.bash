# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Bash completion for akmctl(8). tests/unit/test_akmctl_docs.c holds it against the table of commands.

_akmctl_objects="dev member generation pair epoch show stats monitor status acknowledge backup node manager atr lock unlock events provision policy doctor help"

_akmctl_verbs() { # OBJECT
	case $1 in
	dev) echo "add del set show" ;;
	member) echo "set del show" ;;
	generation) echo "install activate retire show" ;;
	pair) echo "set" ;;
	epoch) echo "roll" ;;
	node) echo "provision replace list show accept-pcrs rotate evict move rename" ;;
	manager) echo "provision replace rotate" ;;
	atr) echo "create list show add remove rekey set delete lock unlock" ;;
	provision) echo "allow" ;;
	policy) echo "check test show trigger reload" ;;
	esac
}

_akmctl_words() { # "OBJECT VERB" or OBJECT
	case $1 in
	"dev add") echo "atr-id label self suite port incarnation fwmark epoch-interval epoch-grace freshness group ttl flow-ports spread" ;;
	"dev set") echo "atr-id label self suite port incarnation fwmark epoch-interval epoch-grace freshness group ttl flow-ports spread" ;;
	"member set") echo "index name prefix endpoint roams keepalive" ;;
	"member del") echo "index" ;;
	"member show") echo "index" ;;
	"generation install") echo "number key-id epoch chain-file pair-file expect unused" ;;
	"generation activate") echo "number expect grace announce" ;;
	"generation retire") echo "number expect" ;;
	"pair set") echo "number epoch pair-file expect" ;;
	"epoch roll") echo "expect" ;;
	"monitor") echo "count" ;;
	"node provision") echo "via endpoint hardware" ;;
	"node replace") echo "with via endpoint hardware --dry-run" ;;
	"node accept-pcrs") echo "digest" ;;
	"node evict") echo "reason --dry-run" ;;
	"node move") echo "from to --dry-run" ;;
	"node rename") echo "--dry-run" ;;
	"manager provision") echo "via endpoint hardware" ;;
	"manager replace") echo "with via hardware" ;;
	"atr create") echo "members label id suite port subnet subnet6 epoch-interval epoch-grace freshness fallback group ttl --dry-run" ;;
	"atr add") echo "--dry-run" ;;
	"atr remove") echo "--dry-run" ;;
	"atr rekey") echo "reason --dry-run" ;;
	"atr set") echo "label epoch-interval epoch-grace freshness fallback group ttl suite port interrupt member prefix --dry-run" ;;
	"atr delete") echo "--dry-run" ;;
	"atr lock") echo "--dry-run" ;;
	"atr unlock") echo "--dry-run" ;;
	"acknowledge") echo "until" ;;
	"events") echo "-f since limit" ;;
	"provision allow") echo "via for" ;;
	"policy check") echo "hooks --root" ;;
	"policy test") echo "--events --root" ;;
	"policy trigger") echo "node reason" ;;
	"doctor") echo "port tpm hooks" ;;
	esac
}

_akmctl_takes_interface() { # "OBJECT VERB" or OBJECT
	case $1 in
	dev\ * | member\ * | generation\ * | "pair set" | "epoch roll" | show | stats | monitor) [ "$1" != "dev add" ] ;;
	*) return 1 ;;
	esac
}

_akmctl_interfaces() {
	ip -o link show type akm 2>/dev/null | sed 's/^[0-9]*: \([^:@]*\)[:@].*/\1/'
}

_akmctl_reply() { # WORDS
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

# The command among the words before the cursor: options are skipped, --socket and --color take a word.
_akmctl_command() {
	local i word
	object="" verb="" first=0
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--socket | --color) [ -n "$object" ] || ((i++)) ;;
		-*) ;;
		*)
			if [ -z "$object" ]; then
				object=$word first=$((i + 1))
				[ -n "$(_akmctl_verbs "$object")" ] || return 0
			else
				verb=$word first=$((i + 1))
				return 0
			fi
			;;
		esac
	done
}

_akmctl_unused() { # WORDS: those that have not been said yet; prefix and members may come again
	local word said=" ${COMP_WORDS[*]:first:COMP_CWORD-first} "
	for word in $1; do
		case $word in
		prefix | members) echo "$word" ;;
		*) [[ $said == *" $word "* ]] || echo "$word" ;;
		esac
	done
}

_akmctl() {
	local cur prev object verb first key
	cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} COMPREPLY=()
	case $prev in
	--socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
	--color) _akmctl_reply "auto always never" && return ;;
	esac
	_akmctl_command
	if [ -z "$object" ]; then
		case $cur in
		-*) _akmctl_reply "-j --json --socket --color -h --help -V --version" ;;
		*) _akmctl_reply "$_akmctl_objects" ;;
		esac
		return
	fi
	if [ -z "$verb" ] && [ -n "$(_akmctl_verbs "$object")" ]; then
		_akmctl_reply "$(_akmctl_verbs "$object")"
		return
	fi
	case $prev in
	chain-file | pair-file | tpm | --events | --root | check | test) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
	suite) _akmctl_reply "aes-256-gcm chacha20-poly1305 aes-128-gcm" && return ;;
	via) _akmctl_reply "serial:/dev/ unix:/ unix-listen:/" && return ;;
	help) _akmctl_reply "$_akmctl_objects" && return ;;
	esac
	key=$object${verb:+ $verb}
	# after a keyword comes its value, which is anybody's guess
	if [ "$prev" != "-f" ] && [[ " $(_akmctl_words "$key") " == *" $prev "* ]] && ((COMP_CWORD > first)); then
		return
	fi
	if ((COMP_CWORD == first)) && _akmctl_takes_interface "$key"; then
		_akmctl_reply "$(_akmctl_interfaces)"
		return
	fi
	_akmctl_reply "$(_akmctl_unused "$(_akmctl_words "$key")") -j"
}

complete -F _akmctl akmctl
