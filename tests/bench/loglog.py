# SPDX-License-Identifier: GPL-2.0
"""What something costs as it grows: curves with both axes logarithmic. SVG, no library."""
import math

from plot import line, rect, text

LEFT, RIGHT, TOP, BOTTOM, WIDTH, HEIGHT = 70, 200, 40, 400, 820, 450
DASHES = ' stroke-dasharray="7 4"'


class Curve:
    """points: {size: value}; in which colour, whether dashed, and what it is called"""

    def __init__(self, points, colour, label, dashed=False):
        self.points, self.label = dict(sorted(points.items())), label
        self.style = f'stroke="{colour}" stroke-width="2"{DASHES if dashed else ""}'
        self.colour = colour


class Scale:
    """From values to places; whole powers of ten at the ends"""

    def __init__(self, values, low, high):
        self.first, self.last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        self.low, self.step = low, (high - low) / max(self.last - self.first, 1)

    def place(self, value):
        return self.low + (math.log10(value) - self.first) * self.step

    def ticks(self):
        return [10.0 ** i for i in range(self.first, self.last + 1)]


def time_name(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:g} {unit}"
    return f"{ns:g} ns"


def grid(x, y):
    parts = []
    for value in x.ticks():
        parts += [line(x.place(value), TOP, x.place(value), BOTTOM, 'stroke="#e4e4e4"'),
                  text(x.place(value), BOTTOM + 18, f"{value:,.0f}")]
    for value in y.ticks():
        parts += [line(LEFT, y.place(value), WIDTH - RIGHT, y.place(value), 'stroke="#e4e4e4"'),
                  text(LEFT - 6, y.place(value) + 4, time_name(value), "end")]
    return parts


def slope(x, y, power, words):
    """What would grow with that power of the size, from the lower left corner as far as it is seen"""
    n = min(x.ticks()[-1] / x.ticks()[0], (y.ticks()[-1] / y.ticks()[0]) ** (1 / power))
    to_x, to_y = x.place(x.ticks()[0] * n), y.place(y.ticks()[0] * n ** power)
    return [line(LEFT, BOTTOM, to_x, to_y, 'stroke="#999" stroke-dasharray="2 4"'),
            text(to_x - 8, to_y + 16, words, "end", 11)]


def drawn(x, y, curve):
    places = [(x.place(size), y.place(value)) for size, value in curve.points.items()]
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
    return [f'<polyline points="{path}" fill="none" {curve.style}/>'] + \
        [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{curve.colour}"/>' for px, py in places]


def legend(curves):
    parts, y = [], TOP + 10
    for curve in curves:
        parts += [line(WIDTH - RIGHT + 14, y - 4, WIDTH - RIGHT + 40, y - 4, curve.style),
                  text(WIDTH - RIGHT + 46, y, curve.label, "start", 11)]
        y += 18
    return parts


def chart(title, sizes_are, curves):
    """curves: values in ns. Return: an SVG document"""
    x = Scale([size for curve in curves for size in curve.points], LEFT, WIDTH - RIGHT)
    y = Scale([value for curve in curves for value in curve.points.values()], BOTTOM, TOP)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        "<!-- SPDX-License-Identifier: GPL-2.0 -->", rect(0, 0, WIDTH, HEIGHT, "#fff"),
        text(LEFT, 20, title, "start", 13),
        *grid(x, y), text((LEFT + WIDTH - RIGHT) / 2, BOTTOM + 38, sizes_are),
        *slope(x, y, 1, "linear"), *slope(x, y, 2, "quadratic"),
        *(part for curve in curves for part in drawn(x, y, curve)), *legend(curves), "</svg>", ""])
