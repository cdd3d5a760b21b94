"""What searches return."""

from typing import NamedTuple

import numpy as np


class TopK(NamedTuple):
    """The closest corpus rows of each query, best first: row numbers (int64) and metric values."""

    indices: np.ndarray
    values: np.ndarray


class Within(NamedTuple):
    """
    Every pair at least as close as a threshold, as compressed sparse rows.

    ``indices[offsets[i]:offsets[i + 1]]`` are the corpus rows found for query i, ascending, and
    the same slice of ``values`` holds their metric values. As a sparse matrix:
    ``scipy.sparse.csr_array((values, indices, offsets), shape=(n, m))``.
    """

    offsets: np.ndarray
    indices: np.ndarray
    values: np.ndarray


class Explanation(NamedTuple):
    """
    How a search was carried out.

    Attributes
    ----------
    plan : str
        ``"rows"``: every query was compared with every row. ``"sieve"``: int8 codes of the rows were made on
        the way, and ruled most pairs out. ``"codes"``: the same with the codes of a `FlatIndex`. ``"tiles"``:
        products in float32 ruled most pairs out, in blocks of many queries with many rows.
    pairs : int
        How many pairs of a query and an eligible row there were.
    sifted : int
        How many of the pairs were compared by codes or by tiles.
    rescored : int
        How many of the pairs were measured by their elements, because nothing had ruled them out.
    """

    plan: str
    pairs: int
    sifted: int
    rescored: int
