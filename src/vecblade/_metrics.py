"""The metrics, by the names that users give them."""

from __future__ import annotations

from typing import Any

from . import _core


def metric_number(metric: Any) -> int:
    number = _core.METRICS.get(metric) if isinstance(metric, str) else None
    if number is None:
        raise ValueError(f"metric={metric!r} is not known; known are {', '.join(map(repr, _core.METRICS))}")
    return number
