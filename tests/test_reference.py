"""The reference against values worked by hand, and against exact arithmetic."""

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vecblade import reference as ref

finite = st.floats(-1e6, 1e6)
rows = st.integers(0, 70).flatmap(lambda d: st.tuples(*[st.lists(finite, min_size=d, max_size=d)] * 2))


def test_values_worked_by_hand():
    a, b = [1.0, 2.0, 3.0], [4.0, -5.0, 6.0]
    assert ref.dot(a, b) == 12.0
    assert ref.sqeuclidean(a, b) == 9 + 49 + 9
    assert ref.euclidean([0.0, 0.0], [3.0, 4.0]) == 5.0
    assert ref.cosine_similarity([1.0, 0.0], [3.0, 4.0]) == 0.6
    assert ref.cosine([1.0, 0.0], [3.0, 4.0]) == 0.4
    assert ref.normalize([3.0, 4.0]) == [0.6, 0.8]


def test_empty_rows():
    assert ref.dot([], []) == 0.0
    assert ref.euclidean([], []) == 0.0
    assert math.isnan(ref.cosine([], []))


def test_no_direction():
    for row in ([0.0, 0.0], [math.inf, 1.0], [math.nan, 1.0]):
        assert math.isnan(ref.cosine(row, [1.0, 1.0]))
        assert all(map(math.isnan, ref.normalize(row)))


def test_extremes_keep_their_distance_and_direction():
    assert ref.euclidean([3e200, 0.0], [0.0, 4e200]) == pytest.approx(5e200, rel=1e-15)
    assert ref.euclidean([3e-200, 0.0], [0.0, 4e-200]) == pytest.approx(5e-200, rel=1e-15)
    assert ref.cosine_similarity([1e-200, 0.0], [3e200, 4e200]) == pytest.approx(0.6, rel=1e-15)
    assert ref.normalize([3e-200, 4e-200]) == pytest.approx([0.6, 0.8], rel=1e-15)


def test_fused_multiply_add_rounds_once():
    x = 1.0 + 2.0**-30
    assert ref.fma(x, x, -1.0) == 2.0**-29 + 2.0**-60
    assert x * x - 1.0 != 2.0**-29 + 2.0**-60
    assert ref.fma(1e308, 10.0, -math.inf) == -math.inf
    assert ref.fma(1e308, 10.0, 0.0) == math.inf


def test_lanes_fold_in_halves():
    # 1e16 + 1 loses the 1 in float64; lanes 0 and 16 meet first, so 1e16 - 1e16 leaves it.
    row = [0.0] * 32
    row[0], row[16], row[8] = 1e16, -1e16, 1.0
    assert ref.canonical_sum(row, [1.0] * 32) == 1.0
    row[8], row[16] = -1e16, 1.0
    assert ref.canonical_sum(row, [1.0] * 32) == 0.0


def test_ties_and_nan_rank_by_row():
    corpus = [[1.0], [math.nan], [0.0], [1.0], [-1.0]]
    assert [i for i, _ in ref.topk([[0.0]], corpus, 5, "euclidean")[0]] == [2, 0, 3, 4, 1]
    assert [i for i, _ in ref.topk([[1.0]], corpus, 5, "dot")[0]] == [0, 3, 2, 4, 1]
    assert [i for i, _ in ref.topk([[0.0]], corpus, 2, where={1, 3, 4})[0]] == [3, 4]
    assert [i for i, _ in ref.within([[0.0]], corpus, 1.0)[0]] == [0, 2, 3, 4]


@given(rows)
@example(([1.6455132741727655e-113], [2.0988369812900907e-305]))
def test_canonical_sums_are_close_to_exact(pair):
    a, b = pair
    terms = sum((abs(Fraction(x) * Fraction(y)) for x, y in zip(a, b, strict=True)), Fraction(0))
    # A product below the least normal number is rounded to a multiple of 2**-1074 instead.
    bound = terms * Fraction(len(a) + 6, 2**53) + Fraction(len(a), 2**1075)
    assert abs(Fraction(ref.dot(a, b)) - ref.exact_dot(a, b)) <= bound
    exact = ref.exact_sqeuclidean(a, b)
    assert abs(Fraction(ref.sqeuclidean(a, b)) - exact) <= exact * Fraction(len(a) + 10, 2**53) + Fraction(
        1, 2**1000
    )
