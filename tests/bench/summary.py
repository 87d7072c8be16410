#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the rows of bench-init.sh say.

    summary.py [--json FILE] [--svg FILE] LOG...    the table
    summary.py --noisy LOG...                       names the tests to do again
    summary.py --smoke TESTS KINDS LOG...           "passed NAME" or "failed NAME: why"

Kinds are compared in pairs: two values of one repetition, measured one after the
other. Of several logs with the same test, the calmest counts.
"""
import argparse
import json
import re
import statistics
import sys

import plot

TESTS = "tcp1 tcp4 udp64 udp512 udp1400 rtt group4 group64".split()
KINDS = ("plain vxlan wireguard macsec256 esp-transport esp-tunnel "
         "akm-aes256gcm akm-chacha20poly1305").split()
ROW_KEYS = {"test", "kind", "unit", "median", "min", "max", "ratio", "share_of_limit"}

# The peers against WireGuard on a quiet machine (an AVX-512 Xeon; see
# Documentation/performance.rst). Far from these, a figure says little.
KNOWN = {
    "udp64": {"macsec256": 1.59, "esp-transport": 1.53, "esp-tunnel": 1.38},
    "udp512": {"macsec256": 1.49, "esp-transport": 1.41, "esp-tunnel": 1.28},
    "udp1400": {"macsec256": 1.58, "esp-transport": 1.52, "esp-tunnel": 1.43},
    "tcp1": {"macsec256": 1.65, "esp-transport": 1.54, "esp-tunnel": 1.48},
}
STRAY = 0.20        # of the known ratio
SPREAD = 0.40       # between the quartiles of paired ratios, of their median
AEAD_HEADERS = 52   # IPv4 and TCP with a timestamp, inside a TCP segment's packet


def unit(test):
    if test.startswith("udp"):
        return "packets/s"
    if test.startswith("group"):
        return "messages/s"
    return "ns" if test == "rtt" else "Mbit/s"


class Log:
    """rows[test][kind][repetition] = value, and what else one machine said"""

    def __init__(self, lines):
        self.rows, self.p99, self.aead, self.mtu = {}, {}, {}, 1440
        for line in lines:
            words = line.split()
            if words[:1] == ["akm-bench:"]:
                self.take(words[1:])

    def take(self, words):
        if words[0] == "row":
            test, kind, repetition = words[1:4]
            self.rows.setdefault(test, {}).setdefault(kind, {})[repetition] = float(words[4])
            if len(words) > 5:
                self.p99.setdefault(kind, {})[repetition] = float(words[5])
        elif words[0] == "aead":
            kind, repetition, size = words[1:4]
            self.aead[kind, repetition, int(size)] = (float(words[4]), float(words[5]))
        elif words[0] == "mtu" and len(words) > 1:
            self.mtu = int(words[1])


def paired(one, other):
    """The ratios of those repetitions that have both, in their order"""
    return [one[r] / other[r] for r in one if other.get(r)]


def median(values):
    return statistics.median(values) if values else None


def spread(ratios):
    if len(ratios) < 4:
        return 0.0
    low, _, high = statistics.quantiles(ratios, n=4)
    return (high - low) / statistics.median(ratios)


def disorder(log, test):
    """1 or more: too noisy to be believed"""
    kinds = log.rows.get(test, {})
    wireguard = kinds.get("wireguard", {})
    worst = 0.0
    for kind, values in kinds.items():
        ratios = paired(values, wireguard)
        if kind == "wireguard" or not ratios:
            continue
        worst = max(worst, spread(ratios) / SPREAD)
        known = KNOWN.get(test, {}).get(kind)
        if known:
            worst = max(worst, abs(median(ratios) / known - 1) / STRAY)
    return worst


def calmest(logs):
    """{test: log}"""
    tests = {test for log in logs for test in log.rows}
    return {test: min((log for log in logs if test in log.rows),
                      key=lambda log: disorder(log, test)) for test in tests}


def limit(log, test, kind, repetition):
    """The same tunnel without crypto, and the AEAD calls that there must be"""
    bare = log.rows[test].get("vxlan", {}).get(repetition)
    size = int(test[3:]) if test.startswith("udp") else 1400
    pair = log.aead.get((kind, repetition, size))
    if not bare or not pair or test == "rtt":
        return None
    busy, wall = pair
    if test.startswith("udp"):
        return 1e9 / (1e9 / bare + busy)
    if test.startswith("group"):
        return 1e9 / (1e9 / bare + busy / 2)        # the sinks do not open
    if test.startswith("ktcp"):
        wall = busy
    bits = 8 * (log.mtu - AEAD_HEADERS)
    return 1e3 / (1e3 / bare + wall / bits)


def share_of_limit(log, test, kind):
    values = log.rows[test][kind]
    limits = {r: limit(log, test, kind.split("@")[0], r) for r in values}
    return median([values[r] / limits[r] for r in values if limits[r]])


def ratios_of(log, test, kind):
    kinds, result = log.rows[test], {}
    for other, values in kinds.items():
        ratio = median(paired(kinds[kind], values))
        if other == kind or ratio is None:
            continue
        if other == kind + "@base":
            result["base"] = ratio
        elif other == kind + "-copies":
            result["unicast-copies"] = ratio
        elif other == kind + "-underlay":       # of the same copies: what the underlay's group makes of it
            result["underlay-group"] = median(paired(values, kinds.get(kind + "-copies", {})))
        elif other in KINDS:
            result[other] = ratio
    if test == "rtt" and "wireguard" in log.p99 and kind in log.p99:
        result["wireguard-p99"] = median(paired(log.p99[kind], log.p99["wireguard"]))
    return {name: round(value, 3) for name, value in result.items() if value is not None}


def summarise(logs):
    """The rows of summary.json"""
    rows = []
    best = calmest(logs)
    for test in sorted(best, key=lambda t: (TESTS + [t]).index(t)):
        log = best[test]
        for kind in KINDS:
            values = list(log.rows[test].get(kind, {}).values())
            if not values:
                continue
            share = share_of_limit(log, test, kind) if kind.startswith("akm-") else None
            rows.append({
                "test": test, "kind": kind, "unit": unit(test),
                "median": round(statistics.median(values), 1),
                "min": round(min(values), 1), "max": round(max(values), 1),
                "ratio": ratios_of(log, test, kind),
                "share_of_limit": None if share is None else round(share, 3),
            })
    return rows


def shown(value, name):
    scale = 1e3 if name in ("packets/s", "messages/s") else 1
    return f"{value / scale:.0f}" if value / scale >= 20 else f"{value / scale:.1f}"


def table(rows, noisy):
    lines = []
    for test in dict.fromkeys(row["test"] for row in rows):
        part = [row for row in rows if row["test"] == test]
        name = part[0]["unit"].replace("packets/s", "1000 packets/s").replace("messages/s", "1000 messages/s")
        lines += ["", f"{test}, {name}" + ("   (noisy)" if test in noisy else ""),
                  f"  {'':22}{'median':>9}{'min':>9}{'max':>9}  × WireGuard  of limit  other ratios"]
        for row in part:
            ratio = row["ratio"]
            share = row["share_of_limit"]
            other = [f"{k} {v:.2f}" for k, v in ratio.items()
                     if k in ("base", "unicast-copies", "underlay-group", "wireguard-p99")]
            if row["kind"].startswith("akm-"):
                other += [f"{k} {ratio[k]:.2f}" for k in ("macsec256", "esp-transport") if k in ratio]
            against = f"{ratio['wireguard']:.2f}" if "wireguard" in ratio else ""
            figures = "".join(f"{shown(row[k], row['unit']):>9}" for k in ("median", "min", "max"))
            lines.append(f"  {row['kind']:22}{figures}{against:>13}"
                         f"{'' if share is None else format(share, '.2f'):>10}  {', '.join(other)}".rstrip())
    return "\n".join(lines[1:])


def noisy_tests(logs):
    best = calmest(logs)
    return [test for test in TESTS if test in best and disorder(best[test], test) > 1]


def smoke(tests, kinds, rows):
    """(name, what is wrong or None) for every row there must be; never about a time"""
    have = {(row["test"], row["kind"]): row for row in rows}
    for test in tests:
        for kind in ["vxlan", "akm-aes256gcm"] if test.startswith("group") else kinds:
            row, why = have.get((test, kind)), None
            if row is None:
                why = "no figure"
            elif set(row) != ROW_KEYS:
                why = "keys are " + ", ".join(sorted(row))
            elif not 0 < row["min"] <= row["median"] <= row["max"]:
                why = f"min {row['min']}, median {row['median']}, max {row['max']}"
            elif kind.startswith("akm-") and test != "rtt" and not row["share_of_limit"]:
                why = "no share of the limit"
            elif test.startswith("group") and kind.startswith("akm-") and \
                    "unicast-copies" not in row["ratio"]:
                why = "no unicast copies to compare with"
            elif test.startswith("group") and kind.startswith("akm-") and \
                    "underlay-group" not in row["ratio"]:
                why = "nothing by the underlay's group"
            yield f"{test} {kind}", why


def read_logs(names):
    logs = []
    for name in names:
        with open(name, errors="replace", encoding="utf-8") as f:
            logs.append(Log(re.sub(r"\r", "", line) for line in f))
    return logs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json")
    parser.add_argument("--svg")
    parser.add_argument("--noisy", action="store_true")
    parser.add_argument("--smoke", nargs=2, metavar=("TESTS", "KINDS"))
    parser.add_argument("logs", nargs="+")
    args = parser.parse_args()
    logs = read_logs(args.logs)
    if args.noisy:
        print(*noisy_tests(logs))
        return 0
    rows = summarise(logs)
    if args.smoke:
        outcome = list(smoke(args.smoke[0].split(":"), args.smoke[1].split(":"), rows))
        for name, why in outcome:
            print(f"failed {name}: {why}" if why else f"passed {name}")
        return 1 if any(why for _, why in outcome) else 0
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump({"rows": rows}, f, indent=1, ensure_ascii=False)
            f.write("\n")
    if args.svg:
        with open(args.svg, "w", encoding="utf-8") as f:
            f.write(plot.chart(rows))
    print(table(rows, noisy_tests(logs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
