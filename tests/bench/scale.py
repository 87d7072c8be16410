#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The figures of tests/lib/scale.sh as a plot: a manager's processor time as its fleet grows.

    scale.py FIGURES SVG

Fails if what is done to all costs much more for each of many nodes than for each of 1,000: ATRs do not grow beyond that,
so that it should cost the same.
"""
import re
import sys

import loglog

COLOURS = {"come at once": "#e34a33", "in ATRs": "#969696", "rekey": "#41ae76", "one is evicted": "#8c6bb1",
           "come back at once": "#74a9cf"}
LINE = re.compile(r"(\d+) nodes, (.*): [\d.]+ s, ([\d.]+) s of CPU")
LEAST = 0.01        # what the figures can show
ATR_MEMBERS = 1000  # tests/unit/test_scale.c
DEARER = 3          # a node of many: caches, and heartbeats that come meanwhile; 10 from 1,000 to 10,000 if it were quadratic
FOR_ALL = ("come at once", "in ATRs", "rekey", "come back at once")


def read(lines):
    """{what: {nodes: seconds of processor time}}"""
    figures = {}
    for found in filter(None, map(LINE.match, lines)):
        figures.setdefault(found[2], {})[int(found[1])] = max(float(found[3]), LEAST)
    return figures


def dearer(figures):
    """(what, nodes, how many times as dear for each of them) where that is too much"""
    for what in FOR_ALL:
        by_nodes = figures.get(what, {})
        if ATR_MEMBERS not in by_nodes:
            continue
        for nodes, seconds in by_nodes.items():
            times = seconds / nodes / (by_nodes[ATR_MEMBERS] / ATR_MEMBERS)
            if nodes > ATR_MEMBERS and times > DEARER:
                yield what, nodes, times


def chart(figures):
    return loglog.chart("Processor time of a manager for what is done to its whole fleet", "nodes",
                        [loglog.Curve({n: s * 1e9 for n, s in by_nodes.items()}, COLOURS[what], what)
                         for what, by_nodes in figures.items()])


def main(source, target):
    with open(source, encoding="utf-8") as f:
        figures = read(f)
    with open(target, "w", encoding="utf-8") as f:
        f.write(chart(figures))
    faults = list(dearer(figures))
    for what, nodes, times in faults:
        print(f"FAIL  {what}: each of {nodes} nodes costs {times:.1f} times what one of {ATR_MEMBERS} costs")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
