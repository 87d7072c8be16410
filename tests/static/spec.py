#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""spec.py SPEC HEADER: compare a netlink specification with its C header.

Every name of Documentation/netlink/specs/akm.yaml must be in the header with
the same value and in the same order, and the header must define nothing else.
Prints each difference; exit status 1 if there is one.
"""
import re
import sys

import yaml

ENUM = re.compile(r"enum\s+(\w+)\s*{(.*?)}", re.S)
COMMENT = re.compile(r"/\*.*?\*/", re.S)
DEFINE = re.compile(r"^#define[ \t]+(\w+)[ \t]+(.+)$", re.M)


def c_name(prefix, name):
    return (prefix + name).upper().replace("-", "_")


def header_enums(text):
    """Return: {enum name: [(enumerator, value)]}, without the private ones."""
    enums = {}
    for name, body in ENUM.findall(text):
        value, members = -1, []
        for item in filter(None, (part.strip() for part in body.split(","))):
            ident, _, number = (s.strip() for s in item.partition("="))
            value = int(number, 0) if number else value + 1
            if not ident.startswith("__") and not ident.endswith("_UNSPEC"):
                members.append((ident, value))
        enums[name] = members
    return enums


def header_defines(text):
    """Return: {macro: value}, without the include guard and the *_MAX of enums."""
    return {
        name: value.strip().strip('"')
        for name, value in DEFINE.findall(text)
        if "__" not in value
    }


def numbered(entries, prefix, first):
    """Names and values of a list in the spec; `value` restarts the count."""
    value, out = first - 1, []
    for entry in entries:
        entry = entry if isinstance(entry, dict) else {"name": entry}
        value = entry.get("value", value + 1)
        out.append((c_name(prefix, entry["name"]), value))
    return out


def spec_enums(spec):
    """Return: {enum name: [(enumerator, value)]} that the spec asks for."""
    family = spec["name"]
    enums = {}
    for d in spec.get("definitions", []):
        if d["type"] == "enum":
            name = d.get("enum-name") or c_name("", f"{family}-{d['name']}").lower()
            prefix = d.get("name-prefix", f"{family}-{d['name']}-")
            enums[name] = numbered(d["entries"], prefix, d.get("value-start", 0))
    for s in spec["attribute-sets"]:
        if "subset-of" in s:
            continue
        prefix = s.get("name-prefix", f"{family}-a-{s['name']}-")
        name = s.get("enum-name") or prefix.rstrip("-").replace("-", "_")
        enums[name] = numbered(s["attributes"], prefix, 1)
    ops = spec["operations"]
    prefix = ops.get("name-prefix", f"{family}-cmd-")
    name = ops.get("enum-name") or prefix.rstrip("-").replace("-", "_")
    enums[name] = numbered(ops["list"], prefix, 1)
    return enums


def spec_constants(spec):
    """Return: {macro: value as text} that the spec asks for."""
    family = spec["name"]
    constants = {
        spec.get("c-family-name", c_name("", f"{family}-genl-name")).upper().replace("-", "_"):
            family,
        spec.get("c-version-name", c_name("", f"{family}-genl-version")).upper().replace("-", "_"):
            str(spec.get("version", 1)),
    }
    for d in spec.get("definitions", []):
        if d["type"] == "const":
            constants[c_name(f"{family}-", d["name"])] = str(d["value"])
    for group in spec.get("mcast-groups", {}).get("list", []):
        macro = group.get("c-define-name") or c_name(f"{family}-mcgrp-", group["name"])
        constants[macro.upper().replace("-", "_")] = group["name"]
    return constants


def same_value(a, b):
    try:
        return int(a, 0) == int(b, 0)
    except ValueError:
        return a == b


def compare(spec, header):
    """Return: list of differences."""
    text = COMMENT.sub("", header)
    wanted, found = spec_enums(spec), header_enums(text)
    diffs = [f"enum {name} is not in the header" for name in wanted if name not in found]
    diffs += [f"enum {name} is not in the spec" for name in found if name not in wanted]
    for name in sorted(wanted.keys() & found.keys()):
        want, have = wanted[name], found[name]
        if want == have:
            continue
        diffs += [f"enum {name}: {i} = {v} only in the spec" for i, v in want if (i, v) not in have]
        diffs += [f"enum {name}: {i} = {v} only in the header" for i, v in have if (i, v) not in want]
        if sorted(want) == sorted(have):
            diffs.append(f"enum {name}: the order differs")
    wanted, found = spec_constants(spec), header_defines(text)
    for name in sorted(wanted.keys() | found.keys()):
        want, have = wanted.get(name), found.get(name)
        if want is None or have is None or not same_value(want, have):
            diffs.append(f"{name}: the spec says {want}, the header {have}")
    return diffs


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: spec.py SPEC HEADER")
    with open(sys.argv[1], encoding="utf-8") as f:
        spec = yaml.safe_load(f)
    with open(sys.argv[2], encoding="utf-8") as f:
        diffs = compare(spec, f.read())
    print("\n".join(diffs), end="\n" if diffs else "")
    sys.exit(1 if diffs else 0)


if __name__ == "__main__":
    main()
