"""What this machine can do at most: reads of memory, and multiply-adds that stay in registers."""

from functools import partial

from vecblade import _core

from .peers import np

# The core's name of the type in whose instructions these are summed.
SUMMED_AS = {"f2": "f32", "f4": "f32", "f8": "f64", "bf16": "bf16", "i1": "i8", "u1": "i8", "b1": "b1"}
UNIT = {
    "f8": "float64 FMA",
    "f4": "float32 FMA",
    "bf16": "bfloat16 dot products",
    "i1": "int8 dot products",
    "b1": "AND, popcount",
}


def reader(X):
    """A read of all bytes: the largest of them as 64-bit words."""
    return X.reshape(-1).view(np.uint8)[: X.nbytes // 8 * 8].view(np.uint64).max


read = _core.limit_read


def plain_read(X):
    return {"plain read": reader(X)}


def peak(dtype, wanted):
    """So many multiply-adds (of bits: pairs) in the instruction for this type; {} if there is none here."""
    kind = SUMMED_AS[dtype]
    return {"peak": partial(_core.limit, kind, wanted)} if _core.limit(kind, 1.0) else {}
