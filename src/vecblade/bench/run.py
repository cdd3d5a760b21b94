"""Measuring: all contenders of a case in turn, many times over, in one process; figures are medians."""

import platform
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from vecblade import _threads

from . import limits
from .cases import GROUPS, QUICK
from .peers import np, vb
from .pins import THREADS

PEERS = ("numpy", "simsimd", "numkong", "faiss-cpu", "usearch", "scikit-learn", "scipy")
# After so many times the seconds that a case is given, no further round of it begins.
PATIENCE = 10


def seconds_of(function, repeat):
    if before := getattr(function, "before", None):
        before()
    start = time.perf_counter()
    for _ in range(repeat):
        function()
    return (time.perf_counter() - start) / repeat


def measure(contenders, seconds=1.0):
    """
    Median seconds of each contender, interleaved, in about so many seconds for all of them.

    Where first calls take many times as long, they are the figures.
    """
    end = time.perf_counter() + PATIENCE * seconds
    times = {name: [seconds_of(function, 1)] for name, function in contenders.items()}
    once = {name: first for name, (first,) in times.items()}
    for name, first in once.items():
        if first < 0.1:
            once[name] = min(first, *(seconds_of(contenders[name], 1) for _ in range(2)))
    alone = {name for name, function in contenders.items() if hasattr(function, "before")}
    repeat = {name: 1 if name in alone else max(1, int(2e-4 / max(t, 1e-9))) for name, t in once.items()}
    turn = sum(once[name] * repeat[name] for name in contenders)
    rounds = int(np.clip(seconds / turn, 5 if turn < 1 else 3, 300))
    for done in range(rounds):
        if time.perf_counter() > end:
            break
        if not done:
            times = {name: [] for name in contenders}  # without what first calls have to do
        for name, function in contenders.items():
            times[name].append(seconds_of(function, repeat[name]))
    return {
        name: float(getattr(contenders[name], "figure", np.median)(of_one)) for name, of_one in times.items()
    }


def result_of(group, case, seconds):
    """What a case comes to, as JSON has it."""
    times = measure(case.contenders | case.limits, seconds * case.share)
    peers = {name: times[name] for name in case.contenders if not name.startswith("vecblade")}
    fastest = min(peers, key=peers.get) if peers else None
    against = case.against or fastest
    result = {
        "group": group,
        "name": case.name,
        **{key: getattr(case, key) for key in ("metric", "dtype", "queries", "rows", "d", "k", "note")},
        "macs": case.macs,
        "bytes": case.bytes,
        "seconds": {name: times[name] for name in case.contenders},
        "limits": {name: times[name] for name in case.limits},
        "fastest_peer": fastest,
        "against": against,
        "ratio": times["vecblade"] / times[against] if against else None,
    }
    return result | {"doubted": limits.doubted(result)}


def results(groups, words=(), seconds=1.0, quick=False):
    """Of every case of these groups whose name has all these words; `quick`: of those that are small."""
    for group in groups:
        for case in (QUICK.get(group, GROUPS[group]) if quick else GROUPS[group])():
            if quick and case.macs > 1e8:
                if group in ("one-to-many", "top-k", "over-rows"):  # they only grow
                    break
                continue
            if all(word in case.name for word in words):
                yield result_of(group, case, seconds)


# ---- the machine ----------------------------------------------------------------------------


def machine():
    """What the figures are of."""
    return {
        "cpu": processor(),
        "cpus": _threads.usable_cpus(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "isa": vb.cpu_info()["isa"],
        "level": limits.widest(),
        "clock": limits.cycles(),
        "threads": THREADS,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "versions": {"vecblade": vb.__version__} | {name: v for name in PEERS if (v := installed(name))},
    }


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            facts = dict(line.split(":", 1) for line in file if ":" in line)
        facts = {key.strip(): value.strip() for key, value in facts.items()}
        family = f" (family {facts['cpu family']}, model {facts['model']})" if "cpu family" in facts else ""
        return facts.get("model name", platform.machine()) + family
    except OSError:
        return platform.processor() or platform.machine()


def installed(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


# ---- the table ------------------------------------------------------------------------------


def readable(seconds):
    unit, scale = next((u for u in (("s", 1), ("ms", 1e-3), ("us", 1e-6)) if seconds >= u[1]), ("ns", 1e-9))
    return f"{seconds / scale:.3g} {unit}"


def table(found, width=48):
    """Lines of text: our time, its ratio to the fastest peer's (under 1 is faster) or to what a case says, all others'."""
    yield f"vecblade {vb.__version__}, {vb.cpu_info()['isa']}, {THREADS} thread(s)\n"
    yield f"{'case':{width}} {'vecblade':>9}  {'ratio':>5}  others, fastest first; limits"
    for result in found:
        times = dict(result["seconds"])
        ours = times.pop("vecblade")
        ratio = "    -" if result["ratio"] is None else f"{result['ratio']:5.2f}"
        others = sorted(times.items(), key=lambda item: item[1]) + list(result["limits"].items())
        shown = ", ".join(
            f"{name} {readable(t)}" + (" (not to be trusted)" if name in result["doubted"] else "")
            for name, t in others
        )
        yield f"{result['name']:{width}} {readable(ours):>9}  {ratio}  {shown}"
