"""What is measured: cases, each with vecblade and the peers that can do the same work.

A case is a name and a dict of functions without arguments; `vecblade` is always among them. Groups
follow the shape of the work: one-to-one, one-to-many, many-to-many, top-k and so on. A contender called
"vecblade ..." is for comparison, and no peer.
"""

from functools import partial

import limits
from peers import arrays, distance, faiss, ml_dtypes, np, numkong, pairs, simsimd, usearch, vb

import vecblade.numpy as vb_numpy
import vecblade.scipy as vb_scipy
import vecblade.sklearn as vb_sklearn
from vecblade import _core

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
                yield f"{metric} {dtype} d={d}", case


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
            yield f"{metric} f4 {rows}x{d}", case


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
                yield f"{metric} {dtype} {rows}x{rows}x{d}", case
            case = {"vecblade": partial(vb.pairwise, A, metric="dot", out=out)}
            case["vecblade of two"] = partial(vb.pairwise, A, B, "dot", out=out)
            case["numpy A @ A.T"] = partial(np.matmul, A, A.T, out=out)
            yield f"dot {dtype} {rows}x{d} with itself", case


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
            yield f"{metric} f4 {queries} in {rows}x{d} k={k}", case


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
                yield f"{metric} f4 1000 in {rows}x{d} k={k}", case


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
            yield f"{metric} f4 1 in {rows}x{d}, prepared", case


def direct(search):
    """The same by rows alone, without codes."""
    _core.use_plans("rows")
    try:
        return search()
    finally:
        _core.use_plans("codes")


def unprunable():
    """Where codes rule nothing out: all rows equal, or half of them wanted."""
    X, Q = arrays(100_000, 128), arrays(100, 128, seed=1)
    for metric in ("dot", "euclidean", "cosine"):
        for what, rows, k in (("all rows equal", np.ones_like(X), 10), ("k=m/2", X, len(X) // 2)):
            for how, call in (
                ("", partial(vb.topk, Q, rows, k, metric)),
                (", prepared", partial(vb.FlatIndex(rows, metric).search, Q, k)),
            ):
                yield (
                    f"{metric} f4 100 in 100000x128, {what}{how}",
                    {"vecblade": call, "direct": partial(direct, call)},
                )


def threads():
    """Two threads and one."""
    X, Q, A, D = arrays(500_000, 128), arrays(1000, 128, seed=1), arrays(2048, 768), arrays(2048, 768, "f8")
    prepared = vb.FlatIndex(X)
    for name, call in (
        ("topk f4 1000 in 500000x128", partial(vb.topk, Q, X, 10)),
        ("the same, prepared", partial(prepared.search, Q, 10)),
        ("pairwise f4 2048x2048x768", partial(vb.pairwise, A, arrays(2048, 768, seed=1))),
        ("pairwise f8 2048x2048x768", partial(vb.pairwise, D, arrays(2048, 768, "f8", 1))),
        ("pairwise f4 2048x768 with itself", partial(vb.pairwise, A)),
    ):
        yield name, {"vecblade": partial(call, threads=2), "one thread": partial(call, threads=1)}


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
                yield f"{metric} {dtype} d={d}", case


def small_one_to_many():
    """Beside a plain read of the same bytes, the limit."""
    for dtype, rows, d in (*((name, 100_000, 768) for name in SMALL), ("b1", 1_000_000, 1024)):
        X, q = arrays(rows, d, dtype), arrays(1, d, dtype, 1)[0]
        for metric in ("hamming", "jaccard") if dtype == "b1" else ("dot", "sqeuclidean", "cosine"):
            case = {
                "vecblade": partial(getattr(vb, metric), q, X),
                "vecblade: a plain read": limits.reader(X),
            }
            if simsimd and dtype not in ("bf16", "u1"):
                word = {"dtype": "bin8"} if dtype == "b1" else {}
                case["simsimd cdist"] = partial(simsimd.cdist, q[None], X, metric=metric, **word)
            if usearch and dtype in ("f2", "i1", "b1"):
                kinds = {"dot": "ip", "sqeuclidean": "l2sq", "cosine": "cos", "jaccard": "tanimoto"}
                kind = kinds.get(metric, metric)
                case["usearch exact"] = partial(usearch.search, X, q[None], 1, kind, exact=True)
            yield f"{metric} {dtype} {rows}x{d}", case


def small_many_to_many():
    """Beside the instruction's peak, for so many multiply-adds."""
    n, d = 2048, 768
    for dtype in (*SMALL, "b1"):
        A, B = arrays(n, d, dtype, 0), arrays(n, d, dtype, 1)
        out = np.empty((n, n), np.float32 if dtype in ("f2", "bf16") else np.int32)
        metric = "hamming" if dtype == "b1" else "dot"
        case = {
            "vecblade": partial(vb.pairwise, A, B, metric, out=out),
            **limits.peak(dtype, n * n * d),
        }
        if numkong and dtype in ("f2", "i1", "u1"):
            packed = numkong.dots_pack(B)
            case["numkong packed"] = partial(numkong.dots_packed, A, packed)
        if dtype != "b1":
            case["numpy A @ B.T in float32"] = partial(
                np.matmul, A.astype(np.float32), B.astype(np.float32).T
            )
        yield f"{metric} {dtype} {n}x{n}x{d}", case


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
            yield f"{metric} {dtype} {n} in {m}x128 k=10", case
    X, Q = arrays(m, 1024, "b1"), arrays(n, 1024, "b1", 1)
    for metric in ("hamming", "jaccard"):
        case = {"vecblade": partial(vb.topk, Q, X, 10, metric)}
        if faiss and metric == "hamming":
            index = faiss.IndexBinaryFlat(1024)
            index.add(X)
            case["faiss.IndexBinaryFlat"] = partial(index.search, Q, 10)
        yield f"{metric} b1 {n} in {m}x1024 k=10", case


def drop_in():
    """Our form of a function beside the original of the same name."""
    for dtype, rows, d in (("f8", 2048, 768), ("f8", 2048, 3), ("f8", 50, 128), ("f4", 2048, 768)):
        A, B = arrays(rows, d, dtype, 0), arrays(rows, d, dtype, 1)
        for metric in ("euclidean", "cosine"):
            if distance:
                case = {"vecblade": partial(vb_scipy.cdist, A, B, metric)}
                case["scipy cdist"] = partial(distance.cdist, A, B, metric)
                yield f"cdist {metric} {dtype} {rows}x{rows}x{d}", case
        for name in ("cosine_similarity", "euclidean_distances"):
            if pairs and d > 3:
                case = {"vecblade": partial(getattr(vb_sklearn, name), A, B)}
                case["sklearn"] = partial(getattr(pairs, name), A, B)
                yield f"{name} {dtype} {rows}x{rows}x{d}", case
    A, B = arrays(4096, 128, "f4", 0), arrays(4096, 128, "f4", 1)
    for name in ("cosine_similarity", "euclidean_distances", "pairwise_distances_argmin"):
        if pairs:
            case = {"vecblade": partial(getattr(vb_sklearn, name), A, B)}
            case["sklearn"] = partial(getattr(pairs, name), A, B)
            yield f"{name} f4 4096x4096x128", case
    if pairs:
        from sklearn.neighbors import NearestNeighbors

        X = arrays(1_000_000, 128)
        for queries in (1000, 1):
            Q = arrays(queries, 128, seed=1)
            case = {}
            for who, kind in (("vecblade", vb_sklearn.NearestNeighbors), ("sklearn", NearestNeighbors)):
                case[who] = partial(kind(n_neighbors=10, algorithm="brute").fit(X).kneighbors, Q)
            yield f"NearestNeighbors f4 {queries} in 1000000x128 k=10", case
    for dtype in ("f8", "f4", "i1"):
        a, b = arrays(1, 768, dtype, 0)[0].copy(), arrays(1, 768, dtype, 1)[0].copy()
        yield f"dot {dtype} d=768", {"vecblade": partial(vb_numpy.dot, a, b), "numpy": partial(np.dot, a, b)}
    X, q = arrays(100_000, 768), arrays(1, 768, seed=1)[0]
    for name in ("dot", "vecdot"):
        case = {"vecblade": partial(getattr(vb_numpy, name), X, q), "numpy": partial(getattr(np, name), X, q)}
        yield f"{name} f4 100000x768", case
    case = {"vecblade": partial(vb_numpy.linalg.norm, X, axis=1), "numpy": partial(np.linalg.norm, X, axis=1)}
    yield "norm f4 100000x768", case
    H = arrays(2048, 768, "f2")
    yield (
        "matmul f2 200x200x768",
        {
            "vecblade": partial(vb_numpy.matmul, H[:200], H[:200].T),
            "numpy": partial(np.matmul, H[:200], H[:200].T),
        },
    )


def redirection():
    """What it costs that a call goes through `vecblade.scipy`: to vecblade's own function, and to SciPy's."""
    if distance:
        a, b = arrays(1, 8, "f8", 0)[0].copy(), arrays(1, 8, "f8", 1)[0].copy()
        for metric in ("euclidean", "cosine"):
            case = {"vecblade": partial(getattr(vb_scipy, metric), a, b)}
            yield f"{metric} d=8, accelerated", case | {"vecblade itself": partial(getattr(vb, metric), a, b)}
            w = np.ones(8)
            case = {"vecblade": partial(getattr(vb_scipy, metric), a, b, w)}
            yield f"{metric} d=8, passed on", case | {"scipy": partial(getattr(distance, metric), a, b, w)}
        A = arrays(4, 8, "f8", 0)
        case = {"vecblade": partial(vb_scipy.cdist, A, A, "cityblock")}
        yield "cdist 4x4x8, passed on", case | {"scipy": partial(distance.cdist, A, A, "cityblock")}
        case = {"vecblade": partial(vb_scipy.cdist, A, A)}
        case |= {"vecblade itself": partial(vb.pairwise, A, A), "scipy": partial(distance.cdist, A, A)}
        yield "cdist 4x4x8, accelerated", case


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
}
