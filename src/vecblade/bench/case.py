"""One piece of work that is measured."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# The contender of "hard-data" that does the same with ordinary rows.
ORDINARY = "vecblade, ordinary data"
BYTES = {"f8": 8, "f4": 4, "f2": 2, "bf16": 2, "i1": 1, "u1": 1, "b1": 1 / 8}


@dataclass(frozen=True)
class Case:
    """
    One piece of work: so many queries with so many rows of d elements, as functions without arguments.

    `vecblade` is always among the contenders; one called "vecblade ..." is for comparison, and no peer. `limits`
    do as much of what bounds the work: a plain read of the same bytes, or as many multiply-adds in registers.
    `against` is the contender that the ratio is to, if not the fastest peer; `share` the part that the case gets of
    the time that others get.

    A contender or limit may have a method `before`, which is called before each call, untimed, and a method `figure`,
    which makes one time of many, in the place of the median.
    """

    metric: str
    dtype: str
    queries: int
    rows: int
    d: int
    contenders: dict[str, Callable[[], Any]]
    k: int = 0
    note: str = ""
    limits: dict[str, Callable[[], Any]] = field(default_factory=dict)
    against: str = ""
    share: float = 1.0

    @property
    def name(self):
        if self.queries == self.rows == 1:
            shape = f"d={self.d}"
        elif self.k:
            shape = f"{self.queries} in {self.rows}x{self.d} k={self.k}"
        else:
            shape = f"{self.rows}x{self.d}" if self.queries == 1 else f"{self.queries}x{self.rows}x{self.d}"
        return f"{self.metric} {self.dtype} {shape}{self.note}"

    @property
    def macs(self):
        """Multiply-adds of the plain way to do it."""
        return self.queries * self.rows * self.d

    @property
    def bytes(self):
        """Of the rows, each read once."""
        return self.rows * self.d * BYTES[self.dtype]
