"""Charts as text: bars in HTML, which wrap on a phone, and lines and points in SVG.

Colours are classes of `STYLE`, so that a page or a picture follows the reader's light or dark.
"""

import math
from html import escape

# One colour a library, in both lights; ours is the strong one.
COLOURS = {
    "vecblade": ("#0b57d0", "#6ea8fe"),
    "simsimd": ("#b35900", "#f0a35e"),
    "numkong": ("#2e7d32", "#81c784"),
    "faiss": ("#7b3fa0", "#c79be0"),
    "usearch": ("#8d5524", "#d4a276"),
    "numpy": ("#5f6368", "#a9adb3"),
    "scipy": ("#00796b", "#5cc4b4"),
    "sklearn": ("#ad1457", "#f28ab2"),
}
LIBRARIES = tuple(COLOURS)


def variables(side):
    """Colours as CSS variables: 0 in the light, 1 in the dark."""
    inks = (
        *(
            ("paper", ("#ffffff", "#15181d")),
            ("card", ("#f6f7f9", "#1e2229")),
            ("ink", ("#1b1d21", "#e6e8eb")),
        ),
        *(
            ("soft", ("#5b6067", "#a2a8b0")),
            ("line", ("#d5d8dd", "#3a404a")),
            ("limit", ("#c62828", "#ff8a80")),
        ),
        *(("good", ("#1b7f3b", "#7ddb9a")), ("bad", ("#b3261e", "#ff9d94"))),
    )
    return "".join(f"--{name}:{pair[side]};" for name, pair in (*inks, *COLOURS.items()))


THEMES = (
    f":root{{{variables(0)}}}"
    f"@media(prefers-color-scheme:dark){{:root:not([data-theme=light]){{{variables(1)}}}}}"
    f":root[data-theme=dark]{{{variables(1)}}}"
)
DRAWING = (
    "svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .soft{fill:var(--soft)}"
    "svg .grid{stroke:var(--line);stroke-width:1}svg .mark{stroke:var(--limit);stroke-width:1.5;stroke-dasharray:5 4}"
    "svg path.series{fill:none;stroke-width:2}svg .ours{stroke-width:3}"
    + "".join(f".s-{name}{{stroke:var(--{name});fill:var(--{name})}}" for name in COLOURS)
    + "svg path.series{fill:none}svg text[class*=s-]{stroke:none}"
)


def library(name):
    """Of a contender's name, whose it is."""
    return next((known for known in LIBRARIES if name.startswith(known)), "numpy")


def seconds(value):
    unit, scale = next((u for u in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)) if value >= u[1]), ("ns", 1e-9))
    return f"{value / scale:.3g} {unit}"


# ---- bars ----------------------------------------------------------------------------------


def bars(title, times, limits, doubted=()):
    """A card: a bar for each contender's time, the shortest first, and a line where a limit is that can be right."""
    drawn = {name: limit for name, limit in limits.items() if name not in doubted}
    longest = max((*times.values(), *drawn.values()))
    rows = []
    for name, value in sorted(times.items(), key=lambda item: item[1]):
        ours = " ours" if name == "vecblade" else ""
        rows.append(
            f'<div class="bar{ours}"><span class="who">{escape(name)}</span><span class="track">'
            f'<i class="fill" style="width:{100 * value / longest:.2f}%;background:var(--{library(name)})"></i>'
            + "".join(
                f'<b class="limit" style="left:{100 * limit / longest:.2f}%"></b>' for limit in drawn.values()
            )
            + f'</span><span class="value">{seconds(value)}</span></div>'
        )
    said = ", ".join(
        f"{escape(name)} {seconds(value)}" + (" (not to be trusted)" if name in doubted else "")
        for name, value in limits.items()
    )
    mark = '<b class="limit"></b> ' if drawn else ""
    note = f'<p class="limits">{mark}{said}</p>' if said else ""
    return f'<figure class="card"><figcaption>{escape(title)}</figcaption>{"".join(rows)}{note}</figure>'


# ---- lines and points ------------------------------------------------------------------------


def text(x, y, what, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(what)}</text>'


def path(d, kind, more=""):
    return f'<path class="{kind}" fill="none" d="{d}"{more}/>'


def dot(x, y, name, kind="vecblade", size=4.5):
    title = f"<title>{escape(name)}</title>"
    return f'<circle class="s-{kind}" fill-opacity=".6" cx="{x:.1f}" cy="{y:.1f}" r="{size}">{title}</circle>'


class Axes:
    """Two logarithmic axes in a picture."""

    WIDTH, HEIGHT = 380, 280

    def __init__(self, xs, ys, titles, labels=(None, None), right=12):
        self.left, self.right, self.top, self.bottom = 54, self.WIDTH - right, 22, self.HEIGHT - 40
        self.x, self.y = span(xs), span(ys)
        self.titles = titles
        self.labels = [label or short for label in labels]

    def at(self, x, y):
        (x0, x1), (y0, y1) = self.x, self.y
        across, up = (math.log10(x) - x0) / (x1 - x0), (math.log10(y) - y0) / (y1 - y0)
        return self.left + across * (self.right - self.left), self.bottom - up * (self.bottom - self.top)

    def frame(self):
        """Grid, numbers, and what the axes are."""
        parts = [text(self.left, self.top - 8, self.titles[1], "soft")]
        for value in ticks(*self.x):
            x, _ = self.at(value, 1)
            parts += path(f"M{x:.1f} {self.top}V{self.bottom}", "grid")
            parts += text(x, self.bottom + 15, self.labels[0](value), "soft", "middle")
        for value in ticks(*self.y):
            _, y = self.at(1, value)
            parts += path(f"M{self.left} {y:.1f}H{self.right}", "grid")
            parts += text(self.left - 5, y + 4, self.labels[1](value), "soft", "end")
        parts += text((self.left + self.right) / 2, self.HEIGHT - 6, self.titles[0], "", "middle")
        return "".join(parts)

    def picture(self, body, title="", note=""):
        above, below = 24 if title else 0, 18 if note else 0
        heading = text(self.left, -8, title) if title else ""
        small = text(self.left, self.HEIGHT + 12, note, "soft") if note else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title or self.titles[1])}" '
            f'viewBox="0 {-above} {self.WIDTH} {self.HEIGHT + above + below}">'
            f"{heading}{self.frame()}{''.join(body)}{small}</svg>"
        )


def span(values):
    low, high = math.log10(min(values)), math.log10(max(values))
    room = max(0.05 * (high - low), 0.05)
    return low - room, high + room


def ticks(low, high):
    """Powers of ten, with 2 and 5 between them where there is room, and fewer where there is not."""
    steps = (1, 2, 5) if high - low < 2.2 else (1,)
    apart = 1 if high - low < 6 else 2 if high - low < 9 else 4
    exponents = [e for e in range(math.floor(low), math.ceil(high) + 1) if e % apart == 0]
    every = [step * 10.0**e for e in exponents for step in steps]
    return [value for value in every if low <= math.log10(value) <= high]


def short(value):
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"


def giga(value):
    return f"{value / 1e9:g}"


def spread(marks, least=13):
    """(height, ...) moved apart where labels would lie on each other."""
    placed = []
    for y, *rest in sorted(marks):
        y = max(y, placed[-1][0] + least) if placed else y
        placed.append((y, *rest))
    return placed


def lines(title, series, x_title, y_title, y_label=None, note=""):
    """A line for each contender over x, labelled at its end."""
    points = [point for of_one in series.values() for point in of_one]
    axes = Axes([x for x, _ in points], [y for _, y in points], (x_title, y_title), (None, y_label), 122)
    drawn, ends = [], []
    for name, points in series.items():
        where = [axes.at(x, y) for x, y in sorted(points)]
        kind = f"series s-{library(name)}" + (" ours" if name == "vecblade" else "")
        dashes = ' stroke-dasharray="6 3"' if name.startswith("vecblade,") else ""
        drawn.append(path("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in where), kind, dashes))
        ends.append((where[-1][1], where[-1][0], name))
    drawn += [text(x + 6, y + 4, name, f"s-{library(name)}") for y, x, name in spread(ends)]
    return axes.picture(drawn, title, note)


def points(title, marks, x_title, y_title, x_label=None, y_label=None):
    """(x, y, name) as dots with names."""
    axes = Axes([m[0] for m in marks], [m[1] for m in marks], (x_title, y_title), (x_label, y_label), 100)
    return axes.picture(named(axes, marks), title)


def named(axes, marks, of=None):
    """Dots with their names beside them, in the colour of a library: the one that the name says, if it is not said."""
    placed = [(*axes.at(x, y), name) for x, y, name in marks]
    for label, x, y, name in spread((y, x, y, name) for x, y, name in placed):
        kind = of or library(name)
        yield dot(x, y, name, kind) + text(x + 8, label + 4, name, f"s-{kind}")


def strip(title, marks, note=""):
    """Dots on one logarithmic axis of ratios, with a line at 1."""
    width, height, left = 380, 46, 8
    ratios = [ratio for ratio, _ in marks]
    low, high = math.log10(min(0.1, *ratios) / 1.1), math.log10(max(2.0, *ratios) * 1.1)

    def at(value):
        return left + (math.log10(value) - low) / (high - low) * (width - 2 * left)

    drawn = []
    for tick in ticks(low, high):
        drawn += path(f"M{at(tick):.1f} 4V{height - 18}", "grid")
        drawn += text(at(tick), height - 4, f"{tick:g}", "soft", "middle")
    drawn += path(f"M{at(1):.1f} 0V{height - 16}", "mark")
    drawn += [dot(at(ratio), (height - 16) / 2, f"{name}: {ratio:.2f}") for ratio, name in marks]
    head = f'<figcaption>{escape(title)} <span class="soft">{escape(note)}</span></figcaption>'
    svg = (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">{"".join(drawn)}</svg>'
    )
    return f'<figure class="strip">{head}{svg}</figure>'


def roofline(peak, reads, marks):
    """(multiply-adds a byte, a second, name), under what memory, cache and the instruction allow."""
    reads = {int(size): rate for size, rate in reads.items()}
    xs, ys = [mark[0] for mark in marks] + [0.02, 2000], [mark[1] for mark in marks] + [peak * 2, 2e9]
    axes = Axes(xs, ys, ("multiply-adds a byte", "10⁹ multiply-adds a second"), (None, giga), 80)
    drawn = []
    for size in {max(reads), min(reads)}:
        rate = reads[size]
        start = max(10 ** axes.x[0], 10 ** axes.y[0] / rate)
        (x0, y0), (x1, y1) = axes.at(start, rate * start), axes.at(peak / rate, peak)
        drawn += path(f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}", "mark")
        x, y = axes.at(start * 1.5, rate * start * 1.5)
        drawn += text(
            x + 6, y + 4, "memory" if size > 64 << 20 else "L1 cache" if size < 32 << 10 else "cache", "soft"
        )
    x0, y0 = axes.at(peak / reads[min(reads)], peak)
    drawn += path(f"M{x0:.1f} {y0:.1f}H{axes.right}", "mark")
    drawn += named(axes, marks, "vecblade")
    return axes.picture(drawn)
