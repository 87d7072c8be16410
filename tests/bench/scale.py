#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The figures of tests/lib/scale.sh as a plot: a manager's processor time as its fleet grows.

    scale.py FIGURES SVG
"""
import re
import sys

import loglog

COLOURS = {"come at once": "#e34a33", "in ATRs": "#969696", "rekey": "#41ae76", "one is evicted": "#8c6bb1",
           "come back at once": "#74a9cf"}
LINE = re.compile(r"(\d+) nodes, (.*): [\d.]+ s, ([\d.]+) s of CPU")
LEAST = 0.01        # what the figures can show


def read(lines):
    """{what: {nodes: seconds of processor time}}"""
    figures = {}
    for found in filter(None, map(LINE.match, lines)):
        figures.setdefault(found[2], {})[int(found[1])] = max(float(found[3]), LEAST)
    return figures


def chart(figures):
    return loglog.chart("Processor time of a manager for what is done to its whole fleet", "nodes",
                        [loglog.Curve({n: s * 1e9 for n, s in by_nodes.items()}, COLOURS[what], what)
                         for what, by_nodes in figures.items()])


def main(source, target):
    with open(source, encoding="utf-8") as f:
        figures = read(f)
    with open(target, "w", encoding="utf-8") as f:
        f.write(chart(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
