"""
Data that gaussian rows do not stand for: zeros, NaN, denormals, duplicates, rows in the worst order.

A case is a change of ordinary data, a type, a metric and a call; its ratio is our time after the change over our time
before it. `TABLE` has them all, but for those of an index that changes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import vecblade.scipy as vb_scipy
import vecblade.sklearn as vb_sklearn

from .case import ORDINARY, Case
from .peers import arrays, distance, ml_dtypes, np, pairs, vb

SHARE = 0.15  # of the time that other cases get: there are many of these, and they are short
FLOATS = ("f8", "f4", "f2", "bf16") if ml_dtypes else ("f8", "f4", "f2")
TYPES = (*FLOATS, "i1", "u1", "b1")

# ---- what is called --------------------------------------------------------------------------

PAIRS, SEARCH = (1000, 1000, 128), (50, 20_000, 128)
K = 10


@dataclass(frozen=True)
class Call:
    """`ready` makes a function without arguments of (metric, queries, rows, k); `shape` is how many of what size."""

    shape: tuple[int, int, int]
    ready: Callable
    k: int = 0


def neighbors(metric, Q, X, k):
    return partial(vb_sklearn.NearestNeighbors(n_neighbors=k, metric=metric).fit(X).kneighbors, Q)


CALLS = {
    "row function": Call((1, 10_000, 128), lambda metric, Q, X, k: partial(getattr(vb, metric), Q[0], X)),
    "pairwise": Call(PAIRS, lambda metric, Q, X, k: partial(vb.pairwise, Q, X, metric)),
    "topk": Call(SEARCH, lambda metric, Q, X, k: partial(vb.topk, Q, X, k, metric), K),
    "FlatIndex": Call(SEARCH, lambda metric, Q, X, k: partial(vb.FlatIndex(X, metric).search, Q, k), K),
}
if distance:
    CALLS["cdist"] = Call(PAIRS, lambda metric, Q, X, k: partial(vb_scipy.cdist, Q, X, metric))
if pairs:
    CALLS["cosine_similarity"] = Call(
        PAIRS, lambda metric, Q, X, k: partial(vb_sklearn.cosine_similarity, Q, X)
    )
    CALLS["kneighbors"] = Call(SEARCH, neighbors, K)

SEARCHES = ("topk", "FlatIndex")
NATIVE = ("row function", "pairwise", *SEARCHES)
MEASURED = ("row function", "pairwise", "topk", "cdist", "kneighbors")
DROP_IN = ("cdist", "cosine_similarity", "kneighbors")

# ---- what makes data hard: changes of (queries, rows) ------------------------------------------


def same(Q, X):
    return Q, X


def of_both(change):
    return lambda Q, X: (change(Q), change(X))


def times(factor):
    """Rows of this size, or as near to it as their type comes."""
    return of_both(lambda X: (X.astype(np.float64) * factor).astype(X.dtype))


def plus(mean):
    return of_both(lambda X: (X.astype(np.float64) + mean).astype(X.dtype))


def one_query(value, elements):
    """One of the queries, in the middle, begins with so many elements like this."""

    def change(Q, X):
        Q = Q.copy()
        Q[len(Q) // 2, :elements] = value
        return Q, X

    return change


def some_rows(value, share):
    """So many of the rows, anywhere."""

    def change(X):
        X = X.copy()
        X[np.random.default_rng(5).permutation(len(X))[: round(share * len(X))]] = value
        return X

    return change


def repeated(distinct):
    """So many rows, again and again."""
    return lambda Q, X: (Q, X[np.arange(len(X)) % distinct])


def one_row(Q, X):
    """All rows equal, and the queries too."""
    return np.repeat(X[:1], len(Q), 0), np.repeat(X[:1], len(X), 0)


def one_question(Q, X):
    """The same query again and again."""
    return np.repeat(Q[:1], len(Q), 0), X


def by_distance(step):
    """The same query again and again; rows from near to far (1), or from far to near (-1)."""

    def change(Q, X):
        order = np.argsort(((X.astype(np.float64) - Q[0]) ** 2).sum(axis=1), kind="stable")
        return np.repeat(Q[:1], len(Q), 0), X[order[::step]]

    return change


def near(apart):
    """All rows, and the queries, at about this cosine distance from each other."""

    def change(Q, X):
        noise = np.sqrt(apart)
        return tuple((X[0] + noise * rows.astype(np.float64)).astype(X.dtype) for rows in (Q, X))

    return change


def scored(order):
    """Rows whose dot products with the query are the numbers up to their count, in this order."""

    def change(Q, X):
        Q, X = np.zeros_like(Q), np.zeros_like(X)
        Q[:, 0], X[:, 0] = 1, order(len(X))
        return Q, X

    return change


def anyhow(n):
    return np.random.default_rng(7).permutation(n)


def organ_pipe(n):
    return np.r_[0:n:2, (n - 1 - n % 2) : 0 : -2]


def against_medians(n):
    """What drives a quicksort by the median of first, middle and last to n**2 comparisons (McIlroy, Musser)."""
    half = n // 2
    order = np.arange(n)
    order[:half:2] = np.arange(0, half, 2) + 1
    order[1:half:2] = np.arange(1, half, 2) + half
    order[half : 2 * half] = 2 * np.arange(1, half + 1)
    return order


# ---- the table -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hard:
    """A change, and what it is tried with: each call with each type and metric; `shape` and `k` if not the call's."""

    what: str
    change: Callable
    calls: tuple[str, ...]
    metrics: tuple[str, ...]
    dtypes: tuple[str, ...]
    shape: tuple[int, int, int] | None = None
    k: int = 0
    ordinary: Callable = same  # what the change is compared with


L2, COS, BOTH = ("euclidean",), ("cosine",), ("euclidean", "cosine")
INDEXED = tuple((n, 100_000, d) for d in (128, 768) for n in (1, 100))


def of_types(what, change, dtypes=TYPES, calls=(*SEARCHES, "kneighbors")):
    """Searches by L2 and cosine for floats of 32 and 64 bits, by one of them for other types."""
    yield Hard(what, change, calls, BOTH, ("f8", "f4"))
    yield Hard(what, change, SEARCHES, L2, tuple(t for t in dtypes if t not in ("f8", "f4", "b1")))
    if "b1" in dtypes:
        yield Hard(what, change, SEARCHES, ("hamming",), ("b1",))


TABLE = (
    *(
        Hard(f"{what} query", one_query(value, elements), calls, COS, dtypes, shape)
        for what, value, elements in (("zero", 0, None), ("NaN", np.nan, 1), ("inf", np.inf, 1))
        for shape in INDEXED
        for calls, dtypes in (
            (("FlatIndex",), ("f4",)),
            *([(("topk",), ("f4",))] if shape[2] == 128 else []),
            *([(("FlatIndex",), ("f8", "f2"))] if shape == INDEXED[0] else []),
        )
    ),
    Hard("zero query", one_query(0, None), ("FlatIndex",), COS, ("i1",), INDEXED[0]),
    *(
        Hard(
            f"{share}% zero rows",
            of_both(some_rows(0, share / 100)),
            (*NATIVE, *DROP_IN),
            COS,
            ("f8", "f4"),
        )
        for share in (1, 5, 20)
    ),
    Hard("5% zero rows", of_both(some_rows(0, 0.05)), ("pairwise",), COS, (*FLOATS[2:], "i1")),
    *(
        Hard(f"rows of {size:g}", times(size), (*NATIVE, "cdist", "kneighbors"), BOTH, ("f8",))
        for size in (1e-160, 1e200, 1e-310)
    ),
    Hard("rows of 1e-40", times(1e-40), (*NATIVE, "kneighbors"), BOTH, ("f4",)),
    Hard("rows of 1e-06", times(1e-6), NATIVE, COS, ("f2",)),
    Hard("rows of 1e-39", times(1e-39), NATIVE, COS, FLOATS[3:]),
    Hard("rows of 3e-20", times(3e-20), ("pairwise", *SEARCHES), ("dot",), ("f4",)),
    *of_types("all rows equal", repeated(1)),
    *of_types("100 rows repeated", repeated(100)),
    *of_types("all rows zero", lambda Q, X: (Q, np.zeros_like(X))),
    *of_types("all rows NaN", lambda Q, X: (Q, np.full_like(X, np.nan)), FLOATS, SEARCHES),
    *of_types("5% NaN rows", lambda Q, X: (Q, some_rows(np.nan, 0.05)(X)), FLOATS, SEARCHES),
    Hard("all rows and queries equal", one_row, ("pairwise", *SEARCHES), BOTH, ("f8", "f4")),
    *(
        Hard(
            f"64 equal queries, {what}",
            by_distance(step),
            SEARCHES,
            BOTH,
            ("f4",),
            (64, 20_000, 128),
            ordinary=one_question,
        )
        for what, step in (("far to near", -1), ("near to far", 1))
    ),
    *(
        Hard(
            f"scores {what}",
            scored(order),
            ("topk",),
            ("dot",),
            ("f4",),
            (1, 120_000, 16),
            k,
            ordinary=scored(anyhow),
        )
        for k in (15_000, 60_000)
        for what, order in (
            ("ascending", np.arange),
            ("descending", lambda n: np.arange(n)[::-1]),
            ("like organ pipes", organ_pipe),
            ("against medians", against_medians),
            ("equal", np.ones),
        )
    ),
    *(
        Hard(f"cosine distances of {apart:g}", near(apart), MEASURED, BOTH, dtypes)
        for apart, dtypes in ((1e-10, ("f8", "f4")), (1e-20, ("f8",)))
    ),
    *(Hard(f"mean of {mean} deviations", plus(mean), MEASURED, BOTH, ("f8", "f4")) for mean in (10, 1000)),
    *(
        Hard(f"rows of {size:g}, products overflow", times(size), NATIVE, ("dot",), ("f8",))
        for size in (5e153, 1e155)
    ),
)


# ---- its cases -------------------------------------------------------------------------------


def hard_data(size=1.0):
    """The cases; with a smaller size of so much fewer rows."""

    def fewer(n):
        return n if n <= 100 else max(100, int(n * size))

    for hard in TABLE:
        for name in filter(CALLS.__contains__, hard.calls):
            call = CALLS[name]
            queries, rows, d = hard.shape or call.shape
            queries, rows, k = fewer(queries), fewer(rows), hard.k or call.k
            k = min(fewer(k), rows // 2)
            for dtype in hard.dtypes:
                ordinary = arrays(queries, d, dtype, 1), arrays(rows, d, dtype)
                with np.errstate(all="ignore"):
                    before, after = hard.ordinary(*ordinary), hard.change(*ordinary)
                for metric in hard.metrics:
                    case = {
                        "vecblade": call.ready(metric, *after, k),
                        ORDINARY: call.ready(metric, *before, k),
                    }
                    note = f", {hard.what}, {name}"
                    yield Case(metric, dtype, queries, rows, d, case, k, note, against=ORDINARY, share=SHARE)
    yield from changes(max(2000, fewer(100_000)))


class Step:
    """A call that changes something, and what has to be done before it, untimed."""

    def __init__(self, call, before=lambda: None):
        self.call, self.before = call, before

    def __call__(self):
        self.call()


def changes(rows):
    """A row removed from an index, and one added after that, beside one added to an index that has room."""
    X, row = arrays(rows, 128), arrays(1, 128, seed=1)

    def index():
        made = vb.FlatIndex(X)
        made.add(row)  # which takes a copy of the rows, with room
        return made

    def removing(index):
        def remove():
            index.remove([len(index) // 2])

        return remove

    for note, ready in (
        (", remove of one row", lambda index: Step(removing(index))),
        (", add after a remove", lambda index: Step(partial(index.add, row), removing(index))),
    ):
        case = {"vecblade": ready(index()), ORDINARY: Step(partial(index().add, row))}
        yield Case("euclidean", "f4", 1, rows, 128, case, note=note, against=ORDINARY, share=SHARE)
