#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What basic does, over IPv6 outside.
# shellcheck disable=SC2034 # lib.sh's
outer=6
# shellcheck source=tests/vm/scenarios/kernel/basic.sh
. "$(dirname "$0")/basic.sh"
