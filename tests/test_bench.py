"""``python -m vecblade.bench``: a short run of all of it, and what its page shows in a browser."""

import json
import math
import re
import shutil
import subprocess
import sys
import time
from html import unescape
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from standalone import ROOT, compiled, has_compiler, linked, output

import vecblade as vb
from vecblade.bench import charts, goals

# ---- a run ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A quick run's folder."""
    folder = tmp_path_factory.mktemp("bench")
    command = ["--quick", "--seconds", "0.01", "--output", "made", "--plots", "plots"]
    done = subprocess.run(
        [sys.executable, "-m", "vecblade.bench", *command], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["made.json", "made.html"]
    return folder


def data_of(report):
    return json.loads((report / "made.json").read_text(encoding="utf-8"))


def test_the_figures(report):
    data = data_of(report)
    assert {r["group"] for r in data["results"]} >= {"one-to-one", "one-to-many", "top-k", "over-dimension"}
    for result in data["results"]:
        assert result["seconds"]["vecblade"] > 0
        peers = [t for name, t in result["seconds"].items() if not name.startswith("vecblade")]
        if peers:
            assert result["ratio"] == result["seconds"]["vecblade"] / min(peers)
    assert data["machine"]["threads"] == 1
    assert data["machine"]["versions"]["numpy"]
    assert all(rate > 1e8 for rate in data["limits"]["reads"].values())
    # A million times a nanosecond would be the sign of a loop that does nothing.
    assert all(1e8 < rate < 1e15 for rate in data["limits"]["macs"].values())
    assert 0 < data["limits"]["busy"]["ran"] < 1.1
    assert 0 < data["limits"]["busy"]["enough"] <= 1


def test_what_is_exact(report):
    """Ours is as near as float64 sums are, whatever the rows; of near duplicates others are not."""
    errors = {(e["data"], e["metric"], e["name"]): e["largest"] for e in data_of(report)["accuracy"]}
    for (rows, metric, name), largest in errors.items():
        if name == "vecblade":
            assert largest < (1e-6 if (rows, metric) == ("near duplicates", "cosine") else 1e-14), (
                rows,
                metric,
            )
    assert errors["near duplicates", "cosine", "numpy"] > 1e-3


def test_a_report_is_made_again_of_its_figures(report):
    done = subprocess.run(
        [sys.executable, "-m", "vecblade.bench", "--from", "made.json", "--output", "again"],
        cwd=report,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (report / "again.html").read_text() == (report / "made.html").read_text()


def test_a_table():
    done = subprocess.run(
        [sys.executable, "-m", "vecblade.bench", "--table", "--seconds", "0.01", "one-to-one", "dot f4 d=4"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"vecblade \S+, \w+, 1 thread\(s\)", lines[0])
    assert lines[2].split()[:3] == ["case", "vecblade", "ratio"]
    assert [line.split()[:3] for line in lines[3:]] == [["dot", "f4", "d=4"]]


def test_plots_name_the_machine_and_follow_the_light(report):
    found = sorted(path.name for path in (report / "plots").iterdir())
    assert found == ["top-10.svg", "two-rows.svg"]
    for path in (report / "plots").iterdir():
        text = path.read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)
        said = "".join(root.itertext())
        assert data_of(report)["machine"]["cpu"].split(" (")[0] in said
        assert "one core" in said
        assert "prefers-color-scheme:dark" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seconds", "-1"], "--seconds must be more than 0"),
        (["--from", "nothing.json"], "there is no file nothing.json"),
        (["--output", "nowhere/x"], "there is no folder nowhere for the report"),
        (["redirection", "nosuchword"], "no case of redirection has all of the words: nosuchword"),
    ],
)
def test_wrong_arguments(arguments, message, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "vecblade.bench", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode
    assert message in done.stderr
    assert not list(tmp_path.iterdir())


# ---- the page, in a browser -------------------------------------------------------------------

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROBE = """
<script>
addEventListener('load', () => {
  const width = e => e.getBoundingClientRect().width
  const cards = [...document.querySelectorAll('figure.card')].filter(c => c.querySelector('.bar')).map(card => ({
    title: card.querySelector('figcaption').textContent,
    bars: [...card.querySelectorAll('.bar')].map(bar => ({
      who: bar.querySelector('.who').textContent,
      part: width(bar.querySelector('.fill')) / width(bar.querySelector('.track'))})),
    limits: [...card.querySelectorAll('.track b.limit')].length}))
  const root = document.documentElement, paper = () => getComputedStyle(document.body).backgroundColor
  const found = {room: innerWidth, wide: root.scrollWidth, cards, light: paper(),
    headings: [...document.querySelectorAll('h2')].map(h => h.textContent),
    lines: document.querySelectorAll('svg path.series').length,
    rows: document.querySelectorAll('section:first-of-type tr').length,
    small: [...document.querySelectorAll('.card svg text')].filter(t => t.getBoundingClientRect().height &&
      t.getBoundingClientRect().height < 9).length,
    cut: [...document.querySelectorAll('.card svg')].filter(s => [...s.querySelectorAll('text')].some(t =>
      t.getBoundingClientRect().right > s.getBoundingClientRect().right + 1)).length}
  document.getElementById('theme').click()
  found.dark = paper()
  document.getElementById('theme').click()
  found.again = paper()
  const out = document.createElement('pre'); out.id = 'probe'; out.textContent = JSON.stringify(found)
  document.body.append(out)
})
</script>"""


def seen(report, width):
    """What a browser of this width makes of the page."""
    path = report / f"probed-{width}.html"
    page = (report / "made.html").read_text(encoding="utf-8")
    # Headless windows have a least width: the page is seen through a frame.
    path.write_text(page.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    frame = report / f"frame-{width}.html"
    frame.write_text(
        f"<iframe src='{path.name}' width='{width}' height='900' style='border:0'></iframe><script>"
        "addEventListener('load', () => document.body.append(Object.assign(document.createElement('pre'), {id: 'probe', "
        "textContent: document.querySelector('iframe').contentDocument.getElementById('probe').textContent})))</script>"
    )
    browser = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    done = subprocess.run(
        [*browser, "--virtual-time-budget=4000", "--dump-dom", frame.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    return json.loads(unescape(found[1]))


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_in_a_browser(report, width):
    data, page = data_of(report), seen(report, width)
    assert page["room"] == width
    assert page["wide"] <= width, "it has to be scrolled sideways"
    assert page["headings"][:4] == ["Goals", "The machine's limits", "Ratios", "How time grows"]
    judged = [goal for goal in data["goals"] if goal["cases"]]
    assert page["rows"] == len(judged) + 1
    results = {r["name"]: r for r in data["results"] if r["group"] not in ("over-dimension", "over-rows")}
    assert {card["title"] for card in page["cards"]} == set(results)
    for card in page["cards"]:
        result = results[card["title"]]
        drawn = {name: limit for name, limit in result["limits"].items() if name not in result["doubted"]}
        longest = max([*result["seconds"].values(), *drawn.values()])
        assert [bar["who"] for bar in card["bars"]] == sorted(result["seconds"], key=result["seconds"].get)
        assert card["limits"] == len(drawn) * len(result["seconds"])
        for bar in card["bars"]:
            if bar["part"]:  # not inside a fold
                assert bar["part"] == pytest.approx(result["seconds"][bar["who"]] / longest, abs=0.04)
    assert any(bar["part"] for card in page["cards"] for bar in card["bars"])
    curves = [r for r in data["results"] if r["group"] in ("over-dimension", "over-rows")]
    contenders = {(r["group"], r["metric"], r["queries"], name) for r in curves for name in r["seconds"]}
    assert page["lines"] >= len(contenders) - 6 > 0
    assert page["small"] == 0, "text that cannot be read"
    assert page["cut"] == 0, "text that is cut off"
    assert (page["light"], page["dark"]) == ("rgb(255, 255, 255)", "rgb(21, 24, 29)")
    assert page["again"] == page["light"]


# ---- limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cpu", ["", "max", "cortex-a72"])  # "": this one; the last lacks dot products
def test_the_loops_of_limits_set_their_registers(cpu, tmp_path):
    """Nothing that a register held before is multiplied: a denormal would take a hundred times as long."""
    if not (
        has_compiler if not cpu else shutil.which("aarch64-linux-gnu-gcc") and shutil.which("qemu-aarch64")
    ):
        pytest.skip("needs a C compiler" if not cpu else "needs aarch64-linux-gnu-gcc and qemu-aarch64")
    compiler, flags, runner = (
        (["aarch64-linux-gnu-gcc"], ["-O2", "-static"], ["qemu-aarch64", "-cpu", cpu])
        if cpu
        else (["cc"], ["-O2"], [])
    )
    core = [
        compiled(compiler, tmp_path, ROOT / "csrc/kernels" / name, *flags[:1]) for name in ("peak.c", "cpu.c")
    ]
    said = output(*runner, linked(compiler, tmp_path, core, "check_limits", *flags))
    assert re.search(r"^\d+ calls, right$", said, re.MULTILINE)


@pytest.fixture
def bench():
    """The package, which sets the number of threads when it is imported."""
    threads = vb.get_num_threads()
    from vecblade.bench import hard, limits, run

    yield SimpleNamespace(hard=hard, limits=limits, run=run)
    vb.set_num_threads(threads)


FIGURES = {"macs": {"f8": 20e9, "f4": 40e9, "i1": 160e9}, "reads": {16384: 100e9, 268435456: 10e9}}
AVX512 = {"level": "avx512", "clock": 2.5e9}


@pytest.mark.parametrize(
    ("what", "which", "rate", "doubted"),
    [
        ("macs", "f4", 40e9, ()),
        ("macs", "f4", 0.36e9, ("f4",)),
        ("macs", "i1", 11e9, ("i1",)),
        ("reads", 16384, 1e9, (16384,)),
        ("reads", 268435456, 0.2e9, (268435456,)),
        ("reads", 268435456, 300e9, (16384,)),  # memory as fast as that makes the cache look slow
    ],
)
def test_limits_that_no_such_machine_has(bench, what, which, rate, doubted):
    found = FIGURES | {what: FIGURES[what] | {which: rate}}
    assert tuple(name for _, name in bench.limits.doubts(found, (), **AVX512)) == doubted
    assert not bench.limits.doubts(found, (), level="scalar", clock=1e9) or what == "reads"


def test_limits_that_a_kernel_surpassed(bench):
    """If it did all of the work; a search may well be faster."""
    million = {"macs": 1e9, "bytes": 1e6, "queries": 1000, "rows": 1000, "d": 1000, "note": "", "dtype": "f4"}
    for group, seconds, doubted in (
        ("many-to-many", 0.02, [("macs", "f4")]),
        ("many-to-many", 0.026, []),
        ("search", 0.02, []),
    ):
        case = result(group, seconds, 1.0, **million, limits={"peak": 0.025})
        assert list(bench.limits.doubts(FIGURES, [case], **AVX512)) == doubted
        assert bench.limits.doubted(case) == (["peak"] if doubted else [])
    memory = result("one-to-many", 1e-5, 1.0, **million | {"macs": 1e6}, limits={"plain read": 2e-5})
    assert bench.limits.doubted(memory) == ["plain read"]


def test_a_peak_for_much_work_is_measured_by_a_part(bench):
    made = bench.limits.peak("f4", 1e15)
    if not made:
        pytest.skip("no peak is known here")
    seconds = bench.run.measure(made, 0.01)["peak"]
    assert 0.1 < seconds < 1e7  # of 1e15 multiply-adds, and the test has ended


def test_measuring_ends(bench):
    """However slow: the first calls are then the figures."""
    calls = []

    def slow():
        calls.append(1)
        time.sleep(0.3)

    found = bench.run.measure({"slow": slow, "other": lambda: None}, 0.01)
    assert len(calls) == 1
    assert found["slow"] >= 0.3


def test_what_has_to_be_done_before_is_not_timed(bench):
    done = []
    step = bench.hard.Step(lambda: done.append("call"), lambda: (done.append("before"), time.sleep(0.01)))
    assert bench.run.measure({"step": step}, 0.02)["step"] < 0.01
    assert done[::2] == ["before"] * (len(done) // 2)
    assert done[1::2] == ["call"] * (len(done) // 2)


@pytest.mark.parametrize(
    ("busy", "said"),
    [
        ({"ran": 0.99, "enough": 0.97, "load": 1.0}, ""),
        ({"ran": 0.5, "enough": 0.97, "load": None}, "this program got 50% of a core"),
        ({"ran": 0.99, "enough": 0.5, "load": 1.0}, "the same work took 2.0 times as long as at best"),
        ({"ran": 0.99, "enough": 0.97, "load": 3.3}, "the load was 3.3"),
    ],
)
def test_the_report_says_when_the_machine_was_busy(bench, busy, said):
    from vecblade.bench import report

    machine = {"cpu": "a CPU", "isa": "avx512", "threads": 1, "date": "", "versions": {}, **AVX512}
    limits = FIGURES | {"macs": FIGURES["macs"] | {"f4": 0.36e9}, "busy": busy}
    page = report.page({"machine": machine, "limits": limits, "results": [], "accuracy": [], "goals": []})
    assert ("The machine was busy" in page) == bool(said)
    assert said in page
    assert "0.36 · 10⁹ a second" in page
    assert page.count("not to be trusted") == 1


# ---- hard data ----------------------------------------------------------------------------------


def test_hard_data(bench):
    """Every row of the table, on few rows: what it is compared with, and a ratio of two times."""
    cases = list(bench.hard.hard_data(0.005))
    assert len({case.name for case in cases}) == len(cases)
    for row in bench.hard.TABLE:
        for call in set(row.calls) & set(bench.hard.CALLS):
            for dtype in row.dtypes:
                for metric in row.metrics:
                    assert any(
                        (case.metric, case.dtype, case.note) == (metric, dtype, f", {row.what}, {call}")
                        for case in cases
                    )
    for case in cases:
        found = bench.run.result_of("hard-data", case, 0.001)
        assert math.isfinite(found["ratio"]), case.name
        assert found["ratio"] == found["seconds"]["vecblade"] / found["seconds"][found["against"]] > 0


def test_hard_data_is_what_it_says(bench):
    hard, random = bench.hard, np.random.default_rng(3)
    Q, X = random.standard_normal((8, 4)), random.standard_normal((600, 4))
    table = {row.what: row for row in hard.TABLE}

    def made(what, Q=Q, X=X):
        return table[what].change(Q, X)

    assert (made("zero query")[0] == 0).all(axis=1).tolist() == [False] * 4 + [True] + [False] * 3
    assert np.isnan(made("NaN query")[0]).sum() == np.isinf(made("inf query")[0]).sum() == 1
    assert (made("20% zero rows")[1] == 0).all(axis=1).mean() == 0.2
    assert np.isnan(made("5% NaN rows")[1]).all(axis=1).mean() == 0.05
    assert np.abs(made("rows of 1e-310")[1]).max() < np.finfo(float).tiny
    assert 0 < np.abs(made("rows of 1e-40", *map(np.float32, (Q, X)))[1]).max() < np.finfo(np.float32).tiny
    assert len(np.unique(made("100 rows repeated")[1], axis=0)) == 100
    assert len(np.unique(np.vstack(made("all rows and queries equal")), axis=0)) == 1
    for what, step in (("far to near", -1), ("near to far", 1)):
        Q2, X2 = made(f"64 equal queries, {what}")
        apart = np.square(X2 - Q2[0]).sum(axis=1)
        assert (np.diff(apart) * step >= 0).all()
        assert len(np.unique(Q2, axis=0)) == 1
    for what in ("ascending", "descending", "like organ pipes", "against medians"):
        Q2, X2 = made(f"scores {what}")
        assert sorted(X2 @ Q2[0]) in (list(range(600)), list(range(1, 601)))
    cosines = [1 - a @ b / np.sqrt((a @ a) * (b @ b)) for a, b in [made("cosine distances of 1e-10")[1][:2]]]
    assert 1e-12 < cosines[0] < 1e-8
    assert 900 < made("mean of 1000 deviations")[1].mean() < 1100
    with np.errstate(over="ignore"):
        assert not np.isfinite(np.square(made("rows of 1e+155, products overflow")[1])).all()


# ---- goals and charts ---------------------------------------------------------------------------


def result(group, ours, peer, **more):
    seconds = {"vecblade": ours, "peer": peer}
    plain = {
        "dtype": "f4",
        "d": 128,
        "rows": 1,
        "queries": 1,
        "k": 0,
        "note": "",
        "metric": "dot",
        "limits": {},
    }
    return (
        plain | {"group": group, "name": f"{group} {ours}", "seconds": seconds, "ratio": ours / peer} | more
    )


def test_goals_are_judged_by_their_worst_case():
    results = [
        result("one-to-one", 2.0, 10.0),
        result("one-to-one", 6.0, 10.0),
        result("one-to-one", 9.0, 10.0, d=768),
    ]
    judged = {goal["text"]: goal for goal in goals.judged(results)}
    first = judged["two float32 or float64 rows to 256 elements"]
    assert (first["cases"], first["met"], first["worst"]) == (2, 1, 0.6)
    assert first["worst_case"] == "one-to-one 6.0"
    assert first["short"] == pytest.approx(0.2)
    assert judged["two float32 or float64 rows of 768"]["short"] == pytest.approx(0.2)
    assert judged["SciPy's cdist, float64"]["cases"] == 0
    limit = result("small-many-to-many", 1.2, 10.0, dtype="i1", limits={"peak": 1.0})
    (of_peak,) = [goal for goal in goals.judged([limit]) if goal["cases"]]
    assert (of_peak["worst"], of_peak["short"]) == (1.2, 0.0)
    doubted = limit | {"doubted": ["peak"]}
    assert not [goal for goal in goals.judged([doubted]) if goal["cases"]]
    hard = {
        name: {"note": name, "seconds": {"vecblade": 8.0, goals.ORDINARY: 1.0}}
        for name in (", 5% NaN rows, topk", ", rows of 1e-310, topk", ", rows of 1e-310, row function")
    }
    judged = [
        g for g in goals.judged([result("hard-data", 8.0, 1.0, **h) for h in hard.values()]) if g["cases"]
    ]
    assert [(g["most"], g["cases"], g["met"]) for g in judged] == [(3.0, 2, 0), (10.0, 1, 1)]


def test_goals_name_groups_that_there_are():
    from vecblade.bench.cases import GROUPS
    from vecblade.bench.report import TITLES

    assert {goal.group for goal in goals.GOALS} <= set(GROUPS) == set(TITLES)
    assert len({goal.text for goal in goals.GOALS}) == len(goals.GOALS)


def test_labels_and_ticks():
    assert charts.ticks(-1.05, 0.3) == [0.1, 0.2, 0.5, 1.0]
    assert charts.ticks(0, 4) == [1.0, 10.0, 100.0, 1000.0, 10000.0]
    assert charts.ticks(-16, -6) == [1e-16, 1e-12, 1e-8]
    assert [y for y, _ in charts.spread([(10, "a"), (12, "b"), (40, "c")], 10)] == [10, 20, 40]
    assert charts.seconds(0.00123) == "1.23 ms"
    assert charts.library("sklearn cosine_distances") == "sklearn"
