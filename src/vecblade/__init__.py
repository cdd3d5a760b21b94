"""
Exact L2 distance, dot product and cosine over rows of numbers, at the speed of the hardware.

Row functions
    `dot`, `sqeuclidean`, `euclidean`, `cosine`, `cosine_similarity`, `hamming`, `jaccard`, `normalize`
All pairs
    `pairwise`
Metrics by name
    `METRICS`
Search
    `topk`, `within`, `FlatIndex`, `explain`
Rows in files and tables, and results of parts put together or compared
    `open`, `merge`, `recall`
Smaller types
    `astype`, `quantize`, `pack_bits`, `unpack_bits`
In place of other libraries
    `patch`, `unpatch`, and the modules ``vecblade.numpy``, ``vecblade.scipy``, ``vecblade.sklearn``
This machine
    `cpu_info`, `set_num_threads`, `get_num_threads`

``vecblade.reference`` has the same functions in naive Python.
"""

from . import _core, _measure, _threads
from ._core import cosine, cosine_similarity, dot, euclidean, hamming, jaccard, sqeuclidean
from ._dropin.patch import patch, unpatch
from ._info import cpu_info
from ._measure import normalize, pairwise
from ._metrics import METRICS
from ._rows.convert import Quantized, astype, pack_bits, quantize, unpack_bits
from ._search.api import explain, topk, within
from ._search.index import FlatIndex
from ._search.merging import merge, recall
from ._search.results import Explanation, TopK, Within
from ._sources import Source as Source
from ._sources import open as open
from ._threads import get_num_threads, set_num_threads

__version__: str

__all__ = [
    "METRICS",
    "Explanation",
    "FlatIndex",
    "Quantized",
    "TopK",
    "Within",
    "astype",
    "cosine",
    "cosine_similarity",
    "cpu_info",
    "dot",
    "euclidean",
    "explain",
    "get_num_threads",
    "hamming",
    "jaccard",
    "merge",
    "normalize",
    "pack_bits",
    "pairwise",
    "patch",
    "quantize",
    "recall",
    "set_num_threads",
    "sqeuclidean",
    "topk",
    "unpack_bits",
    "unpatch",
    "within",
]

# The row functions are the core's, which leaves to these what is not plain arrays, or a lot of work.
_core.install(_measure.measure, _threads.run_for)

# However the rooms inside are arranged, pickles and `help` name what is public by this module.
for _name in set(__all__) - {"METRICS"}:
    globals()[_name].__module__ = "vecblade"
del _name


def __getattr__(name: str) -> str:
    """``__version__`` when it is asked for: the metadata takes longer to import than all the rest."""
    if name != "__version__":
        raise AttributeError(f"module 'vecblade' has no attribute {name!r}")
    from importlib.metadata import version

    return version("vecblade")
