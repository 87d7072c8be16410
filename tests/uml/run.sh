#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh BUILD INIT [kernel arguments]: boot the UML kernel of the build directory
# BUILD on this machine's own root, read-only, with INIT (absolute path) as
# process 1. Console on standard output. Fails after UML_TIMEOUT seconds.
#
# setarch -R: UML maps its memory where address randomization may put other things.
set -euo pipefail

build=$1 init=$2
shift 2
exec timeout --kill-after=5 "${UML_TIMEOUT:-600}" \
	setarch -R "$build/linux" mem="${UML_MEM:-512M}" \
	rootfstype=hostfs root=/dev/root rootflags=/ ro init="$init" \
	con0=fd:0,fd:1 con=null ssl=null loglevel=7 "$@" </dev/null
