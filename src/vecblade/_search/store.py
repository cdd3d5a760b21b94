"""
What a `FlatIndex` holds at one moment: rows, their codes, and which of the rows are gone.

A row that is removed stays in its place until many are, or little is to be moved, and searches pass over it::

    place    0  1  2  3  4  5  6 | room
    gone           x     x       |
    number   0  1     2     3  4 |

A store does not change, but for what is beyond its count: a change makes another one, which takes the place
of the old by one assignment. So whatever interrupts a change, an index is what it was, or what it shall be.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .. import _core, _threads
from .._rows.memory import aligned, copied, empty, pieces
from .results import TopK, Within
from .where import Eligible, eligible_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._metrics import Metric

    Progress = Callable[[float, float], object] | None

Found = TypeVar("Found", TopK, Within)

PANEL = _core.PANEL
NONE = np.empty(0, np.int64)
# Bytes of rows that are moved at once, in under a millisecond, rather than have searches pass over some.
LITTLE = 1 << 20
# One row in SHARE may be gone: skipping more would cost searches more than moving the rest.
SHARE = 8


@dataclass(frozen=True, eq=False)
class Store:
    """
    Rows in their places, with their codes.

    Attributes
    ----------
    metric : Metric
    rows : ndarray
        With room behind `count`, if they are the index's own.
    count : int
        How many places are taken.
    panels, center : ndarray
        Codes, with room for those of all of `rows`; empty if such rows have none.
    centered : int
        How many rows the center was made for.
    gone : ndarray
        Places of rows that were removed, ascending.
    live : ndarray, optional
        A mask of the others, and of the room; None if nothing is gone.
    """

    metric: Metric
    rows: np.ndarray
    count: int
    panels: np.ndarray
    center: np.ndarray
    centered: int
    gone: np.ndarray = field(default_factory=lambda: NONE)
    live: np.ndarray | None = None

    @classmethod
    def of(
        cls, metric: Metric, rows: np.ndarray, count: int, threads: int, progress: Progress = None
    ) -> Store:
        """A store of the first `count` rows, with room behind them and new codes."""
        panels, center = (aligned(size) for size in _core.codes_bytes(len(rows), rows.shape[1]))
        if len(panels) and count:
            _threads.run(_core.encode(metric.number, rows[:count], 0, panels, center), threads, progress)
        return cls(metric, rows, count, panels, center, count)

    @classmethod
    def kept(cls, metric: Metric, rows: np.ndarray, panels: np.ndarray, center: np.ndarray) -> Store:
        """A store from a file or a pickle."""
        own = aligned(len(center))  # for what encodes more rows, and may write there
        own[:] = center
        return cls(metric, rows, len(rows), panels, own, len(rows))

    # ---- what it holds ------------------------------------------------------------------

    def __len__(self) -> int:
        return self.count - len(self.gone)

    @property
    def placed(self) -> np.ndarray:
        """All rows in their places, including removed ones."""
        return self.rows[: self.count]

    @property
    def codes(self) -> tuple[np.ndarray, np.ndarray] | None:
        return (self.panels, self.center) if len(self.panels) else None

    def exact_codes(self) -> tuple[np.ndarray, np.ndarray]:
        """The codes without the room behind."""
        return self.panels[: _core.codes_bytes(self.count, self.rows.shape[1])[0]], self.center

    @property
    def nbytes(self) -> int:
        """Bytes of the rows that are not removed, and of their codes."""
        d: int = self.rows.shape[1]
        return len(self) * d * self.rows.itemsize + sum(_core.codes_bytes(len(self), d))

    def eligible(self, where: Any) -> Eligible:
        """Places that may be found, of rows that are not gone and have these numbers."""
        chosen = eligible_rows(where, len(self))
        if self.live is None:
            return chosen
        if chosen.ids is not None:
            return Eligible(None, self.places(chosen.ids), chosen.count)
        mask = self.live[: self.count]
        if chosen.mask is not None:
            mask = mask.copy()
            mask[mask] = chosen.mask
        return Eligible(mask, None, chosen.count)

    def places(self, numbers: np.ndarray) -> np.ndarray:
        """Where the rows with these numbers lie."""
        return numbers + np.searchsorted(self.gone - np.arange(len(self.gone)), numbers, "right")

    def numbers(self, places: np.ndarray) -> np.ndarray:
        """The numbers of the rows in these places."""
        return places - np.searchsorted(self.gone, places)

    def numbered(self, found: Found) -> Found:
        """What was found, by numbers instead of places."""
        if not len(self.gone):
            return found
        numbered = found._replace(indices=self.numbers(found.indices))
        for name, value in getattr(found, "__dict__", {}).items():  # of TopK
            setattr(numbered, name, value)
        return numbered

    # ---- what becomes of it -------------------------------------------------------------

    def with_more(self, more: np.ndarray, threads: int) -> Store:
        """A store with more rows of the same type at the end."""
        if not len(more):
            return self
        first, count, start = self.count, self.count + len(more), self.count // PANEL * PANEL
        grown = count > len(self.rows)
        room = max(count, first + first // 2) if grown else len(self.rows)
        rows = copied(self.placed, self.rows.dtype, room) if grown else self.rows
        rows[first:count] = more
        live = self.live
        if grown and live is not None:
            live = np.concatenate([live[:first], np.ones(room - first, bool)])
        # The old center may be far from rows that are many. (In memory that is searched it has to stay.)
        if start == 0 or (grown and count >= self.centered + self.centered // 2):
            return replace(Store.of(self.metric, rows, count, threads), gone=self.gone, live=live)
        panels = self._panels_of(first, room) if grown else self.panels
        store = replace(self, rows=rows, count=count, panels=panels, live=live)
        if len(panels):
            store._encode(start, threads)
        return store

    def _panels_of(self, count: int, room: int) -> np.ndarray:
        """A copy of the panels of the first rows, with room for more."""
        kept, size = (_core.codes_bytes(n, self.rows.shape[1])[0] for n in (count, room))
        panels = aligned(size)
        panels[:kept] = self.panels[:kept]
        return panels

    def _encode(self, start: int, threads: int) -> None:
        """Codes of the rows from `start` on, a multiple of PANEL and not 0, by the center there is."""
        # Made beside their place, where a panel may be that is needed if this is interrupted. The one before
        # them says that the center is there.
        d, before = self.rows.shape[1], start - PANEL
        beside = aligned(_core.codes_bytes(self.count - before, d)[0])
        job = _core.encode(self.metric.number, self.rows[before : self.count], PANEL, beside, self.center)
        _threads.run(job, threads)
        at, end = (_core.codes_bytes(n, d)[0] for n in (start, self.count))
        self.panels[at:end] = beside[at - end :]

    def without(self, chosen: Eligible, threads: int) -> Store:
        """A store without the chosen rows."""
        places = self.places(numbers_of(chosen))
        live = np.ones(len(self.rows), bool) if self.live is None else self.live.copy()
        live[places] = False
        gone = np.insert(self.gone, np.searchsorted(self.gone, places), places)
        store = replace(self, gone=gone, live=live)
        many = len(gone) * SHARE > self.count or self.placed.nbytes <= LITTLE
        return store.compacted(threads) if many else store

    def compacted(self, threads: int) -> Store:
        """The rows that are not gone, in the places of their numbers, in new memory."""
        if self.live is None:
            return self
        count = len(self)
        rows = empty((min(len(self.rows), count + count // 2), self.rows.shape[1]), self.rows.dtype)
        at = 0
        for start, stop in pieces(self.placed):
            part = self.rows[start:stop][self.live[start:stop]]
            rows[at : at + len(part)] = part
            at += len(part)
        first = int(self.gone[0]) // PANEL * PANEL
        if first <= count // 2:  # as good as all codes are made anew: then by a new center
            return Store.of(self.metric, rows, count, threads)
        panels = self._panels_of(first, len(rows))
        store = replace(self, rows=rows, count=count, panels=panels, gone=NONE, live=None)
        if len(panels) and first < count:
            store._encode(first, threads)
        return store


def numbers_of(chosen: Eligible) -> np.ndarray:
    if chosen.mask is not None:
        return np.flatnonzero(chosen.mask)
    return np.arange(chosen.count) if chosen.ids is None else chosen.ids
