# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Counting, for every lane. A lane's last line is "lane NAME: N passed, N failed, N skipped".

lane_passed=0 lane_failed=0 lane_skipped=0

lane_add() { # PASSED FAILED SKIPPED
	lane_passed=$((lane_passed + $1))
	lane_failed=$((lane_failed + $2))
	lane_skipped=$((lane_skipped + $3))
}

lane_end() { # NAME: the last line; status 1 if anything failed or nothing ran
	echo "lane $1: $lane_passed passed, $lane_failed failed, $lane_skipped skipped"
	[ "$lane_failed" = 0 ] && [ "$lane_passed" -gt 0 ]
}
