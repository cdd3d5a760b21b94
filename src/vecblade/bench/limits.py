"""
What this machine can do at most: reads of memory, and multiply-adds that stay in registers.

A limit is the best of several runs, each a few milliseconds long whatever the machine: what is shared or slow makes
figures worse, never the measurement endless. One that makes no sense is named in `doubts`, with the reason.
"""

import functools
import itertools
import os
import sys
import time
from functools import partial

from vecblade import _core

from .peers import np, vb

# The core's name of the type in whose instructions these are summed.
SUMMED_AS = {"f2": "f32", "f4": "f32", "f8": "f64", "bf16": "bf16", "i1": "i8", "u1": "i8", "b1": "b1"}
UNIT = {
    "f8": "float64 FMA",
    "f4": "float32 FMA",
    "bf16": "bfloat16 dot products",
    "i1": "int8 dot products",
    "b1": "AND, popcount",
}
READS = (16 << 10, 256 << 10, 4 << 20, 256 << 20)  # bytes: of caches, and of memory
RUN = 2e-3  # seconds: what one run of a limit should take, long beside the call and short beside a time slice


def reader(X):
    """A read of all bytes: the largest of them as 64-bit words."""
    return X.reshape(-1).view(np.uint8)[: X.nbytes // 8 * 8].view(np.uint64).max


read = _core.limit_read


def plain_read(X):
    return {"plain read": reader(X)}


# Seconds for one multiply-add, by type: the best run of all so far.
best_of_all: dict[str, float] = {}


class Peak:
    """So many multiply-adds in registers: a call does what takes some milliseconds, the figure is for all of them."""

    def __init__(self, kind, wanted):
        self.kind, self.wanted = kind, wanted
        if kind not in best_of_all:
            repeated(self, 0.05)

    def __call__(self):
        part = run_of(self.kind)
        taken = best(timed(partial(_core.limit, self.kind, part))) / part
        best_of_all[self.kind] = min(taken, best_of_all.get(self.kind, taken))

    def figure(self, times):
        return self.wanted * best_of_all[self.kind]


@functools.cache
def run_of(kind):
    """How many multiply-adds take about `RUN` seconds here."""
    wanted = 1e5
    while (taken := min(best(timed(partial(_core.limit, kind, wanted))) for _ in range(3))) < RUN / 2:
        wanted *= min(10.0, RUN / taken)
    return wanted


def known(dtype):
    return _core.limit(SUMMED_AS[dtype], 1.0)


def peak(dtype, wanted):
    """So many multiply-adds (of bits: pairs) in the instruction for this type; {} if there is none here."""
    return {"peak": Peak(SUMMED_AS[dtype], wanted)} if known(dtype) else {}


# ---- the machine's ---------------------------------------------------------------------------


def timed(call):
    """(Seconds by the clock, seconds in which this thread ran)."""
    clock, ran = time.perf_counter(), time.thread_time()
    call()
    return time.perf_counter() - clock, time.thread_time() - ran


def best(*times):
    """The shortest of `timed` times: in which the thread ran, where the system counts them finely."""
    return min(clock if sys.platform == "win32" else min(clock, ran) for clock, ran in times)


def repeated(call, seconds):
    """`timed`, at least three times over, until so many seconds have passed."""
    end, times = time.perf_counter() + seconds, []
    while len(times) < 3 or time.perf_counter() < end:
        times.append(timed(call))
    return times


def machine_limits(seconds=0.3):
    """
    Multiply-adds a second in registers, by type, and bytes a second read, by how many there are: the best of at
    least three runs in about so many seconds each. And how busy the machine was meanwhile.
    """
    macs, reads, share = {}, {}, Share()
    for dtype in filter(known, UNIT):
        kind = SUMMED_AS[dtype]
        share.add(repeated(Peak(kind, 1.0), seconds), run_of(kind) * best_of_all[kind])
        macs[dtype] = 1 / best_of_all[kind]
    for size in READS:
        block, turns = bytearray(b"\1" * (size + 64)), max(1, READS[-1] // size)
        if read(block, 1):
            times = repeated(partial(read, block, turns), seconds)
            share.add(times)
            reads[size] = size * turns / best(*times)
    return {"macs": macs, "reads": reads, "busy": share.busy()}


class Share:
    """How much of the time this thread ran, and how much would have been enough."""

    def __init__(self):
        self.clock = self.ran = self.steady = self.enough = 0.0

    def add(self, times, enough=None):
        """`timed` times; `enough`: how long each would be if nothing else ran, where nothing but the core is shared."""
        self.clock += sum(clock for clock, _ in times)
        self.ran += sum(ran for _, ran in times)
        if enough:
            self.steady += sum(clock for clock, _ in times)
            self.enough += enough * len(times)

    def busy(self):
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        return {
            "ran": self.ran / self.clock if self.clock else 1.0,
            "enough": self.enough / self.steady if self.steady else 1.0,
            "load": load,
        }


def was_busy(found, threads):
    """A sentence if the machine did something else while its limits were measured, or just before; "" if not."""
    if not (share := found.get("busy")):
        return ""
    said = []
    if share["ran"] < 0.95:
        said.append(f"this program got {100 * share['ran']:.0f}% of a core")
    if share["enough"] < 0.85:
        said.append(f"the same work took {1 / share['enough']:.1f} times as long as at best")
    if share["load"] is not None and share["load"] > threads + 0.5:
        said.append(f"the load was {share['load']:.1f}")
    return f"The machine was busy with something else: {', '.join(said)}." if said else ""


# ---- whether they make sense -------------------------------------------------------------------

# Multiply-adds of one instruction (of bits: of three) in the widest registers of a level.
LANES = {
    "avx512": {"f8": 8, "f4": 16, "bf16": 32, "i1": 64, "b1": 512 / 3},
    "avx2": {"f8": 4, "f4": 8},
    "neon": {"f8": 2, "f4": 4, "i1": 16},
}
LOADED = {"avx512": 64, "avx2": 32, "neon": 16}  # bytes
# Groups that do all of the work: a search rules most of it out, and may well be faster than a limit.
DENSE = ("many-to-many", "small-many-to-many", "one-to-many", "small-one-to-many")
# How much faster than a limit a kernel is allowed to be: memory is shared, and its speed varies.
ALLOWED = {"peak": 1.05, "plain read": 1.25}


@functools.cache
def widest():
    """The best level that this CPU has, whichever is in use."""
    return next((level for level, there in vb.cpu_info()["levels"].items() if there), "scalar")


@functools.cache
def cycles():
    """A second, about; a low guess where the system does not tell."""
    try:
        with open("/proc/cpuinfo") as file:
            told = [float(line.split(":")[1]) for line in file if line.startswith("cpu MHz")]
        return max(1e9, 1e6 * max(told))
    except (OSError, ValueError):
        return 1e9


def least(what, which, level, clock):
    """A rate that no CPU of this level falls short of: an instruction every four cycles, and 1 GB/s from memory."""
    if what == "macs":
        return LANES.get(level, {}).get(which, 0) * clock / 4
    return LOADED.get(level, 0) * clock / 4 if int(which) == READS[0] else 1e9


def doubts(found, results=(), level=None, clock=None):
    """{("macs", dtype) or ("reads", size): why it is not to be trusted}; `results` are what kernels reached."""
    level, clock = level or widest(), clock or cycles()
    reasons = {}
    for what in ("macs", "reads"):
        for which, rate in found[what].items():
            if rate < (floor := least(what, which, level, clock)):
                reasons[what, which] = f"any such CPU does {giga(floor)} · 10⁹"
    sizes = sorted(found["reads"], key=int)
    for inner, outer in itertools.pairwise(sizes):
        if found["reads"][inner] < 0.8 * found["reads"][outer]:
            reasons.setdefault(
                ("reads", inner), f"more bytes were read at {giga(found['reads'][outer])} · 10⁹"
            )
    for case in filter(dense, results):
        ours = case["seconds"]["vecblade"]
        held = [("macs", unit_of(case["dtype"]), case["macs"] / ours, ALLOWED["peak"])]
        if inside := [size for size in sizes if int(size) <= case["bytes"]]:
            held.append(("reads", inside[-1], case["bytes"] / ours, ALLOWED["plain read"]))
        for what, which, reached, allowed in held:
            if which in found[what] and reached > allowed * found[what][which]:
                reasons.setdefault((what, which), f"{case['name']} reached {giga(reached)} · 10⁹")
    return reasons


def dense(case):
    """Whether all of the work of a result was done."""
    return case["group"] in DENSE and not case["note"]


def unit_of(dtype):
    """The type in `UNIT` whose instruction sums this one."""
    return next(name for name in UNIT if SUMMED_AS[name] == SUMMED_AS[dtype])


def doubted(case):
    """Which of a result's own limits cannot be right: slow for any CPU, or slower than we, who did all of the work."""
    ours, names = case["seconds"]["vecblade"], []
    for name, seconds in case["limits"].items():
        floor = least("macs", unit_of(case["dtype"]), widest(), cycles()) if name == "peak" else 0.0
        if (dense(case) and seconds > ALLOWED[name] * ours) or case["macs"] / seconds < floor:
            names.append(name)
    return names


def giga(rate):
    return f"{rate / 1e9:.3g}" if rate < 1e12 else f"{rate / 1e9:.0f}"
