"""
Exact L2 distance, dot product and cosine over rows of numbers, at the speed of the hardware.

Row functions (``_core.pyx``, ``_measure.py``)
    `dot`, `sqeuclidean`, `euclidean`, `cosine`, `cosine_similarity`, `hamming`, `jaccard`, `normalize`
All pairs (``_measure.py``)
    `pairwise`
Search (``_search.py``, ``_where.py``, ``_rescore.py``, ``_index.py``)
    `topk`, `within`, `FlatIndex`, `explain`
Rows in files and tables (``_sources/``), and results put together (``_merging.py``)
    `open`, `merge`, `recall`
Smaller types (``_convert.py``)
    `astype`, `quantize`, `pack_bits`, `unpack_bits`
In place of other libraries (``numpy/``, ``scipy.py``, ``sklearn.py``, ``_patch.py``)
    `patch`, `unpatch`, and the modules ``vecblade.numpy``, ``vecblade.scipy``, ``vecblade.sklearn``
This machine (``_info.py``, ``_threads.py``)
    `cpu_info`, `set_num_threads`, `get_num_threads`

What comes in is turned into arrays by ``_arrays.py`` or refused by ``_advice.py``, work is shared by
``_threads.py``, and ``reference.py`` is the same package in naive Python, for tests.
"""

from ._convert import Quantized, astype, pack_bits, quantize, unpack_bits
from ._core import cosine, cosine_similarity, dot, euclidean, hamming, jaccard, sqeuclidean
from ._index import FlatIndex, explain
from ._info import cpu_info
from ._measure import normalize, pairwise
from ._merging import merge, recall
from ._patch import patch, unpatch
from ._search import Explanation, TopK, Within, topk, within
from ._sources import Source as Source
from ._sources import open as open
from ._threads import get_num_threads, set_num_threads

__version__: str

__all__ = [
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


def __getattr__(name: str) -> str:
    """``__version__`` when it is asked for: the metadata takes longer to import than all the rest."""
    if name != "__version__":
        raise AttributeError(f"module 'vecblade' has no attribute {name!r}")
    from importlib.metadata import version

    return version("vecblade")
