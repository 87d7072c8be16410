#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the lines of growth.c say: the control path's cost as an ATR grows.

    growth.py [--json FILE] [--svg FILE] [--verdict MEMBERS] LOG

Prints a table. With --verdict 10:100, "passed NAME" or "failed NAME: why" as well: that all
figures are there, and that nothing grows with the square of the members.
"""
import argparse
import json
import re
import statistics
import sys

import loglog

TESTS = {
    "member": "all members set", "install": "generation installed", "roll": "epoch rolled",
    "dump": "members dumped", "erase": "generation erased", "remove": "device removed",
}
KINDS = ("idle", "talking")
COLOURS = {"member": "#969696", "install": "#e34a33", "roll": "#8c6bb1", "dump": "#41ae76",
           "erase": "#74a9cf", "remove": "#fdbb84"}
# What one member costs may be so many times more in an ATR that is ten times as large: ten times, were it
# quadratic. Not once, because their memory leaves one cache after the other (performance.rst, "Many members").
GROWTH_MAX = 3.0
# Below, what does not depend on the members is too large a part
GROWTH_FROM = 1000
BYTES_MAX = {"idle": 2560, "talking": 24576}    # of a member, its generation included, from GROWTH_FROM on


def read(lines):
    """({(test, kind): {members: [ns]}}, {kind: {members: bytes}})"""
    times, sizes = {}, {}
    for words in (re.sub(r"\r", "", each).split() for each in lines):
        if words[:2] == ["akm-growth:", "time"] and len(words) == 6:
            times.setdefault((words[2], words[3]), {}).setdefault(int(words[4]), []).append(int(words[5]))
        elif words[:2] == ["akm-growth:", "bytes"] and len(words) == 5:
            sizes.setdefault(words[2], {})[int(words[3])] = int(words[4])
    return times, sizes


def row(test, kind, members, unit, values):
    return {"test": test, "kind": kind, "members": members, "unit": unit, "median": statistics.median(values),
            "min": min(values), "max": max(values)}


def rows_of(times, sizes):
    """The rows of growth.json; bytes are of each member"""
    rows = [row(test, kind, n, "ns", values)
            for (test, kind), by_members in times.items() for n, values in sorted(by_members.items())]
    return rows + [row("memory", kind, n, "bytes", [value])
                   for kind, by_members in sizes.items() for n, value in sorted(by_members.items())]


def growth(times, kind, test, n):
    """How many times more one of 10 n members costs than one of n: the quickest of each"""
    by_members = times.get((test, kind), {})
    if n not in by_members or 10 * n not in by_members:
        return None
    return min(by_members[10 * n]) / 10 / min(by_members[n])


def verdicts(times, sizes, members):
    """(name, what is wrong or None)"""
    for kind in KINDS:
        for test in TESTS:
            have = times.get((test, kind), {})
            missing = [n for n in members if not all(v > 0 for v in have.get(n, [0]))]
            yield f"{test} {kind}", f"no figure for {missing}" if missing else None
            for n in (n for n in members if n >= GROWTH_FROM):
                ratio = growth(times, kind, test, n)
                if ratio is not None:
                    yield (f"{test} {kind} grows from {n} to {10 * n}",
                           f"each costs {ratio:.1f} times as much" if ratio > GROWTH_MAX else None)
        for n in members:
            size = sizes.get(kind, {}).get(n, 0)
            wrong = n >= GROWTH_FROM and not 256 < size <= BYTES_MAX[kind]
            yield f"memory {kind} {n}", f"{size} bytes" if wrong or size <= 0 else None


def shown(ns):
    return f"{ns / 1e6:.3g}" if ns < 1e9 else f"{ns / 1e6:.0f}"


def table(times, sizes):
    members = sorted({n for by_members in times.values() for n in by_members})
    lines = [f"{'ms of processor time, median':34}" + "".join(f"{n:>10}" for n in members) + "   each: × from 1,000"]
    for kind in KINDS:
        for test, title in TESTS.items():
            by_members = times.get((test, kind), {})
            ratio = growth(times, kind, test, GROWTH_FROM)
            lines.append(f"{title + ', ' + kind:34}" +
                         "".join(f"{shown(statistics.median(by_members[n])) if n in by_members else '':>10}"
                                 for n in members) + ("" if ratio is None else f"{ratio:>10.2f}"))
    for kind in KINDS:
        lines.append(f"{'bytes of one member, ' + kind:34}" +
                     "".join(f"{sizes.get(kind, {}).get(n, ''):>10}" for n in members))
    return "\n".join(lines)


def chart(times):
    """Return: an SVG document"""
    def order(key):
        return KINDS.index(key[1]), list(TESTS).index(key[0])
    return loglog.chart("Processor time of the kernel for what is done to a whole ATR", "members", [
        loglog.Curve({n: statistics.median(v) for n, v in times[test, kind].items()}, COLOURS[test],
                     f"{TESTS[test]}, {kind}", kind == "talking") for test, kind in sorted(times, key=order)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json")
    parser.add_argument("--svg")
    parser.add_argument("--verdict", metavar="MEMBERS")
    parser.add_argument("log")
    args = parser.parse_args()
    with open(args.log, errors="replace", encoding="utf-8") as f:
        times, sizes = read(f)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump({"rows": rows_of(times, sizes)}, f, indent=1)
            f.write("\n")
    if args.svg and times:
        with open(args.svg, "w", encoding="utf-8") as f:
            f.write(chart(times))
    print(table(times, sizes))
    if args.verdict:
        for name, why in verdicts(times, sizes, [int(n) for n in args.verdict.split(":")]):
            print(f"failed {name}: {why}" if why else f"passed {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
