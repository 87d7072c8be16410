#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What `make demo` tells, claim by claim.
RESULTS=$RESULTS/story exec bash "$(dirname "$0")/../../story.sh"
