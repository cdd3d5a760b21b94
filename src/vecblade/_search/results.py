"""What searches return."""

from typing import NamedTuple

import numpy as np


class TopK(NamedTuple):
    """The best corpus rows for each query, best first: row numbers (int64) and metric values."""

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
    How a search went about its work.

    Attributes
    ----------
    plan : str
        ``"rows"``: every query met every row. ``"sieve"``: int8 codes of the rows were made on the way,
        and ruled most pairs out. ``"codes"``: the same with the codes of a `FlatIndex`.
    pairs : int
        Pairs of a query and a row that the search was about.
    sifted : int
        Of these, how many were compared by codes,
    rescored : int
        and how many were measured by their elements: what the codes did not rule out, and the rest.
    """

    plan: str
    pairs: int
    sifted: int
    rescored: int
