"""What a string of bytes decides: every input of a fuzzer, or of a kept corpus, is a list of choices."""

import ml_dtypes
import numpy as np

import vecblade as vb

try:
    import pyarrow as pa
except ImportError:
    pa = None

# Names of types, and what the bytes of elements are. Of the last ones nothing is measured.
TYPES = ("f4", "f8", "f2", "bf16", "u2 as bf16", "i1", "u1", "bits", "i2", "u4", "i8", ">f4", ">f8", ">i2")
REFUSED = ("?", "c8", "g", "O", "U3", "M8[D]", "V2")


class Choices:
    """Bytes one after the other; past their end, zeros."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, most):
        """From 0 to `most`."""
        value = 0
        for _ in range((most.bit_length() + 7) // 8):
            value = value << 8 | (self.data[self.at] if self.at < len(self.data) else 0)
            self.at += 1
        return value % (most + 1)

    def pick(self, options):
        return options[self.number(len(options) - 1)]

    def flag(self):
        return self.number(1) == 1

    def rest(self):
        rest = self.data[self.at :]
        self.at = len(self.data)
        return rest


class Rows:
    """An array as a user has it (`given`, and how it is to be read), and the numbers that it holds."""

    def __init__(self, choices, shape, kind=None, values=None):
        self.kind = choices.pick(TYPES) if kind is None else kind
        self.values = values or choices.pick(("gaussian", "few", "patterns", "mixed"))
        random = np.random.default_rng(choices.number(255))
        self.plain = elements(random, self.kind, shape, self.values)
        self.given = container(choices, laid_out(choices, self.plain))

    @property
    def reading(self):
        return {"u2 as bf16": "bfloat16", "bits": "bits"}.get(self.kind)

    @property
    def numbers(self):
        """In float64; of bits eight times as many."""
        if self.kind == "bits":
            return np.unpackbits(self.plain, axis=-1).astype(np.float64)
        plain = self.plain.view(ml_dtypes.bfloat16) if self.kind == "u2 as bf16" else self.plain
        with np.errstate(all="ignore"):  # NaN that signal
            return np.ascontiguousarray(plain).astype(np.float64)

    @property
    def working(self):
        """What the package takes the numbers for: whole ones or bits as they are, else the type of results."""
        if self.kind in ("i1", "u1", "bits"):
            return self.kind
        return "f4" if self.kind in ("f4", ">f4", "f2", "bf16", "u2 as bf16") else "f8"


def elements(random, kind, shape, values):
    """Of the type as NumPy has it; any bits at all are among the patterns."""
    dtype = {"bf16": ml_dtypes.bfloat16, "u2 as bf16": np.uint16, "bits": np.uint8}.get(kind, kind)
    dtype = np.dtype(dtype)
    if values == "patterns" and kind != "i8":  # of which those past 2**53 are refused
        raw = random.integers(0, 256, (*shape, dtype.itemsize), np.uint8)
        return raw.view(dtype)[..., 0] if raw.size else np.empty(shape, dtype)
    numbers = (
        random.standard_normal(shape) if values != "few" else random.integers(-1, 2, shape).astype(float)
    )
    if values == "mixed":  # zero rows, rows twice, and numbers of every size
        numbers = numbers * 2.0 ** random.integers(-30, 30, (*shape[:-1], 1))
        flat = numbers.reshape(-1, shape[-1]) if numbers.size else numbers.reshape(0, 0)
        flat[::7] = 0.0
        flat[1::5] = flat[1] if len(flat) > 1 else 0.0
    if kind == "u2 as bf16":
        return numbers.astype(ml_dtypes.bfloat16).view(np.uint16)
    if dtype.kind in "iu":
        return np.clip(np.rint(numbers * 20), *(0, 200) if dtype.kind == "u" else (-100, 100)).astype(dtype)
    with np.errstate(all="ignore"):
        return numbers.astype(dtype)


def laid_out(choices, plain):
    """The same elements somewhere else in memory."""
    how = choices.number(9)
    if how < 3 or plain.size == 0 or plain.ndim == 0 or plain.dtype.hasobject:
        return plain
    if how == 3:  # at odd addresses
        memory = np.empty(plain.nbytes + 1, np.uint8)
        moved = np.ndarray(plain.shape, plain.dtype, memory, 1)
        moved[...] = plain
        return moved
    if how == 4:
        return np.asfortranarray(plain)
    if how == 5:  # of wider rows
        wide = np.zeros((*plain.shape[:-1], plain.shape[-1] + 3), plain.dtype)
        wide[..., 1:-2] = plain
        return wide[..., 1:-2]
    if how == 6:
        return plain[..., ::-1].copy()[..., ::-1]
    if how == 7:
        return plain[::-1].copy()[::-1]
    if how == 8:  # every other row
        return np.repeat(plain, 2, axis=0)[::2]
    frozen = plain.copy()
    frozen.flags.writeable = False
    return frozen


class Tensor:
    """What has DLPack and nothing else."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def container(choices, array):
    """The array, or another object with the same elements."""
    how, native = choices.number(15), array.dtype.char in "efdbBhHiIlLqQ" and array.dtype.isnative
    if how == 1 and native and array.dtype in (np.float64, np.int64) and array.size:
        return array.tolist()
    if how == 2 and native and array.flags.writeable:
        return Tensor(array)
    if how == 3 and native and array.flags.c_contiguous and array.ndim:
        return memoryview(array)
    if how in (4, 5) and native and array.ndim == 2 and pa is not None and array.size:
        return column(array, fixed=how == 4, cut=choices.number(2))
    return array


def column(array, fixed, cut):
    """An Arrow column, a slice of a longer one, or one in two chunks."""
    n, d = array.shape
    more = np.concatenate([array[:1], array]) if cut == 1 else array
    numbers = pa.array(more.ravel())
    if fixed:
        made = pa.FixedSizeListArray.from_arrays(numbers, d)
    else:
        made = pa.ListArray.from_arrays(np.arange(0, more.size + 1, d, dtype=np.int32), numbers)
    if cut == 2:
        return pa.chunked_array([made[: n // 2], made[n // 2 :]])
    return made[1:] if cut == 1 else made


NUMBERS = ("dot", "cosine_similarity", "cosine", "euclidean", "sqeuclidean")
SIMILARITIES = NUMBERS[:2]
COUNTS = ("dot", "sqeuclidean", "hamming")


def metric_for(choices, kind):
    return choices.pick((*NUMBERS, "hamming", "jaccard") if kind == "bits" else NUMBERS)


def values_of(metric, a, b):
    """float64 values of every pair of rows of two arrays of float64 numbers, each pair measured alone."""
    if metric == "jaccard":
        both = a @ b.T
        either = a.sum(axis=1)[:, None] + b.sum(axis=1) - both
        return np.where(either, (either - both) / np.maximum(either, 1), 0.0)
    f = getattr(vb, "sqeuclidean" if metric == "hamming" else metric)
    return np.array([[f(q, x) for x in b] for q in a], float).reshape(len(a), len(b))


def result_type(metric, a, b):
    """Of an array of values of rows with these working types."""
    if a == b and a in ("i1", "u1", "bits"):
        return np.dtype(np.int32 if metric in COUNTS else np.float64)
    if a in ("i1", "u1") and b in ("i1", "u1"):
        return np.dtype(np.float64)
    return np.dtype(np.float64 if "f8" in (a, b) else np.float32)


def rounded(values, dtype):
    with np.errstate(all="ignore"):
        return values.astype(dtype)
