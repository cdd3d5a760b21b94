"""What integers hold is never guessed: uint16 beside bfloat16, int8 that are packed bits, codes that are not the rows'."""

import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import METRICS, same_bits

import vecblade as vb

# ---- bfloat16 ------------------------------------------------------------------------------


def test_uint16_beside_bfloat16_is_refused(tmp_path):
    """They may be whole numbers or bfloat16: nothing is guessed, and both advices work."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    X = np.arange(12, dtype=np.float32).reshape(4, 3)
    half, whole = X.astype(ml_dtypes.bfloat16), np.array([[3, 4, 5], [9, 9, 11]], np.uint16)
    codes = half.view(np.uint16)
    index = vb.FlatIndex(half)
    index.save(tmp_path / "index")
    indexes = (
        index,
        vb.FlatIndex.load(tmp_path / "index"),
        vb.FlatIndex.load(tmp_path / "index", mmap=False),
        pickle.loads(pickle.dumps(index)),
    )
    calls = [
        lambda x: vb.topk(x, half, 2),
        lambda x: vb.topk(half, x, 2),
        lambda x: vb.within(x, half, 1.0),
        lambda x: vb.pairwise(half, x),
        lambda x: vb.dot(x, half[0]),
        lambda x: vb.explain(x, half, 1),
        lambda x: vb.topk(x, vb.pack_bits(half), 1, "cosine", rescore=half),
    ]
    for one in indexes:
        calls += [
            lambda x, one=one: one.search(x, 1),
            lambda x, one=one: one.within(x, 1.0),
            lambda x, one=one: one.add(x),
            lambda x, one=one: vb.topk(x, one, 1),
            lambda x, one=one: vb.within(x, one, 1.0),
            lambda x, one=one: vb.explain(x, one, 1),
        ]
    for call in calls:
        for given in (whole, codes, whole.astype(">u2")):
            with pytest.raises(
                TypeError, match=r"has dtype .*, and .* holds bfloat16: if these are integers"
            ):
                call(given)
    for one in indexes:
        assert one.vectors.dtype == ml_dtypes.bfloat16
        exact = ((whole[:, None] - X.astype(np.float64)) ** 2).sum(axis=2)
        found = one.search(np.asarray(whole, np.float32), 4)
        assert same_bits(found.values, np.sqrt(np.sort(exact, axis=1)).astype(np.float32))
        assert one.search(codes.view(ml_dtypes.bfloat16), 1).indices.ravel().tolist() == [0, 1, 2, 3]
        assert vb.topk(codes, one, 1, dtype="bfloat16").indices.ravel().tolist() == [0, 1, 2, 3]
        assert vb.within(codes, one, 0.0, dtype=ml_dtypes.bfloat16).indices.tolist() == [0, 1, 2, 3]
        assert one.add(np.asarray(whole, np.float32)) == range(4, 6)
        assert np.array_equal(one.vectors[4:].astype(int), whole)


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_an_index_that_was_told_goes_on_reading_uint16_as_bfloat16(dtype, tmp_path):
    """Whatever its rows are, and from a file too."""
    X = np.arange(12, dtype=np.float32).reshape(4, 3)
    codes = vb.astype(X, "bfloat16").view(np.uint16)
    index = vb.FlatIndex(codes if dtype == np.uint16 else X, dtype="bfloat16")
    index.save(tmp_path / "index")
    for one in (index, vb.FlatIndex.load(tmp_path / "index"), pickle.loads(pickle.dumps(index))):
        assert one.search(codes, 1).indices.ravel().tolist() == [0, 1, 2, 3]
        assert one.add(codes[:1]) == range(4, 5)
        assert np.array_equal(one.vectors[4].astype(np.float32), X[0])
        one.save(tmp_path / "again")
        assert vb.FlatIndex.load(tmp_path / "again").search(codes[2], 1).indices == [2]
    whole = vb.FlatIndex(np.arange(12, dtype=np.uint16).reshape(4, 3))
    assert whole.vectors.dtype == np.float64
    assert whole.search(np.array([3, 4, 5], np.uint16), 1).values == [0.0]


def test_without_ml_dtypes_bfloat16_comes_as_uint16():
    code = """
import sys
sys.modules["ml_dtypes"] = None
import numpy as np, vecblade as vb
half = vb.astype(np.eye(3), "bfloat16")
assert half.dtype == np.uint16 and half[0, 0] == 0x3F80
assert vb.dot(half[0], half[0], dtype="bfloat16") == 1.0
index = vb.FlatIndex(half, dtype="bfloat16")
assert index.vectors.dtype == np.uint16 and index.search(half, 1).indices.ravel().tolist() == [0, 1, 2]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_astype_says_what_it_made():
    """No call has to be told what bfloat16 rows are that were made here."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    X = np.random.default_rng(3).standard_normal((30, 8)).astype(np.float32)
    half = vb.astype(X, "bfloat16")
    exact = half.astype(np.float64)
    assert half.dtype == ml_dtypes.bfloat16
    assert np.array_equal(half, X.astype(ml_dtypes.bfloat16))
    assert np.allclose(vb.dot(X[0], half), exact @ X[0].astype(np.float64), rtol=1e-6, atol=1e-6)
    assert np.allclose(
        vb.pairwise(half, metric="sqeuclidean"), ((exact[:, None] - exact) ** 2).sum(2), atol=1e-4
    )
    assert same_bits(vb.astype(half, "float64"), exact)
    assert np.array_equal(vb.pack_bits(half), np.packbits(exact > 0, axis=1))
    assert vb.FlatIndex(half).search(half, 1).indices.ravel().tolist() == list(range(30))


# ---- packed bits ---------------------------------------------------------------------------


def test_bytes_less_128_are_not_taken_for_numbers():
    """As services send them: of "binary" embeddings the bytes are int8, each 128 less than those of "ubinary"."""
    random = np.random.default_rng(7)
    X, Q = random.standard_normal((300, 64)), random.standard_normal((5, 64))
    bits, query_bits = (rows > 0 for rows in (X, Q))
    counts = (query_bits[:, None] != bits).sum(axis=2)
    either = (query_bits[:, None] | bits).sum(axis=2)
    ubinary = np.packbits(bits, axis=1)
    binary = (ubinary.astype(int) - 128).astype(np.int8)
    queries = (np.packbits(query_bits, axis=1).astype(int) - 128).astype(np.int8)
    calls = {
        "corpus": lambda x: vb.topk(ubinary, x, 3, "hamming"),
        "queries": lambda x: vb.topk(x, ubinary, 3, "jaccard"),
        "A": lambda x: vb.pairwise(x, metric="cosine", dtype="bits"),
        "a": lambda x: vb.hamming(x, ubinary[0]),
        "rows": lambda x: vb.FlatIndex(ubinary, "hamming").add(x),
        "codes": vb.unpack_bits,
    }
    for name, call in calls.items():
        for given, advice in (
            (binary, f"{name}.view(np.uint8) ^ 128"),
            (binary.astype(np.int64), f"{name}.astype(np.int8).view(np.uint8) ^ 128"),
            (binary.tolist(), f"np.asarray({name}).astype(np.int8).view(np.uint8) ^ 128"),
            (ubinary.tolist(), f"np.asarray({name}).astype(np.uint8)"),
        ):
            with pytest.raises(TypeError, match=re.escape(f"pass {advice}")):
                call(given)
            assert np.array_equal(eval(advice, {name: given, "np": np}), ubinary)
    Y, P = binary.view(np.uint8) ^ 128, queries.view(np.uint8) ^ 128
    for metric, exact in (("hamming", counts), ("jaccard", counts / either)):
        found = vb.topk(P, Y, 10, metric)
        assert np.array_equal(found.indices, np.argsort(exact, axis=1, kind="stable")[:, :10])
    dots = (query_bits[:, None] & bits).sum(axis=2)
    found = vb.topk(P, Y, 10, "dot", dtype="bits")
    assert np.array_equal(found.indices, np.argsort(-dots, axis=1, kind="stable")[:, :10])


# ---- codes to rescore ----------------------------------------------------------------------


def calibrated(X):
    """int8 codes with a range for each dimension, as other libraries make them."""
    low, high = X.min(axis=0), X.max(axis=0)
    return (np.floor((X - low) / (high - low) * 255) - 128).clip(-128, 127).astype(np.int8)


def kinds_of_rows():
    random = np.random.default_rng(11)
    n, d = 800, 48
    plain, spread = random.standard_normal((n, d)), np.exp(random.standard_normal(d) / 2)
    return {
        "gaussian": plain,
        "other spreads": plain * spread,
        "other means": plain + random.standard_normal(d) / 2,
        "positive": random.random((n, d)) * spread,
        "heavy tails": random.standard_t(2, (n, d)),
        "clusters": random.standard_normal((20, d))[random.integers(0, 20, n)] + plain / 4,
        "sparse": np.where(random.random((n, d)) < 0.2, plain, 0.0),
        "units": plain / np.linalg.norm(plain, axis=1, keepdims=True),
    }


@pytest.mark.parametrize("name", kinds_of_rows())
def test_codes_of_another_kind_are_refused_before_a_search(name):
    """Those with ranges for each dimension lose hits without a sign, and rows in another order all of them."""
    X = kinds_of_rows()[name].astype(np.float32)
    made, one = vb.quantize(X), vb.quantize(X, "global")
    for metric, wrong in (
        ("cosine", calibrated(X)),
        ("cosine_similarity", calibrated(X)),
        ("cosine", made.codes[::-1]),
        ("euclidean", one._replace(codes=calibrated(X))),
        ("dot", one._replace(codes=calibrated(X))),
        ("sqeuclidean", one._replace(codes=one.codes[::-1])),
    ):
        with pytest.raises(
            ValueError, match=r"not those of rescore: .* over one scale .*pass vb.quantize\(rescore"
        ):
            vb.topk(X[:3], wrong, 3, metric, rescore=X)
    if name not in ("positive", "sparse"):  # whose signs say nothing, or little
        for bits in (
            vb.pack_bits(X) ^ 128,
            np.packbits(X > 0, axis=1, bitorder="little"),
            vb.pack_bits(X)[::-1],
        ):
            for corpus in (bits, vb.FlatIndex(bits, "hamming")):
                with pytest.raises(
                    ValueError, match=r"bits are not the signs .*pass vb.pack_bits\(rescore\)"
                ):
                    vb.topk(X[:3], corpus, 3, "cosine", rescore=X)
    with pytest.raises(ValueError, match=r"they are not rescore\[:, :16\]"):
        vb.topk(X[:3], X[::-1, :16], 3, "cosine", rescore=X)


@pytest.mark.parametrize("name", kinds_of_rows())
def test_codes_of_the_originals_are_taken(name):
    """However they were rounded, from whatever multiple of the rows, and if the originals have fewer digits since."""
    wide = kinds_of_rows()[name]
    largest, rough = np.abs(wide).max(), 3 / np.abs(wide).mean()
    codes = [
        vb.quantize(wide).codes,
        vb.quantize(wide, "global").codes,
        vb.quantize(vb.normalize(wide)).codes,
        vb.quantize(wide, np.abs(wide).mean() / 60).codes,  # of which many saturate
        np.trunc(wide / largest * 127).astype(np.int8),
        np.floor(wide / largest * 127).astype(np.int8),
        np.rint(wide * rough).clip(-8, 7).astype(np.int8),
    ]
    for X in (wide, wide.astype(np.float32), wide.astype(np.float16), vb.astype(wide, "bfloat16")):
        for some in (slice(None), slice(0, 1), slice(5, 7)):
            for made in codes:
                assert vb.topk(X[0], made[some], 1, "cosine", rescore=X[some]).values.shape == (1,)
            one = vb.quantize(wide[some], "global")
            for metric in METRICS:
                vb.topk(X[0], one, 1, metric, rescore=X[some])
                vb.topk(X[0], vb.pack_bits(wide[some]), 1, metric, rescore=X[some])
                vb.topk(X[0], X[some, :9], 1, metric, rescore=X[some])
    unit = vb.normalize(wide)
    vb.topk(unit[0], vb.normalize(unit[:, :20]), 1, "dot", rescore=unit)


def test_scales_are_of_rows():
    X = np.random.default_rng(0).standard_normal((50, 12)).astype(np.float32)
    made = vb.quantize(X, "global")
    with pytest.raises(
        ValueError, match=r"corpus has scales of shape \(1, 12\); expected one for each row or one"
    ):
        vb.topk(X[0], made._replace(scales=np.ones((1, 12), np.float32)), 3, "dot", rescore=X)
    with pytest.raises(ValueError, match=r"not those of rescore: .* over one scale for all rows"):
        vb.topk(X[0], made._replace(scales=made.scales * 3), 3, rescore=X)
    signed = (vb.pack_bits(X[:, :8]) ^ 128).view(np.int8)
    with pytest.raises(ValueError, match=r"packed bits less 128, pass corpus.view\(np.uint8\) \^ 128"):
        vb.topk(X[0, :8], signed, 3, "cosine", rescore=X[:, :8])
    assert vb.topk(X[0, :8], signed.view(np.uint8) ^ 128, 3, "cosine", rescore=X[:, :8]).indices[0] == 0
    with pytest.raises(ValueError, match=r"for codes of the numbers, .* pass vb.quantize\(rescore\)"):
        vb.topk(X[0], calibrated(X).view(np.uint8) ^ 128, 3, "cosine", rescore=X)
    changed = X.copy()  # a row that was changed since, or is not finite, proves nothing
    changed[0], changed[-1] = -X[0], np.nan
    assert vb.topk(X[1], vb.quantize(X), 1, "cosine", rescore=changed).indices == [1]
