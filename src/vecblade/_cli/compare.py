"""``vecblade compare``: this machine, the usual idioms next to vecblade."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

import vecblade as vb

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

# A name, the idiom, and vecblade's form of it.
Line = tuple[str, "Callable[[], Any]", "Callable[[], Any]"]


def optional(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def top(scores: np.ndarray, k: int) -> np.ndarray:
    """The usual top-k idiom on a matrix of similarities: the values, best first."""
    k = min(k, scores.shape[1])
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    return -np.sort(-np.take_along_axis(scores, best, axis=1), axis=1)


def lines(X: np.ndarray, Q: np.ndarray, k: int, threads: int) -> Iterator[Line]:
    distance, pairs = optional("scipy.spatial.distance"), optional("sklearn.metrics.pairwise")
    faiss = optional("faiss")
    q, a, b = Q[0], X[0], X[1]
    few = X[: min(len(X), 2000)]

    yield "two rows: a @ b", lambda: a @ b, lambda: vb.dot(a, b)
    yield "two rows: np.linalg.norm(a - b)", lambda: np.linalg.norm(a - b), lambda: vb.euclidean(a, b)
    if distance:
        yield "two rows: scipy cosine(a, b)", lambda: distance.cosine(a, b), lambda: vb.cosine(a, b)
    yield "one to all: X @ q", lambda: X @ q, lambda: vb.dot(q, X)
    yield "one to all: norm(X - q)", lambda: np.linalg.norm(X - q, axis=1), lambda: vb.euclidean(q, X)
    if pairs:
        yield ("one to all: sklearn cosine_similarity", lambda: pairs.cosine_similarity(q[None], X)[0],
               lambda: vb.cosine_similarity(q, X))  # fmt: skip
    yield "all pairs: A @ A.T", lambda: few @ few.T, lambda: vb.pairwise(few, metric="dot")
    if distance:
        yield ("all pairs: scipy cdist euclidean", lambda: distance.cdist(few, few),
               lambda: vb.pairwise(few, few, "euclidean"))  # fmt: skip
    if pairs:
        yield ("all pairs: sklearn euclidean_distances", lambda: pairs.euclidean_distances(few, few),
               lambda: vb.pairwise(few, few, "euclidean"))  # fmt: skip
    yield ("top-k, one query: argpartition(X @ q)", lambda: top((X @ q)[None], k)[0],
           lambda: vb.topk(q, X, k, "dot").values)  # fmt: skip
    yield ("top-k, all queries: argpartition(Q @ X.T)", lambda: top(Q @ X.T, k),
           lambda: vb.topk(Q, X, k, "dot").values)  # fmt: skip
    if faiss:
        faiss.omp_set_num_threads(threads)
        ip = faiss.METRIC_INNER_PRODUCT
        yield ("top-k, one query: faiss.knn", lambda: faiss.knn(q[None], X, k, metric=ip)[0][0],
               lambda: vb.topk(q, X, k, "dot").values)  # fmt: skip
        yield ("top-k, all queries: faiss.knn", lambda: faiss.knn(Q, X, k, metric=ip)[0],
               lambda: vb.topk(Q, X, k, "dot").values)  # fmt: skip


def seconds_of(function: Callable[[], Any], repeat: int) -> float:
    start = time.perf_counter()
    for _ in range(repeat):
        function()
    return (time.perf_counter() - start) / repeat


def medians(theirs: Callable[[], Any], ours: Callable[[], Any], seconds: float) -> tuple[float, float]:
    """Time both in turn, in batches that are long enough."""
    repeats = [max(1, int(1e-4 / max(min(seconds_of(f, 1) for _ in range(3)), 1e-9))) for f in (theirs, ours)]
    times: list[tuple[float, float]] = []
    start = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        times.append((seconds_of(theirs, repeats[0]), seconds_of(ours, repeats[1])))
    return float(np.median([t[0] for t in times])), float(np.median([t[1] for t in times]))


def difference(theirs: Any, ours: Any) -> float:
    """The largest, relative to the largest value."""
    a, b = np.asarray(theirs, np.float64), np.asarray(ours, np.float64)
    return float(np.max(np.abs(a - b)) / max(float(np.max(np.abs(b))), 1e-300))


def readable(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def compare(arguments: argparse.Namespace) -> int:
    for name, least in (("rows", 2), ("dims", 1), ("queries", 1), ("k", 1), ("threads", 1)):
        if getattr(arguments, name) < least:
            raise ValueError(f"--{name} must be at least {least}, not {getattr(arguments, name)}")
    threads = str(arguments.threads)
    if any(os.environ.get(pool) != threads for pool in POOLS):
        # BLAS reads these once, when NumPy is imported: start again with them.
        command = [sys.executable, "-m", "vecblade", "compare"]
        for name in ("rows", "dims", "queries", "seconds", "threads"):
            command += [f"--{name}", str(getattr(arguments, name))]
        command += ["-k", str(arguments.k)]
        return subprocess.run(
            command, env={**os.environ, **dict.fromkeys(POOLS, threads)}, check=False
        ).returncode
    vb.set_num_threads(arguments.threads)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((arguments.rows, arguments.dims), dtype=np.float32)
    Q = rng.standard_normal((arguments.queries, arguments.dims), dtype=np.float32)
    print(f"{arguments.rows} rows and {arguments.queries} queries of {arguments.dims} float32 numbers, "
          f"k = {arguments.k}, {threads} thread(s), {vb.cpu_info()['isa']}\n")  # fmt: skip
    print(f"{'idiom':44} {'theirs':>9} {'vecblade':>9}  {'times as fast':>13}  {'difference':>10}")
    for name, theirs, ours in lines(X, Q, arguments.k, arguments.threads):
        apart = difference(theirs(), ours())
        slow, fast = medians(theirs, ours, arguments.seconds)
        print(
            f"{name:44} {readable(slow):>9} {readable(fast):>9}  {slow / fast:13.2f}  {apart:10.1e}",
            flush=True,
        )
    return 0
