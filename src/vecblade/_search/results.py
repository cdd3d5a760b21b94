"""What searches return."""

from typing import NamedTuple, Self

import numpy as np


class _Found(NamedTuple):
    indices: np.ndarray
    values: np.ndarray


_Found.__module__ = "vecblade"  # as its heirs: help shows no private module


class TopK(_Found):
    """
    The closest corpus rows of each query, best first: row numbers (int64) and metric values.

    Attributes
    ----------
    keys : ndarray or None
        What they are ranked by: float64, smaller is closer, of the shape of the values. Values are rounded to
        fewer digits; `merge` needs keys. None of a result that was made of two arrays.
    exact : bool
        False of what `merge` made of parts without keys.
    """

    keys: np.ndarray | None = None
    exact: bool = True

    @classmethod
    def _ranked(cls, indices: np.ndarray, values: np.ndarray, keys: np.ndarray) -> Self:
        """With keys."""
        made = cls(indices, values)
        made.keys = keys
        return made

    def _first(self) -> Self:
        """Of the first query alone."""
        if self.keys is None:
            return type(self)(self.indices[0], self.values[0])
        return self._ranked(self.indices[0], self.values[0], self.keys[0])


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


class _Counts(NamedTuple):
    plan: str
    pairs: int
    sifted: int
    rescored: int


_Counts.__module__ = "vecblade"


class Explanation(_Counts):
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
    passes : int
        How many times the corpus was read. A source that is read in blocks is read once for as many queries
        as fit into some memory, with their neighbours.
    """

    passes: int = 1

    def _with_passes(self, passes: int) -> Self:
        """The same of a search that read its corpus so many times."""
        other = type(self)(*self)
        other.passes = passes
        return other
