"""Which of scikit-learn's searches and distances are fast here, in which types; and its closest rows."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from .. import _threads
from .._metrics import BY_NAME, Metric
from .._rows import arrays
from .._search import engine
from .._search.results import TopK
from .._search.where import eligible_rows
from . import common, directions
from .checks import config

# scikit-learn's names for the metrics that are fast here.
WIDE = ("sqeuclidean",)  # SciPy's in scikit-learn: float64 of float32 rows too
METRICS = {
    "euclidean": BY_NAME["euclidean"],
    "l2": BY_NAME["euclidean"],
    "sqeuclidean": BY_NAME["sqeuclidean"],
    "cosine": BY_NAME["cosine"],
}


def is_float32(a: np.ndarray, b: np.ndarray | None) -> bool:
    """Whether scikit-learn answers in float32."""
    return a.dtype == np.float32 and (b is None or b.dtype == np.float32)


def threads_for(n_jobs: Any) -> int:
    """
    As many as `n_jobs` says. None: as many as a call may use, and the BLAS in our place might.

    joblib's workers tell by OMP_NUM_THREADS how many that are.
    """
    if n_jobs is None:
        most = os.environ.get("OMP_NUM_THREADS", "")
        return min(_threads.resolve(None), int(most) if most.isdecimal() and int(most) else 1024)
    joblib = sys.modules.get("joblib")
    return _threads.resolve(joblib.effective_n_jobs(n_jobs) if joblib is not None else n_jobs)


def fast_metric(metric: Any, keywords: dict[str, Any] | None) -> Metric | None:
    """Our name of the metric, if it is fast with these keywords."""
    if not isinstance(metric, str) or metric not in METRICS:
        return None
    if not keywords:
        return METRICS[metric]
    squared = keywords.get("squared")
    if METRICS[metric].name == "euclidean" and keywords.keys() == {"squared"} and isinstance(squared, bool):
        return METRICS["sqeuclidean" if squared else "euclidean"]
    return None


def closest(
    metric: Metric,
    queries: np.ndarray,
    rows: np.ndarray,
    k: int,
    n_jobs: Any = None,
    dtype: np.dtype[Any] = arrays.FLOAT64,
) -> tuple[np.ndarray, np.ndarray] | None:
    """The numbers of the k closest of checked rows, and distances of this type; None if forwarded."""
    request = engine.Request(
        metric, eligible_rows(None, len(rows)), threads_for(n_jobs), dtype=arrays.FLOAT64
    )

    def search(some: np.ndarray) -> TopK:
        q, x = engine.check_pair(common.as_bytes(some), common.as_bytes(rows), metric)
        return engine.find_topk(q, x, k, request)[0]

    try:
        found = directions.nearest(search, queries, rows, k) if metric.is_angle else search(queries)
    except TypeError:  # integers past 2**53
        return None
    return found[0].astype(np.intp, copy=False), engine.rounded(found[1], dtype)


def value_type(metric: str, queries: np.ndarray, rows: np.ndarray) -> np.dtype[Any]:
    """The type of scikit-learn's distances of closest rows: float64 of all rows that its own search takes."""
    if metric in WIDE or not is_float32(queries, rows):
        return arrays.FLOAT64
    contiguous = queries.flags.c_contiguous and rows.flags.c_contiguous
    searched = metric != "cosine" and contiguous and config("enable_cython_pairwise_dist") is not False
    return arrays.FLOAT64 if searched else arrays.FLOAT32
