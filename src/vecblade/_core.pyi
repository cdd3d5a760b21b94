from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

T = TypeVar("T")

METRICS: dict[str, int]
BIT_METRICS: frozenset[str]
SIMILARITIES: frozenset[str]
BFLOAT16: np.dtype[Any]
BITS: np.dtype[Any]
PLANS: tuple[str, ...]
FORMS: tuple[str, ...]
EPILOGUES: tuple[str, ...]

def levels() -> dict[str, bool]: ...
def active_level() -> str: ...
def limit(kind: str, wanted: float) -> bool: ...
def limit_read(block: bytearray, times: int) -> bool: ...
def use_level(name: str | None, source: str = "level") -> None: ...
def registry() -> list[dict[str, Any]]: ...
def run_kernel(
    number: int, a: np.ndarray, rows: np.ndarray, ids: np.ndarray | None = None, near: bool = False
) -> list[list[float]]: ...
def run_screen(
    number: int, a: np.ndarray, rows: np.ndarray, limit: float, slope: float, low: float
) -> list[int]: ...
def run_tile(
    number: int,
    rows: np.ndarray,
    panel: np.ndarray,
    epilogue: str,
    low: float,
    high: float,
    row: np.ndarray,
    column: np.ndarray,
) -> tuple[np.ndarray, list[int]]: ...
def run_sieve(
    number: int,
    d: int,
    panel: np.ndarray,
    group: int,
    codes: np.ndarray,
    bias: np.ndarray,
    a: np.ndarray,
    t: np.ndarray,
    k: np.ndarray,
) -> list[int]: ...
def run_tally(number: int, d: int, panel: np.ndarray, codes: np.ndarray) -> np.ndarray: ...
def run_widen(number: int, row: np.ndarray) -> np.ndarray: ...
def run_score(
    number: int, metric: int, wide: bool, norm: float, edge: float, norms: np.ndarray, sums: np.ndarray
) -> tuple[np.ndarray, bool]: ...
def run_apart(
    number: int,
    a: np.ndarray,
    x: np.ndarray,
    scale_a: float,
    scale_x: float,
    t: float = 0,
    u: float = 0,
    swapped: bool = False,
) -> list[float]: ...
def run_encode(number: int, x: np.ndarray, center: np.ndarray) -> tuple[np.ndarray, dict[str, float]]: ...
def install(general_function: Callable[..., Any], run_function: Callable[..., Any]) -> None: ...

# A float or an int for two rows, else an array: which, types cannot tell.
def dot(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: np.ndarray | None = None,
    threads: int | None = None,
    dtype: Any = None,
) -> Any: ...
def sqeuclidean(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: np.ndarray | None = None,
    threads: int | None = None,
    dtype: Any = None,
) -> Any: ...
def euclidean(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: np.ndarray | None = None,
    threads: int | None = None,
    dtype: Any = None,
) -> Any: ...
def cosine_similarity(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: np.ndarray | None = None,
    threads: int | None = None,
    dtype: Any = None,
) -> Any: ...
def cosine(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: np.ndarray | None = None,
    threads: int | None = None,
    dtype: Any = None,
) -> Any: ...
def hamming(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: np.ndarray | None = None,
    threads: int | None = None,
    dtype: Any = None,
) -> Any: ...
def jaccard(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: np.ndarray | None = None,
    threads: int | None = None,
    dtype: Any = None,
) -> Any: ...
def native(array: np.ndarray) -> bool: ...
def know_bfloat16(dtype: np.dtype[Any]) -> None: ...
def bfloat16_from_dlpack(capsule: object) -> np.ndarray | None: ...

class ArrowOwner: ...

def arrow_array(schema: object, array: object) -> tuple[Any, list[tuple[Any, Any]]]: ...
def arrow_stream(capsule: object) -> tuple[Any, list[tuple[Any, Any]]]: ...
def arrow_memory(address: int, count: int, dtype: np.dtype[Any], owner: object) -> np.ndarray: ...
def value_dtype(metric: int, a: np.dtype[Any], b: np.dtype[Any], d: int) -> np.dtype[Any]: ...
def floating_point_mode(mode: int | None = None) -> int: ...

class StandardMode:
    def __enter__(self) -> None: ...
    def __exit__(self, *exception: object) -> None: ...

def narrowed(values: np.ndarray) -> np.ndarray: ...
def values_of(metric: int, d: int, scores: np.ndarray) -> None: ...

class Guard:
    def __call__(self, function: Callable[..., T], *arguments: Any) -> T: ...

class Visit:
    thread: int
    over: bool
    def __init__(self, enter: Callable[[Visit], object], thread: int) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...

class Helper:
    def __init__(self, task: Callable[[], object]) -> None: ...
    def work(self) -> None: ...
    def end(self) -> BaseException | None: ...
    def lost(self) -> bool: ...

class Watch:
    def __init__(self, progress: Callable[[float, float], object] | None, helpers: list[Helper]) -> None: ...
    def __call__(self, done: float, total: float) -> None: ...
    def look(self) -> None: ...

class Job:
    @property
    def tiles(self) -> int: ...
    @property
    def work(self) -> float: ...
    def run(self, progress: Callable[[float, float], object] | None = None) -> None: ...
    def help(self) -> None: ...
    def stop(self) -> None: ...
    def finish(self) -> None: ...
    def told(self) -> tuple[str, int, int, int]: ...

class TopKJob(Job): ...

class WithinJob(Job):
    def found(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...

class Kept:
    def __init__(self, queries: int, k: int) -> None: ...
    def found(self) -> tuple[np.ndarray, np.ndarray]: ...

def measure(metric: int, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Job: ...
def pairwise(
    metric: int, a: np.ndarray, b: np.ndarray, layout: str, threads: int, out: np.ndarray
) -> Job | None: ...
def two_rows(a: Any, b: Any) -> str | None: ...
def rewrite(how: str, rows: np.ndarray, out: np.ndarray) -> Job: ...
def codes_bytes(rows: int, d: int) -> tuple[int, int]: ...
def encode(metric: int, rows: np.ndarray, first: int, panels: np.ndarray, center: np.ndarray) -> Job: ...
def use_plan(plan: str) -> None: ...
def topk_plain(
    metric: int, queries: Any, corpus: Any, k: Any, codes: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[Job, np.ndarray, np.ndarray, np.ndarray] | None: ...
def topk(
    metric: int,
    queries: np.ndarray,
    corpus: np.ndarray,
    codes: tuple[np.ndarray, np.ndarray] | None,
    mask: np.ndarray | None,
    ids: np.ndarray | None,
    eligible: int,
    k: int,
    threads: int,
    indices: np.ndarray,
    scores: np.ndarray,
) -> TopKJob: ...
def topk_part(
    metric: int,
    queries: np.ndarray,
    corpus: np.ndarray,
    codes: tuple[np.ndarray, np.ndarray] | None,
    mask: np.ndarray | None,
    ids: np.ndarray | None,
    eligible: int,
    threads: int,
    kept: Kept,
    first: int,
) -> Job: ...
def within(
    metric: int,
    queries: np.ndarray,
    corpus: np.ndarray,
    codes: tuple[np.ndarray, np.ndarray] | None,
    mask: np.ndarray | None,
    ids: np.ndarray | None,
    eligible: int,
    threshold: float,
    dtype: np.dtype[Any],
    threads: int,
) -> WithinJob: ...
