"""
Elements of `pairwise` in which float32 sums cancel: canonical values, rounded once, however many there are of them.

A block of rows with many such pairs is computed in another way than a single pair, which goes by the canonical sums.
"""

import numpy as np
import pytest
from conftest import TYPES, same_bits

import vecblade as vb
from vecblade import reference as ref

METRICS = ("euclidean", "sqeuclidean", "cosine", "cosine_similarity")
NARROW = ("f32", "f16", "bf16")


def near_duplicates(random, a, b, apart):
    center = random.standard_normal(a.shape[1])
    return center + apart * a, center + apart * b


def of_other_sizes(random, a, b):
    """Near in direction alone."""
    a, b = near_duplicates(random, a, b, 1e-4)
    return a * random.uniform(1, 2, (len(a), 1)), b * random.uniform(0.5, 3, (len(b), 1))


DATA = {
    "mean of 10 deviations": lambda random, a, b: (a + 10, b + 10),
    "mean of 1000 deviations": lambda random, a, b: (a + 1000, b + 1000),
    "near": lambda random, a, b: near_duplicates(random, a, b, 1e-3),
    "nearer": lambda random, a, b: near_duplicates(random, a, b, 1e-6),
    "near in direction": of_other_sizes,
    "parallel": lambda random, a, b: (a[:1] * 2.0 ** np.arange(-3, len(a) - 3)[:, None], np.repeat(a[:1], len(b), 0)),
    "all equal": lambda random, a, b: (np.repeat(a[:1], len(a), 0), np.repeat(a[:1], len(b), 0)),
    "in runs": lambda random, a, b: (a[np.arange(len(a)) // 5] + 50, np.concatenate([a[np.arange(len(b)) // 7 % len(a)]]) + 50),
    "tiny": lambda random, a, b: (a * 1e-40, b * 1e-40),
    "lognormal": lambda random, a, b: (np.exp(2 * a) + 30, np.exp(2 * b) + 30),
    "some without direction": lambda random, a, b: (
        np.where(random.random((len(a), 1)) < 0.2, 0.0, a + 10),
        np.where(random.random((len(b), 1)) < 0.2, random.choice([0.0, np.nan, np.inf], (len(b), 1)), b + 10),
    ),
}  # fmt: skip


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("data", DATA)
def test_an_element_depends_on_its_two_rows_alone(isa, data, metric):
    random = np.random.default_rng(len(data))
    for kind in map(TYPES.get, NARROW):
        for d in (3, 24, 25, 130):
            a, b = DATA[data](random, *random.standard_normal((2, 50, d)))
            with np.errstate(all="ignore"):
                a, b = (kind.of(rows).view(kind.given) for rows in (a[:13], b))
            whole = vb.pairwise(a, b, metric, **kind.options)
            for i in (0, 5, 12):
                for j in (0, 7, 33, 49):
                    one = vb.pairwise(a[i : i + 1], b[j : j + 1], metric, **kind.options)
                    assert same_bits(one, whole[i : i + 1, j : j + 1]), (kind, d, i, j)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_many_elements_at_once_are_canonical_values_rounded(isa, metric):
    """Of rows so near that products in float32 tell none of their distances."""
    random = np.random.default_rng(2)
    function = getattr(vb, metric)
    for data in ("mean of 1000 deviations", "near", "nearer", "near in direction"):
        a, b = DATA[data](random, *random.standard_normal((2, 150, 96)))
        a, b = a.astype(np.float32), b.astype(np.float32)
        canonical = function(a.astype(np.float64)[:, None], b.astype(np.float64))
        found = vb.pairwise(a, b, metric)
        if data != "near in direction" or metric == "cosine":
            assert same_bits(found, canonical.astype(np.float32)), data


def test_elements_against_exact_values(isa):
    random = np.random.default_rng(3)
    for data in ("mean of 10 deviations", "near", "near in direction"):
        a, b = (rows.astype(np.float32) for rows in DATA[data](random, *random.standard_normal((2, 40, 20))))
        distances, angles = vb.pairwise(a, b, "sqeuclidean"), vb.pairwise(a, b, "cosine")
        for i in range(0, 40, 8):
            for j in range(0, 40, 8):
                rows = a[i].tolist(), b[j].tolist()
                assert distances[i, j] == pytest.approx(float(ref.exact_sqeuclidean(*rows)), rel=1e-5, abs=0)
                assert angles[i, j] == pytest.approx(float(ref.exact_cosine(*rows)), rel=1e-5, abs=0)
