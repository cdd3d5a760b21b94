"""What is aimed at, as ratios of times in one run: on another machine the same goals hold."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .case import ORDINARY

Result = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """At most so many times the time of something else, for every case of a group that is meant."""

    text: str
    group: str
    most: float
    meant: Callable[[Result], bool] = lambda case: True
    against: str = "fastest peer"

    def ratio(self, case):
        """Our time over that of what it is held against; None if that was not measured, or cannot be right."""
        ours = case["seconds"]["vecblade"]
        if self.against in case.get("doubted", ()):
            return None
        if self.against == "fastest peer":
            return case["ratio"]
        other = (case["seconds"] | case["limits"]).get(self.against)
        return None if other is None else ours / other


def halves(case):
    return case["dtype"] in ("f2", "bf16")


def whole(case):
    return case["dtype"] in ("i1", "u1", "b1")


def bare_rows_of_denormals(case):
    """A row function has nothing to scale the rows with but a pass of its own."""
    return case["note"] in (", rows of 1e-310, row function", ", rows of 1e-40, row function")


PEAK, READ = "peak", "plain read"
GOALS = (
    Goal("two float32 or float64 rows to 256 elements", "one-to-one", 0.5, lambda c: c["d"] <= 256),
    Goal("two float32 or float64 rows of 768", "one-to-one", 0.75, lambda c: c["d"] == 768),
    Goal("two float32 or float64 rows of 1536", "one-to-one", 1.0, lambda c: c["d"] == 1536),
    Goal("two rows of int8, uint8 or bits, any length", "small-one-to-one", 0.5, whole),
    Goal(
        "two float16 or bfloat16 rows to 256 elements",
        "small-one-to-one",
        0.5,
        lambda c: halves(c) and c["d"] <= 256,
    ),
    Goal(
        "two float16 or bfloat16 rows of 768", "small-one-to-one", 0.75, lambda c: halves(c) and c["d"] == 768
    ),
    Goal(
        "two float16 or bfloat16 rows of 1536",
        "small-one-to-one",
        1.0,
        lambda c: halves(c) and c["d"] == 1536,
    ),
    Goal("one row with 100,000 from memory", "one-to-many", 1 / 0.95, lambda c: c["rows"] == 100_000),
    Goal("one row with 10,000 from cache", "one-to-many", 1.0, lambda c: c["rows"] == 10_000),
    Goal("float16, bfloat16 from memory", "small-one-to-many", 1 / 0.9, halves, READ),
    Goal("int8, uint8, bits from memory", "small-one-to-many", 1 / 0.85, whole, READ),
    Goal("all pairs, float32 and float64", "many-to-many", 1.0),
    Goal("all pairs, L2 and cosine", "many-to-many", 1.1, lambda c: c["metric"] != "dot", "vecblade dot"),
    Goal(
        "all pairs, bfloat16, int8",
        "small-many-to-many",
        1 / 0.75,
        lambda c: c["dtype"] in ("bf16", "i1"),
        PEAK,
    ),
    Goal("top-k of 1000 queries, 128 elements", "search", 1 / 4, lambda c: c["d"] == 128 and c["k"] == 10),
    Goal("top-k of 1000 queries, 768 elements", "search", 1 / 3.5, lambda c: c["d"] == 768),
    Goal(
        "top-k of one query, an array", "top-k", 1.0, lambda c: c["queries"] == 1 and c["rows"] == 1_000_000
    ),
    Goal("top-k of one query, FlatIndex", "index", 1 / 3),
    Goal("top-k, float16 and bfloat16", "small-search", 1 / 3, halves),
    Goal("top-k, bits", "small-search", 1 / 2.5, lambda c: c["dtype"] == "b1"),
    Goal(
        "SciPy's cdist, float64",
        "drop-in",
        1 / 8,
        lambda c: c["note"] == ", cdist" and c["d"] == 768 and c["dtype"] == "f8",
    ),
    Goal(
        "scikit-learn's cosine_similarity, float32",
        "drop-in",
        1 / 1.3,
        lambda c: "cosine_similarity" in c["note"] and c["dtype"] == "f4",
    ),
    Goal(
        "scikit-learn's euclidean_distances, float32",
        "drop-in",
        1 / 2,
        lambda c: "euclidean_distances" in c["note"] and c["dtype"] == "f4",
    ),
    Goal(
        "scikit-learn's NearestNeighbors, 1000 queries",
        "drop-in",
        1 / 8,
        lambda c: "NearestNeighbors" in c["note"] and c["queries"] == 1000,
    ),
    Goal(
        "data of any kind",
        "hard-data",
        3.0,
        lambda c: not bare_rows_of_denormals(c),
        ORDINARY,
    ),
    Goal("denormal rows as they come, row functions", "hard-data", 10.0, bare_rows_of_denormals, ORDINARY),
)


def judged(results):
    """For each goal: the worst case of those that were measured, and by how much it falls short (0: it does not)."""
    for goal in GOALS:
        ratios = [
            (ratio, case["name"])
            for case in results
            if case["group"] == goal.group and goal.meant(case) and (ratio := goal.ratio(case)) is not None
        ]
        worst = max(ratios, default=None)
        yield {
            "text": goal.text,
            "against": goal.against,
            "most": goal.most,
            "cases": len(ratios),
            "met": sum(ratio <= goal.most for ratio, _ in ratios),
            "worst": worst and worst[0],
            "worst_case": worst and worst[1],
            "short": max(0.0, worst[0] / goal.most - 1) if worst else None,
        }
