"""What type checkers are told, which mypy checks here, is what there is; and what `help` shows of it."""

import inspect
import pydoc
import typing
from typing import Any, assert_type, get_args

import numpy as np
import pytest

import vecblade as vb
import vecblade.numpy
import vecblade.scipy
import vecblade.sklearn
from vecblade import _core
from vecblade._metrics import MetricName

row: np.ndarray[tuple[int], np.dtype[np.float64]] = np.array([3.0, 4.0])
rows: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.array([[3.0, 4.0], [0.0, 1.0]])
# As NumPy's own functions return most arrays: with any number of axes.
unsaid: np.ndarray = np.array([[3.0, 4.0], [0.0, 1.0]])


def is_array(value: object, ndim: int) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == ndim


def test_two_rows_give_a_number_and_others_an_array() -> None:
    number = assert_type(vb.dot(row, row), float)
    assert isinstance(number, float)
    assert isinstance(assert_type(vb.cosine([3.0, 4.0], (4, 3)), float), float)
    assert is_array(assert_type(vb.euclidean(rows, row), np.ndarray), 1)
    assert is_array(assert_type(vb.sqeuclidean(row, [[3.0, 4.0]]), np.ndarray), 1)
    assert is_array(assert_type(vb.cosine_similarity(unsaid, row), Any), 1)
    assert is_array(assert_type(vb.dot(unsaid, row, out=np.empty(2)), np.ndarray), 1)


def test_results() -> None:
    found = assert_type(vb.topk(row, rows, 1, "cosine"), vb.TopK)
    assert is_array(assert_type(found.indices, np.ndarray), 1)
    index = assert_type(vb.FlatIndex(rows, metric="dot"), vb.FlatIndex)
    assert assert_type(index.metric, MetricName) == "dot"
    assert isinstance(assert_type(index.within(row, 1.0), vb.Within), vb.Within)
    assert isinstance(assert_type(vb.explain(row, rows, 1), vb.Explanation), vb.Explanation)
    assert is_array(assert_type(vb.pairwise(rows), np.ndarray), 2)


def test_metrics() -> None:
    assert vb.METRICS == get_args(MetricName) == tuple(_core.METRICS)
    for metric in vb.METRICS:
        assert callable(getattr(vb, metric))


PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (vb, vecblade.numpy, vecblade.numpy.linalg, vecblade.scipy, vecblade.sklearn)
    for name in module.__all__
    if name not in ("METRICS", "NearestNeighbors", "linalg")
}


@pytest.mark.parametrize("name", PUBLIC)
def test_help(name: str) -> None:
    """No private module, and annotations as they are, not in quotes."""
    documented = PUBLIC[name]
    assert "vecblade._" not in pydoc.plain(pydoc.render_doc(documented))
    assert documented.__module__ == name.rpartition(".")[0]
    members = [documented]
    if inspect.isclass(documented):
        members += [
            x for key, x in inspect.getmembers(documented, inspect.isroutine) if not key.startswith("_")
        ]
    for member in members:
        if getattr(member, "__module__", "").startswith("vecblade"):
            signature = inspect.signature(member)
            hints = [parameter.annotation for parameter in signature.parameters.values()]
            assert not any(isinstance(hint, str) for hint in [*hints, signature.return_annotation])
            typing.get_type_hints(member)


def test_help_of_the_package() -> None:
    assert vb.__doc__ is not None
    assert "_" not in {word[0] for word in vb.__doc__.replace("`", " ").split()}
