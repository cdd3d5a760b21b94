"""
Print how vecblade compares with the fastest installed peer: ``python benchmarks/ratios.py``.

Every case runs all contenders in turn, several times over, in one process; the figures are medians.
Ratio: our time over the fastest peer's (under 1 is faster). Arguments choose groups and
filter cases by text: ``python benchmarks/ratios.py one-to-one "cosine f4"``.
"""

import sys
import time

from cases import GROUPS
from peers import THREADS, np, vb

SECONDS = 1.0  # for each case, all contenders together


def seconds_of(function, repeat):
    start = time.perf_counter()
    for _ in range(repeat):
        function()
    return (time.perf_counter() - start) / repeat


def measure(case, seconds=SECONDS):
    """Median seconds of each contender, interleaved."""
    once = {name: min(seconds_of(function, 1) for _ in range(3)) for name, function in case.items()}
    repeat = {name: max(1, int(2e-4 / max(t, 1e-9))) for name, t in once.items()}
    rounds = int(np.clip(seconds / sum(once[name] * repeat[name] for name in case), 5, 300))
    times = {name: [] for name in case}
    for _ in range(rounds):
        for name, function in case.items():
            times[name].append(seconds_of(function, repeat[name]))
    return {name: float(np.median(t)) for name, t in times.items()}


def readable(seconds):
    unit, scale = next((u for u in (("s", 1), ("ms", 1e-3), ("us", 1e-6)) if seconds >= u[1]), ("ns", 1e-9))
    return f"{seconds / scale:.3g} {unit}"


def main(arguments):
    groups = [name for name in GROUPS if name in arguments] or list(GROUPS)
    words = [word for word in arguments if word not in GROUPS]
    print(f"vecblade {vb.__version__}, {vb.cpu_info()['isa']}, {THREADS} thread(s)\n")
    print(f"{'case':44} {'vecblade':>9}  {'ratio':>5}  peers, fastest first")
    for group in groups:
        for name, case in GROUPS[group]():
            if not all(word in name for word in words):
                continue
            times = measure(case)
            ours = times.pop("vecblade")
            others = sorted(times.items(), key=lambda item: item[1])
            peers = [t for name, t in others if not name.startswith("vecblade")]
            ratio = f"{ours / peers[0]:5.2f}" if peers else "    -"
            shown = ", ".join(f"{name} {readable(t)}" for name, t in others)
            print(f"{name:44} {readable(ours):>9}  {ratio}  {shown}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
