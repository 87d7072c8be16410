# SPDX-License-Identifier: GPL-2.0
"""The rows of summary.json as a bar chart: throughput against WireGuard's. SVG, no library."""
from xml.sax.saxutils import escape

COLOURS = {
    "vxlan": "#c8c8c8", "wireguard": "#8c6bb1", "macsec256": "#74a9cf",
    "esp-transport": "#41ae76", "esp-tunnel": "#99d8c9",
    "akm-aes256gcm": "#e34a33", "akm-chacha20poly1305": "#fdbb84",
}
LABELS = {
    "vxlan": "VXLAN, no crypto", "wireguard": "WireGuard", "macsec256": "MACsec AES-256-GCM",
    "esp-transport": "ESP transport", "esp-tunnel": "ESP tunnel",
    "akm-aes256gcm": "AKM AES-256-GCM", "akm-chacha20poly1305": "AKM ChaCha20-Poly1305",
}
TITLES = {
    "tcp1": "TCP, 1 flow", "ktcp1": "TCP in the kernel", "tcp4": "TCP, 4 flows", "udp64": "UDP 64 B",
    "udp512": "UDP 512 B", "udp1400": "UDP 1400 B",
}
WIDTH, BAR, GAP, LEFT, TOP, HEIGHT = 900, 17, 26, 50, 70, 260


def text(x, y, words, anchor="middle", size=12):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
            f'font-size="{size}">{escape(words)}</text>')


def rect(x, y, width, height, colour):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width}" height="{height:.1f}" fill="{colour}"/>'


def line(x1, y1, x2, y2, style='stroke="#999"'):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'


def against_wireguard(row):
    return 1.0 if row["kind"] == "wireguard" else row["ratio"].get("wireguard")


def axis(top_value, right):
    step = 0.5 if top_value <= 4 else 1.0
    parts, value = [], 0.0
    while value <= top_value:
        y = TOP + HEIGHT * (1 - value / top_value)
        bold = 'stroke="#555" stroke-dasharray="4 3"' if value == 1 else 'stroke="#e4e4e4"'
        parts += [line(LEFT, y, right, y, bold), text(LEFT - 6, y + 4, f"{value:g}", "end")]
        value += step
    return parts


def group(x, test, rows, top_value):
    """The bars of one test from @x on; where the next may begin"""
    parts, begin = [], x
    for row in rows:
        ratio = against_wireguard(row)
        height = HEIGHT * ratio / top_value
        y = TOP + HEIGHT - height
        parts += [rect(x, y, BAR - 2, height, COLOURS[row["kind"]]),
                  text(x + BAR / 2 - 1, y - 4, f"{ratio:.1f}", size=9)]
        if row["share_of_limit"]:
            y = TOP + HEIGHT - height / row["share_of_limit"]
            parts.append(line(x - 1, y, x + BAR - 1, y, 'stroke="#000" stroke-width="2"'))
        x += BAR
    parts.append(text((begin + x) / 2, TOP + HEIGHT + 18, TITLES[test]))
    return parts, x + GAP


def legend(kinds):
    parts, x, y = [], LEFT, 28
    for kind in kinds:
        parts += [rect(x, y - 9, 10, 10, COLOURS[kind]), text(x + 14, y, LABELS[kind], "start", 11)]
        x += 24 + 6.4 * len(LABELS[kind])
        if x > WIDTH - 150:
            x, y = LEFT, y + 16
    parts += [line(x, y - 4, x + 10, y - 4, 'stroke="#000" stroke-width="2"'),
              text(x + 14, y, "limit", "start", 11)]
    return parts


def chart(rows):
    """Return: an SVG document"""
    rows = [r for r in rows if r["test"] in TITLES and r["kind"] in COLOURS
            and against_wireguard(r)]
    tests = [test for test in TITLES if any(r["test"] == test for r in rows)]
    kinds = [kind for kind in COLOURS if any(r["kind"] == kind for r in rows)]
    highest = max((against_wireguard(r) / min(r["share_of_limit"] or 1, 1) for r in rows), default=1)
    parts, x = [], LEFT + 14
    for test in tests:
        bars, x = group(x, test, [r for r in rows if r["test"] == test], highest * 1.1)
        parts += bars
    width = max(WIDTH, x)
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + HEIGHT + 34}" '
            'font-family="sans-serif">')
    return "\n".join([
        head, "<!-- SPDX-License-Identifier: GPL-2.0 -->",
        rect(0, 0, width, TOP + HEIGHT + 34, "#fff"),
        text(LEFT, 12, "Throughput against WireGuard, one CPU runs both ends", "start", 12),
        *legend(kinds), *axis(highest * 1.1, x), *parts, "</svg>", ""])
