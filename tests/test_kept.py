"""Pickles and index files that version 0.1.0 wrote before its modules moved: their formats are promises."""

import pickle
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from conftest import same_bits

import vecblade as vb
from vecblade import reference as ref

KEPT = Path(__file__).parent / "kept"


def numbers(n, d, step=1):
    """The rows that were kept: quarters from -11/4 to 11/4."""
    i, j = np.arange(n)[:, None], np.arange(d)
    return ((7 * i * i + 3 * i * j * step + 5 * j) % 23 - 11) / 4


ROWS = {
    "f64": numbers(40, 8),
    "f32": numbers(40, 8).astype(np.float32),
    "f16": numbers(40, 8).astype(np.float16),
    "bf16": numbers(40, 8).astype(ml_dtypes.bfloat16),
    "i8": (4 * numbers(40, 8)).astype(np.int8),
    "u8": (4 * numbers(40, 8) + 11).astype(np.uint8),
    "b1": np.packbits(numbers(40, 64) > 0, axis=1),
    # Rows wide enough for codes, of which two were removed.
    "codes": np.delete(numbers(40, 40, 2), [3, 17], axis=0).astype(np.float32),
}
METRICS = {"b1": "hamming", "codes": "euclidean"}
READERS = {
    "pickle": lambda path: pickle.loads(path.read_bytes()),
    "vecblade": lambda path: vb.FlatIndex.load(path, verify=True),
}


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("name", ROWS)
def test_indexes(name, form):
    index, rows = READERS[form](KEPT / f"index-{name}.{form}"), ROWS[name]
    metric = METRICS.get(name, "cosine")
    assert type(index) is vb.FlatIndex
    assert index.metric == metric
    assert index.vectors.dtype == rows.dtype
    assert (index.vectors == rows).all()
    plain = (np.unpackbits(rows, axis=1) if name == "b1" else rows).astype(np.float64)
    found = index.search(rows[:3], k=4)
    for i, row in enumerate(plain[:3]):
        values = [ref.METRICS["sqeuclidean" if name == "b1" else metric](row, other) for other in plain]
        order = sorted(range(len(values)), key=lambda at: (values[at], at))[:4]
        assert found.indices[i].tolist() == order
        assert np.allclose(found.values[i], [values[at] for at in order], rtol=1e-6, atol=1e-12)
    # uint16 are still taken for what the first rows were said to hold.
    more = rows[:2].view(np.uint16) if name == "bf16" else rows[:2]
    assert index.add(more) == range(len(rows), len(rows) + 2)


def test_attributes_of_an_index():
    assert READERS["pickle"](KEPT / "index-f32.pickle").label == "kept"


def test_results():
    """What they held when they were kept, from sums that are short enough to be exact."""
    read = {
        name: READERS["pickle"](KEPT / f"{name}.pickle")
        for name in ("topk", "within", "explanation", "quantized")
    }
    X = numbers(40, 8)
    squares = ((X[:2, None] + 0.25 - X) ** 2).sum(axis=2)
    order = np.argsort(squares, axis=1, kind="stable")[:, :3]
    assert type(read["topk"]) is vb.TopK
    assert (read["topk"].indices == order).all()
    assert same_bits(read["topk"].values, np.sqrt(np.take_along_axis(squares, order, axis=1)))
    near = np.sqrt(squares) <= 6
    assert type(read["within"]) is vb.Within
    assert read["within"].offsets.tolist() == [0, near[0].sum(), near.sum()]
    assert read["within"].indices.tolist() == np.nonzero(near)[1].tolist()
    assert same_bits(read["within"].values, np.sqrt(squares[near]))
    assert read["explanation"] == vb.Explanation("rows", 80, 0, 80)
    assert type(read["explanation"]) is vb.Explanation
    codes, scales, _ = read["quantized"]
    assert type(read["quantized"]) is vb.Quantized
    assert np.abs(codes * scales - X[:4]).max() <= scales.max() / 2


@pytest.mark.parametrize("name", ["Explanation", "FlatIndex", "Quantized", "TopK", "Within"])
def test_new_pickles_name_the_package_alone(name):
    """So that modules can move again."""
    assert getattr(vb, name).__module__ == "vecblade"
    assert f"cvecblade\n{name}\n".encode() in pickle.dumps(getattr(vb, name), protocol=0)
