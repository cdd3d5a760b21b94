"""What is measured: cases, each with vecblade and the peers that can do the same work.

Groups follow the shape of the work: one-to-one, one-to-many, many-to-many, top-k and so on.
"""

from functools import partial

import vecblade.numpy as vb_numpy
import vecblade.scipy as vb_scipy
import vecblade.sklearn as vb_sklearn
from vecblade import _core

from . import limits
from .case import Case
from .hard import hard_data
from .peers import arrays, distance, faiss, ml_dtypes, np, numkong, pairs, simsimd, usearch, vb

DIMS = (4, 32, 128, 256, 768, 1536)


def one_to_one():
    for dtype in ("f4", "f8"):
        for d in DIMS:
            a, b = arrays(1, d, dtype, 0)[0].copy(), arrays(1, d, dtype, 1)[0].copy()
            numpy_forms = {
                "dot": lambda a, b: a @ b,
                "sqeuclidean": lambda a, b: np.square(a - b).sum(),
                "cosine": lambda a, b: 1 - (a @ b) / np.sqrt((a @ a) * (b @ b)),
            }
            for metric, theirs in (("dot", "inner"), ("sqeuclidean", "sqeuclidean"), ("cosine", "cosine")):
                case = {
                    "vecblade": partial(getattr(vb, metric), a, b),
                    "numpy": partial(numpy_forms[metric], a, b),
                }
                if simsimd:
                    case["simsimd"] = partial(getattr(simsimd, theirs), a, b)
                if numkong:
                    case["numkong"] = partial(getattr(numkong, theirs.replace("cosine", "angular")), a, b)
                if distance and metric != "dot":
                    case["scipy"] = partial(getattr(distance, metric), a, b)
                yield Case(metric, dtype, 1, 1, d, case)


def one_to_many():
    for rows, d in ((10_000, 128), (100_000, 768)):
        X, q = arrays(rows, d), arrays(1, d, seed=1)[0]
        norms = np.linalg.norm(X, axis=1)
        for metric in ("dot", "sqeuclidean", "cosine"):
            case = {"vecblade": partial(getattr(vb, metric), q, X)}
            if metric == "dot":
                case["numpy X @ q"] = partial(np.matmul, X, q)
                case["numpy vecdot"] = partial(np.vecdot, X, q)
            elif metric == "cosine":
                case["numpy X @ q / norms"] = lambda X=X, q=q, norms=norms: (
                    1 - X @ q / (norms * np.linalg.norm(q))
                )
            if simsimd:
                case["simsimd cdist"] = partial(simsimd.cdist, q[None], X, metric=metric)
            if faiss and metric != "cosine":
                kind = faiss.METRIC_INNER_PRODUCT if metric == "dot" else faiss.METRIC_L2
                case["faiss.knn k=1"] = partial(faiss.knn, q[None], X, 1, metric=kind)
            if pairs and metric != "dot":
                function = pairs.cosine_distances if metric == "cosine" else pairs.euclidean_distances
                case["sklearn"] = partial(function, q[None], X)
            yield Case(metric, "f4", 1, rows, d, case, limits=limits.plain_read(X))


def many_to_many():
    for rows, d in ((2048, 768), (4096, 128)):
        for dtype in ("f4", "f8"):
            A, B, out = arrays(rows, d, dtype, 0), arrays(rows, d, dtype, 1), np.empty((rows, rows), dtype)
            for metric in ("dot", "euclidean", "cosine"):
                case = {"vecblade": partial(vb.pairwise, A, B, metric, out=out)}
                if metric == "dot":
                    case["numpy A @ B.T"] = partial(np.matmul, A, B.T, out=out)
                else:
                    case["vecblade dot"] = partial(vb.pairwise, A, B, "dot", out=out)
                if faiss and dtype == "f4" and metric != "cosine":
                    kind = faiss.METRIC_INNER_PRODUCT if metric == "dot" else faiss.METRIC_L2
                    case["faiss.pairwise_distances"] = partial(faiss.pairwise_distances, A, B, metric=kind)
                if pairs and metric != "dot":
                    name = "cosine_distances" if metric == "cosine" else "euclidean_distances"
                    case[f"sklearn {name}"] = partial(getattr(pairs, name), A, B)
                if distance and metric != "dot" and d < 768:
                    case["scipy cdist"] = partial(distance.cdist, A, B, metric)
                yield Case(metric, dtype, rows, rows, d, case, limits=limits.peak(dtype, rows * rows * d))
            case = {"vecblade": partial(vb.pairwise, A, metric="dot", out=out)}
            case["vecblade of two"] = partial(vb.pairwise, A, B, "dot", out=out)
            case["numpy A @ A.T"] = partial(np.matmul, A, A.T, out=out)
            yield Case("dot", dtype, rows, rows, d, case, note=" with itself")


def argpartition(X, q, k):
    scores = X @ q
    best = np.argpartition(-scores, k)[:k]
    return best[np.argsort(-scores[best])]


def top_k():
    k = 10
    for rows, d, queries in ((10_000, 128, 1), (100_000, 768, 1), (1_000_000, 128, 1), (100_000, 128, 100)):
        X, Q = arrays(rows, d), arrays(queries, d, seed=1)
        for metric in ("dot", "euclidean", "cosine"):
            case = {"vecblade": partial(vb.topk, Q, X, k, metric)}
            if metric == "dot" and queries == 1:
                case["numpy argpartition"] = partial(argpartition, X, Q[0], k)
            if faiss and metric != "cosine":
                kind = faiss.METRIC_INNER_PRODUCT if metric == "dot" else faiss.METRIC_L2
                case["faiss.knn"] = partial(faiss.knn, Q, X, k, metric=kind)
            if usearch:
                kind = {"dot": "ip", "euclidean": "l2sq", "cosine": "cos"}[metric]
                case["usearch exact"] = partial(usearch.search, X, Q, k, kind, exact=True)
            limit = limits.peak("f4", queries * rows * d) if queries > 1 else limits.plain_read(X)
            yield Case(metric, "f4", queries, rows, d, case, k, limits=limit)


def search():
    """Many queries at once: float32 rows as they come. faiss gets unit rows for cosines, which costs it nothing."""
    kinds = (("dot", "METRIC_INNER_PRODUCT"), ("euclidean", "METRIC_L2"), ("cosine", "METRIC_INNER_PRODUCT"))
    for rows, d, ks in ((1_000_000, 128, (10, 100)), (200_000, 768, (10,))):
        X, Q = arrays(rows, d), arrays(1000, d, seed=1)
        for metric, kind in kinds:
            theirs = (unit(Q), unit(X)) if metric == "cosine" else (Q, X)
            for k in ks:
                case = {"vecblade": partial(vb.topk, Q, X, k, metric)}
                if faiss:
                    case["faiss.knn"] = partial(faiss.knn, *theirs, k, metric=getattr(faiss, kind))
                yield Case(metric, "f4", 1000, rows, d, case, k, limits=limits.peak("f4", 1000 * rows * d))


def unit(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def index():
    """One query on rows prepared before."""
    for rows, d in ((1_000_000, 128), (100_000, 768)):
        X, q = arrays(rows, d), arrays(1, d, seed=1)
        for metric in ("dot", "euclidean", "cosine"):
            case = {"vecblade": partial(vb.FlatIndex(X, metric).search, q, 10)}
            if faiss:
                made = faiss.IndexFlatL2(d) if metric == "euclidean" else faiss.IndexFlatIP(d)
                made.add(unit(X) if metric == "cosine" else X)
                case["faiss.IndexFlat"] = partial(made.search, unit(q) if metric == "cosine" else q, 10)
            yield Case(metric, "f4", 1, rows, d, case, 10, ", prepared", limits.plain_read(X))


def direct(search):
    """The same by rows alone, without codes."""
    _core.use_plan("rows")
    try:
        return search()
    finally:
        _core.use_plan("codes")


def unprunable():
    """Where codes rule nothing out: all rows equal, or half of them wanted."""
    X, Q = arrays(100_000, 128), arrays(100, 128, seed=1)
    for metric in ("dot", "euclidean", "cosine"):
        for what, rows, k in (("all rows equal", np.ones_like(X), 10), ("k=m/2", X, len(X) // 2)):
            for how, call in (
                ("", partial(vb.topk, Q, rows, k, metric)),
                (", prepared", partial(vb.FlatIndex(rows, metric).search, Q, k)),
            ):
                case = {"vecblade": call, "vecblade direct": partial(direct, call)}
                yield Case(metric, "f4", 100, len(X), 128, case, k, f", {what}{how}")


def threads():
    """Two threads and one."""
    X, Q, A, D = arrays(500_000, 128), arrays(1000, 128, seed=1), arrays(2048, 768), arrays(2048, 768, "f8")
    prepared = vb.FlatIndex(X)
    for dtype, queries, rows, d, k, note, call in (
        ("f4", 1000, 500_000, 128, 10, "", partial(vb.topk, Q, X, 10)),
        ("f4", 1000, 500_000, 128, 10, ", prepared", partial(prepared.search, Q, 10)),
        ("f4", 2048, 2048, 768, 0, "", partial(vb.pairwise, A, arrays(2048, 768, seed=1))),
        ("f8", 2048, 2048, 768, 0, "", partial(vb.pairwise, D, arrays(2048, 768, "f8", 1))),
        ("f4", 2048, 2048, 768, 0, " with itself", partial(vb.pairwise, A)),
    ):
        case = {"vecblade": partial(call, threads=2), "vecblade, one thread": partial(call, threads=1)}
        yield Case("euclidean", dtype, queries, rows, d, case, k, note)


# ---- smaller types -------------------------------------------------------------------------

SMALL = tuple(name for name in ("f2", "bf16", "i1", "u1") if name != "bf16" or ml_dtypes)


def small_one_to_one():
    """Of bfloat16 numkong gets rows of ml_dtypes, which it takes by a detour, and beside them its own tensors."""
    for dtype in (*SMALL, "b1"):
        for d in (*DIMS, 4096) if dtype == "b1" else DIMS:
            a, b = (arrays(1, d, dtype, seed)[0].copy() for seed in (0, 1))
            if len(a) == 0:
                continue
            metrics = ("hamming", "jaccard") if dtype == "b1" else ("dot", "sqeuclidean", "cosine")
            for metric in metrics:
                case = {"vecblade": partial(getattr(vb, metric), a, b)}
                theirs = {"dot": "inner"}.get(metric, metric)
                if simsimd:
                    as_they_say = {"bf16": ("bf16",), "b1": ("bin8",)}.get(dtype, ())
                    plain = (x.view(np.uint16) if dtype == "bf16" else x for x in (a, b))
                    case["simsimd"] = partial(getattr(simsimd, theirs), *plain, *as_they_say)
                if numkong:
                    function = getattr(numkong, theirs.replace("cosine", "angular"))
                    case["numkong"] = partial(function, a, b, *(("uint1",) if dtype == "b1" else ()))
                    if dtype == "bf16":
                        tensors = (numkong.Tensor(x.astype(np.float32)).astype("bfloat16") for x in (a, b))
                        case["numkong tensors"] = partial(function, *tensors)
                yield Case(metric, dtype, 1, 1, d, case)


def small_one_to_many():
    """Beside a plain read of the same bytes, the limit."""
    for dtype, rows, d in (*((name, 100_000, 768) for name in SMALL), ("b1", 1_000_000, 1024)):
        X, q = arrays(rows, d, dtype), arrays(1, d, dtype, 1)[0]
        for metric in ("hamming", "jaccard") if dtype == "b1" else ("dot", "sqeuclidean", "cosine"):
            case = {"vecblade": partial(getattr(vb, metric), q, X)}
            if simsimd and dtype not in ("bf16", "u1"):
                word = {"dtype": "bin8"} if dtype == "b1" else {}
                case["simsimd cdist"] = partial(simsimd.cdist, q[None], X, metric=metric, **word)
            if usearch and dtype in ("f2", "i1", "b1"):
                kinds = {"dot": "ip", "sqeuclidean": "l2sq", "cosine": "cos", "jaccard": "tanimoto"}
                kind = kinds.get(metric, metric)
                case["usearch exact"] = partial(usearch.search, X, q[None], 1, kind, exact=True)
            yield Case(metric, dtype, 1, rows, d, case, limits=limits.plain_read(X))


def small_many_to_many():
    """Beside the instruction's peak, for so many multiply-adds."""
    n, d = 2048, 768
    for dtype in (*SMALL, "b1"):
        A, B = arrays(n, d, dtype, 0), arrays(n, d, dtype, 1)
        out = np.empty((n, n), np.float32 if dtype in ("f2", "bf16") else np.int32)
        metric = "hamming" if dtype == "b1" else "dot"
        case = {"vecblade": partial(vb.pairwise, A, B, metric, out=out)}
        if numkong and dtype in ("f2", "i1", "u1"):
            packed = numkong.dots_pack(B)
            case["numkong packed"] = partial(numkong.dots_packed, A, packed)
        if dtype != "b1":
            case["numpy A @ B.T in float32"] = partial(
                np.matmul, A.astype(np.float32), B.astype(np.float32).T
            )
        yield Case(metric, dtype, n, n, d, case, limits=limits.peak(dtype, n * n * d))


def small_search():
    """Many queries at once; faiss gets float32 rows, or bits."""
    n, m = 1000, 1_000_000
    for dtype in SMALL:
        X, Q = arrays(m, 128, dtype), arrays(n, 128, dtype, 1)
        for metric in ("dot", "euclidean", "cosine"):
            case = {"vecblade": partial(vb.topk, Q, X, 10, metric)}
            if faiss and metric != "cosine":
                kind = faiss.METRIC_INNER_PRODUCT if metric == "dot" else faiss.METRIC_L2
                wide = [x.astype(np.float32) for x in (Q, X)]
                case["faiss.knn in float32"] = partial(faiss.knn, *wide, 10, metric=kind)
            yield Case(metric, dtype, n, m, 128, case, 10, limits=limits.peak(dtype, n * m * 128))
    X, Q = arrays(m, 1024, "b1"), arrays(n, 1024, "b1", 1)
    for metric in ("hamming", "jaccard"):
        case = {"vecblade": partial(vb.topk, Q, X, 10, metric)}
        if faiss and metric == "hamming":
            index = faiss.IndexBinaryFlat(1024)
            index.add(X)
            case["faiss.IndexBinaryFlat"] = partial(index.search, Q, 10)
        yield Case(metric, "b1", n, m, 1024, case, 10, limits=limits.peak("b1", n * m * 1024))


# ---- in the place of other libraries ---------------------------------------------------------


def drop_in():
    """Our form of a function beside the original of the same name."""
    for dtype, n, d in (
        ("f8", 2048, 768),
        ("f8", 2048, 3),
        ("f8", 50, 128),
        ("f4", 2048, 768),
        ("f4", 4096, 128),
    ):
        A, B = arrays(n, d, dtype, 0), arrays(n, d, dtype, 1)
        for metric in ("euclidean", "cosine"):
            if distance and n <= 2048:
                case = {"vecblade": partial(vb_scipy.cdist, A, B, metric)}
                case["scipy"] = partial(distance.cdist, A, B, metric)
                yield Case(metric, dtype, n, n, d, case, note=", cdist")
        for metric, name in (("cosine", "cosine_similarity"), ("euclidean", "euclidean_distances")):
            if pairs and d > 3:
                case = {"vecblade": partial(getattr(vb_sklearn, name), A, B)}
                case["sklearn"] = partial(getattr(pairs, name), A, B)
                yield Case(metric, dtype, n, n, d, case, note=f", {name}")
    if pairs:
        from sklearn.neighbors import NearestNeighbors

        A, B = arrays(4096, 128, "f4", 0), arrays(4096, 128, "f4", 1)
        case = {"vecblade": partial(vb_sklearn.pairwise_distances_argmin, A, B)}
        case["sklearn"] = partial(pairs.pairwise_distances_argmin, A, B)
        yield Case("euclidean", "f4", 4096, 4096, 128, case, 1, ", pairwise_distances_argmin")
        X = arrays(1_000_000, 128)
        for n in (1000, 1):
            Q, case = arrays(n, 128, seed=1), {}
            for who, kind in (("vecblade", vb_sklearn.NearestNeighbors), ("sklearn", NearestNeighbors)):
                case[who] = partial(kind(n_neighbors=10, algorithm="brute").fit(X).kneighbors, Q)
            yield Case("euclidean", "f4", n, len(X), 128, case, 10, ", NearestNeighbors")
    for dtype in ("f8", "f4", "i1"):
        a, b = arrays(1, 768, dtype, 0)[0].copy(), arrays(1, 768, dtype, 1)[0].copy()
        case = {"vecblade": partial(vb_numpy.dot, a, b), "numpy": partial(np.dot, a, b)}
        yield Case("dot", dtype, 1, 1, 768, case, note=", np.dot")
    X, q = arrays(100_000, 768), arrays(1, 768, seed=1)[0]
    for name in ("dot", "vecdot"):
        case = {"vecblade": partial(getattr(vb_numpy, name), X, q), "numpy": partial(getattr(np, name), X, q)}
        yield Case("dot", "f4", 1, len(X), 768, case, note=f", np.{name}", limits=limits.plain_read(X))
    case = {"vecblade": partial(vb_numpy.linalg.norm, X, axis=1), "numpy": partial(np.linalg.norm, X, axis=1)}
    yield Case("euclidean", "f4", 1, len(X), 768, case, note=", np.linalg.norm", limits=limits.plain_read(X))
    H = arrays(200, 768, "f2")
    case = {"vecblade": partial(vb_numpy.matmul, H, H.T), "numpy": partial(np.matmul, H, H.T)}
    yield Case("dot", "f2", 200, 200, 768, case, note=", np.matmul")


def redirection():
    """What it costs that a call goes through `vecblade.scipy`: to our own function, and to SciPy's."""
    if not distance:
        return
    a, b = arrays(1, 8, "f8", 0)[0].copy(), arrays(1, 8, "f8", 1)[0].copy()
    A, w = arrays(4, 8, "f8", 0), np.ones(8)
    for metric in ("euclidean", "cosine"):
        ours, theirs = getattr(vb_scipy, metric), getattr(distance, metric)
        case = {"vecblade": partial(ours, a, b), "vecblade itself": partial(getattr(vb, metric), a, b)}
        yield Case(metric, "f8", 1, 1, 8, case, note=", accelerated")
        case = {"vecblade": partial(ours, a, b, w), "scipy": partial(theirs, a, b, w)}
        yield Case(metric, "f8", 1, 1, 8, case, note=", passed on")
    case = {"vecblade": partial(vb_scipy.cdist, A, A), "vecblade itself": partial(vb.pairwise, A, A)}
    case["scipy"] = partial(distance.cdist, A, A)
    yield Case("euclidean", "f8", 4, 4, 8, case, note=", cdist, accelerated")
    case = {"vecblade": partial(vb_scipy.cdist, A, A, "cityblock")}
    case["scipy"] = partial(distance.cdist, A, A, "cityblock")
    yield Case("cityblock", "f8", 4, 4, 8, case, note=", cdist, passed on")


def over_dimension():
    """How time grows with the length of two rows."""
    for d in (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096):
        for metric, theirs in (("dot", "inner"), ("sqeuclidean", "sqeuclidean"), ("cosine", "cosine")):
            a, b = arrays(1, d, "f4", 0)[0].copy(), arrays(1, d, "f4", 1)[0].copy()
            case = {"vecblade": partial(getattr(vb, metric), a, b)}
            if simsimd:
                case["simsimd"] = partial(getattr(simsimd, theirs), a, b)
            if numkong:
                case["numkong"] = partial(getattr(numkong, theirs.replace("cosine", "angular")), a, b)
            yield Case(metric, "f4", 1, 1, d, case)


def over_rows():
    """How time grows with the rows that are searched."""
    for rows in (100, 1000, 10_000, 100_000, 1_000_000):
        X = arrays(rows, 128)
        index = vb.FlatIndex(X)
        for n in (1, 100):
            Q = arrays(100, 128, seed=1)[:n]
            case = {
                "vecblade": partial(vb.topk, Q, X, 10),
                "vecblade, prepared": partial(index.search, Q, 10),
            }
            if faiss:
                case["faiss.knn"] = partial(faiss.knn, Q, X, 10)
            if n == 1:
                case["numpy argpartition"] = partial(argpartition, X, Q[0], 10)
            yield Case("euclidean", "f4", n, rows, 128, case, 10)


GROUPS = {
    "one-to-one": one_to_one,
    "one-to-many": one_to_many,
    "many-to-many": many_to_many,
    "top-k": top_k,
    "search": search,
    "index": index,
    "unprunable": unprunable,
    "threads": threads,
    "small-one-to-one": small_one_to_one,
    "small-one-to-many": small_one_to_many,
    "small-many-to-many": small_many_to_many,
    "small-search": small_search,
    "drop-in": drop_in,
    "redirection": redirection,
    "over-dimension": over_dimension,
    "over-rows": over_rows,
    "hard-data": hard_data,
}
# What a quick run takes in the place of a group.
QUICK = {"hard-data": partial(hard_data, 0.1)}
