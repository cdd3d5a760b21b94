"""The report: one JSON with the figures, one page that shows them and needs nothing else."""

import json
import sys
from html import escape

from .._writing import Target, write_bytes
from . import accuracy, charts, goals, limits, run
from .cases import GROUPS

# What a group is about, and whether its cases have a card each or a fold that holds them.
TITLES = {
    "one-to-one": "Two rows",
    "one-to-many": "One row with many",
    "many-to-many": "All pairs",
    "top-k": "Top-k, of an array",
    "search": "Top-k of 1000 queries",
    "index": "Top-k of one query, prepared",
    "unprunable": "Top-k where codes rule nothing out",
    "threads": "Two threads",
    "small-one-to-one": "Two rows of smaller types",
    "small-one-to-many": "One row with many, of smaller types",
    "small-many-to-many": "All pairs of smaller types",
    "small-search": "Top-k of 1000 queries, smaller types",
    "drop-in": "In the place of other libraries",
    "redirection": "The cost of going through a drop-in",
    "hard-data": "Data that is not ordinary",
    "over-dimension": "How time grows with the dimension",
    "over-rows": "How time grows with the rows",
}
CURVES = ("over-dimension", "over-rows")
QUICK = ("one-to-one", "one-to-many", "top-k", "small-one-to-one", *CURVES)
FEW = 9  # cases of a group that are shown at once


def run_all(options):
    """Measure what the options ask for."""
    groups, words = asked_for(options)
    found = []
    for result in run.results(groups, words, options.seconds, options.quick):
        found.append(result)
        print(f"{result['group']}: {result['name']}", file=sys.stderr, flush=True)
    if not found:
        sys.exit(f"no case of {', '.join(groups)} has all of the words: {' '.join(words)}")
    return {
        "machine": run.machine(),
        "limits": limits.machine_limits(min(0.3, options.seconds)),
        "results": found,
        "accuracy": accuracy.errors(),
    }


def asked_for(options):
    """Groups, and words that a case's name must have."""
    groups = [name for name in GROUPS if name in options.words] or list(QUICK if options.quick else GROUPS)
    return groups, [word for word in options.words if word not in GROUPS]


def run_table(options):
    groups, words = asked_for(options)
    width = 76 if "hard-data" in groups else 48
    for line in run.table(run.results(groups, words, options.seconds, options.quick), width):
        print(line, flush=True)


def main(options):
    if options.table:
        run_table(options)
        return
    files = targets(options)
    data = json.loads(options.source.read_text(encoding="utf-8")) if options.source else run_all(options)
    data["goals"] = list(goals.judged(data["results"]))
    for target, text in zip(files, (json.dumps(data, indent=1), page(data)), strict=True):
        write_bytes(target, text.encode())
        print(target.name)
    if options.plots:
        options.plots.mkdir(parents=True, exist_ok=True)
        for name, svg in plots(data):
            path = options.plots / f"{name}.svg"
            write_bytes(Target(path), svg.encode())
            print(path)


def targets(options):
    """Where the figures and the page go: known before there are any."""
    source = {"--from": options.source} if options.source else {}
    names = [options.output.with_name(options.output.name + suffix) for suffix in (".json", ".html")]
    try:
        return [Target(name, source) for name in names]
    except (OSError, ValueError) as error:
        sys.exit(str(error))


# ---- the page --------------------------------------------------------------------------------

STYLE = """
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:1.6rem;margin:.2rem 0}h2{font-size:1.2rem;margin:2rem 0 .6rem}p{margin:.4rem 0}
.soft,.limits,.value{color:var(--soft)}.good{color:var(--good)}.bad{color:var(--bad)}
.grid{display:grid;gap:.8rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr))}
.card,.strip{margin:0;padding:.7rem .8rem;border-radius:.5rem;background:var(--card)}
figcaption{font-weight:600;font-size:.9rem;margin-bottom:.3rem}figcaption .soft{font-weight:400}
.bar{display:grid;grid-template-columns:minmax(6.5rem,38%) 1fr 4.4rem;gap:.4rem;align-items:center;font-size:.8rem}
.bar.ours .who{font-weight:700}.who{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.track{position:relative;height:.8rem}.fill{display:block;height:100%;border-radius:2px;min-width:2px}
b.limit{position:absolute;top:-2px;bottom:-2px;border-left:2px solid var(--limit)}
.limits{font-size:.75rem}.limits b.limit{position:static;margin-right:.2rem}.value{text-align:right}
svg{display:block;width:100%;height:auto}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;width:100%}
td,th{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}
td:first-child{min-width:8.5rem}td.n,th.n{text-align:right;white-space:nowrap}
summary{cursor:pointer;margin:.6rem 0;color:var(--soft)}
button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:.4rem;padding:.2rem .7rem;white-space:nowrap}
header{display:flex;gap:1rem;justify-content:space-between;align-items:start}
"""
SCRIPT = """
document.getElementById('theme').onclick=()=>{const r=document.documentElement,
d=r.dataset.theme?r.dataset.theme==='dark':matchMedia('(prefers-color-scheme:dark)').matches;
r.dataset.theme=d?'light':'dark'}
"""


def page(data):
    machine = data["machine"]
    judged = [goal for goal in data["goals"] if goal["cases"]]
    met = sum(goal["met"] == goal["cases"] for goal in judged)
    versions = ", ".join(f"{name} {v}" for name, v in machine["versions"].items())
    doubts = limits.doubts(
        data["limits"], data["results"], machine.get("level", machine["isa"]), machine.get("clock", 1e9)
    )
    parts = [
        '<header><div><h1>vecblade, measured</h1><p class="soft">'
        f"{escape(machine['cpu'])}, {escape(machine['isa'])}, {machine['threads']} thread(s); {machine['date']}<br>"
        f"{escape(versions)}</p></div><button id='theme' type='button'>light / dark</button></header>",
        "<p>Times are medians of contenders that run in turn, in one process. A red line is what the machine allows: a plain "
        "read of the same bytes, or as many multiply-adds that stay in registers.</p>",
        f'<p class="bad">{escape(busy)} Times are longer than they would be; ratios of one run hold better.</p>'
        if (busy := limits.was_busy(data["limits"], machine["threads"]))
        else "",
        section("Goals", f"<p>{met} of {len(judged)} are met in every case.</p>" + goals_table(judged))
        if judged
        else "",
        section("The machine's limits", limits_table(data["limits"], doubts)),
        overview(data["results"]),
        curves(data["results"]),
        roofline(data, doubts),
        exactness(data),
        *(
            cards(group, [r for r in data["results"] if r["group"] == group])
            for group in TITLES
            if group not in CURVES
        ),
    ]
    embedded = json.dumps(data).replace("<", "\\u003c")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>vecblade, measured</title><style>{charts.THEMES}{STYLE}{charts.DRAWING}</style></head><body>"
        f'{"".join(parts)}<script type="application/json" id="data">{embedded}</script><script>{SCRIPT}</script></body></html>'
    )


def section(title, body):
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def table(heads, rows):
    """Rows of HTML cells; heads that begin with "#" are of numbers."""
    kind = [' class="n"' if head.startswith("#") else "" for head in heads]
    top = "".join(f"<th{k}>{escape(head.lstrip('#'))}</th>" for k, head in zip(kind, heads, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{k}>{cell}</td>" for k, cell in zip(kind, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{top}</tr>{body}</table></div>'


def goals_table(judged):
    rows = []
    for goal in judged:
        met = goal["met"] == goal["cases"]
        verdict = (
            '<span class="good">met</span>'
            if met
            else f'<span class="bad">{short_by(goal["short"])}</span> in {escape(goal["worst_case"])}'
        )
        rows.append(
            (
                escape(goal["text"]),
                verdict,
                ratio(goal["most"]),
                ratio(goal["worst"]),
                escape(goal["against"]),
                f"{goal['met']} of {goal['cases']}",
            )
        )
    return table(("", "", "#at most", "#worst", "our time over that of", "#met"), rows)


def short_by(part):
    return f"short by {100 * part:.0f}%" if part < 1 else f"{1 + part:.3g} times too long"


def ratio(value):
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def limits_table(found, doubts):
    rows = [
        (escape(limits.UNIT[kind]), f"{limits.giga(rate)} · 10⁹ a second", doubted(doubts, "macs", kind))
        for kind, rate in found["macs"].items()
    ]
    for size, rate in found["reads"].items():
        kib = float(size) / 1024
        rows.append(
            (
                f"read of {f'{kib:.0f} KiB' if kib < 1024 else f'{kib / 1024:.0f} MiB'}",
                f"{limits.giga(rate)} GB/s",
                doubted(doubts, "reads", size),
            )
        )
    return table(("one core", "#", ""), rows)


def doubted(doubts, what, which):
    reason = doubts.get((what, which))
    return f'<span class="bad">not to be trusted</span>: {escape(reason)}' if reason else ""


def overview(results):
    strips = []
    for group, title in TITLES.items():
        marks = [(r["ratio"], r["name"]) for r in results if r["group"] == group and r["ratio"]]
        if marks and group not in ("redirection", "hard-data"):
            strips.append(charts.strip(title, marks, f"{len(marks)} cases"))
    if not strips:
        return ""
    note = "<p>Our time over that of the fastest peer: a dot for each case; left of the red line we are faster.</p>"
    return section("Ratios", note + f'<div class="grid">{"".join(strips)}</div>')


def curves(results):
    drawn = []
    for metric in ("dot", "sqeuclidean", "cosine"):
        series = over(results, "over-dimension", "d", lambda r, metric=metric: r["metric"] == metric)
        if series:
            title = f"{metric} of two float32 rows"
            drawn.append(charts.lines(title, series, "elements", "time", charts.seconds))
    for queries in (1, 100):
        series = over(results, "over-rows", "rows", lambda r, queries=queries: r["queries"] == queries)
        if series:
            title = f"top-10 of {queries} quer{'y' if queries == 1 else 'ies'}, 128 elements"
            drawn.append(charts.lines(title, series, "rows", "time", charts.seconds))
    return (
        section("How time grows", f'<div class="grid">{"".join(map(framed, drawn))}</div>') if drawn else ""
    )


def framed(svg):
    return f'<figure class="card">{svg}</figure>'


def over(results, group, key, chosen):
    """{contender: [(x, seconds)]}; empty if there are not two points."""
    series = {}
    for r in results:
        if r["group"] == group and chosen(r):
            for name, value in r["seconds"].items():
                series.setdefault(name, []).append((r[key], value))
    return {name: points for name, points in series.items() if len(points) > 1}


def roofline(data, doubts):
    wanted = {
        ("one-to-many", 10_000, 128): "one with 10,000 x 128",
        ("one-to-many", 100_000, 768): "one with 100,000 x 768",
        ("many-to-many", 2048, 768): "all pairs, 768",
        ("top-k", 100_000, 128): "top-10 of 100",
        ("search", 1_000_000, 128): "top-10 of 1000",
    }
    marks = []
    for r in data["results"]:
        name = wanted.get((r["group"], r["rows"], r["d"]))
        if name and r["metric"] == "dot" and r["dtype"] == "f4" and not r["note"] and r["k"] in (0, 10):
            # Of all pairs both sides are read; of a search the rows, once for all queries.
            intensity = r["macs"] / (r["bytes"] * (2 if r["queries"] == r["rows"] else 1))
            marks.append((intensity, r["macs"] / r["seconds"]["vecblade"], name))
    peaks, reads = (
        {k: r for k, r in data["limits"][w].items() if (w, k) not in doubts} for w in ("macs", "reads")
    )
    if not marks or "f4" not in data["limits"]["macs"]:
        return ""
    if "f4" not in peaks or not reads:
        return section("Roofline", "<p>It is not drawn, for the limits above are not to be trusted.</p>")
    note = "<p>float32 rows: work that reads little for what it computes can reach the instruction's peak. Above it are searches, which rule most pairs out.</p>"
    return section(
        "Roofline", note + f'<div class="grid">{framed(charts.roofline(peaks["f4"], reads, marks))}</div>'
    )


def exactness(data):
    times = {
        (r["metric"], name): value
        for r in data["results"]
        if r["group"] == "one-to-one" and r["dtype"] == "f4" and r["d"] == 768
        for name, value in r["seconds"].items()
    }
    drawn = []
    for metric in ("dot", "sqeuclidean", "cosine"):
        marks = [
            (max(e["largest"], 1e-18), times[metric, e["name"]], e["name"])
            for e in data["accuracy"]
            if e["data"] == "near duplicates" and e["metric"] == metric and (metric, e["name"]) in times
        ]
        if len(marks) > 1:
            title = f"{metric}, near duplicates"
            drawn.append(
                charts.points(
                    title, marks, "largest relative error", "time of two rows", exponent, charts.seconds
                )
            )
    rows = [
        (escape(e["data"]), e["metric"], escape(e["name"]), exponent(e["median"]), exponent(e["largest"]))
        for e in sorted(data["accuracy"], key=lambda e: (e["data"], e["metric"], e["largest"]))
    ]
    note = (
        "<p>Errors against arithmetic without rounding, of 24 pairs of float32 rows of 768 elements: relative to the value, "
        "of dot products to the product of the lengths. Results in float32 have 6e-8 from their own rounding.</p>"
    )
    folded = f"<details><summary>all figures</summary>{table(('rows', 'metric', 'contender', '#median', '#largest'), rows)}</details>"
    return section(
        "Accuracy beside speed", note + f'<div class="grid">{"".join(map(framed, drawn))}</div>' + folded
    )


def exponent(value):
    return "0" if value == 0 else f"{value:.0e}".replace("e-0", "e-").replace("e+00", "")


def cards(group, results):
    if not results:
        return ""
    drawn = [charts.bars(r["name"], r["seconds"], r["limits"], r.get("doubted", ())) for r in results]
    shown = f'<div class="grid">{"".join(drawn[:FEW])}</div>'
    if len(drawn) > FEW:
        shown += f'<details><summary>{len(drawn) - FEW} more</summary><div class="grid">{"".join(drawn[FEW:])}</div></details>'
    return section(TITLES[group], shown)


# ---- pictures for other pages --------------------------------------------------------------------


def plots(data):
    """(name, SVG) for the README, each with the machine's name and both lights."""
    where = f"{data['machine']['cpu']}, {data['machine']['isa']}, one core"
    style = f"<style>{charts.THEMES}svg{{background:var(--paper)}}{charts.DRAWING}</style>"
    results = data["results"]
    for name, group, key, chosen, title, x_title in (
        (
            "two-rows",
            "over-dimension",
            "d",
            lambda r: r["metric"] == "cosine",
            "cosine of two float32 rows",
            "elements",
        ),
        (
            "top-10",
            "over-rows",
            "rows",
            lambda r: r["queries"] == 100,
            "top-10 of 100 queries, 128 elements",
            "rows",
        ),
    ):
        series = over(results, group, key, chosen)
        if series:
            svg = charts.lines(title, series, x_title, "time", charts.seconds, where)
            yield name, svg.replace('role="img"', 'role="img" width="520"', 1).replace(">", f">{style}", 1)
