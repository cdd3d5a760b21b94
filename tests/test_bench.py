"""``python -m vecblade.bench``: a short run of all of it, and what its page shows in a browser."""

import json
import re
import shutil
import subprocess
import sys
from html import unescape
from xml.etree import ElementTree

import pytest
from standalone import ROOT, compiled, has_compiler, linked, output

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
    done = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"),
            *("--virtual-time-budget=4000", "--dump-dom", frame.as_uri()),
        ],
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
        longest = max([*result["seconds"].values(), *result["limits"].values()])
        assert [bar["who"] for bar in card["bars"]] == sorted(result["seconds"], key=result["seconds"].get)
        assert card["limits"] == len(result["limits"]) * len(result["seconds"])
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
    core = [compiled(compiler, tmp_path, ROOT / "csrc" / name, *flags[:1]) for name in ("limits.c", "cpu.c")]
    said = output(*runner, linked(compiler, tmp_path, core, "check_limits", *flags))
    assert re.search(r"^\d+ calls, right$", said, re.MULTILINE)


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
