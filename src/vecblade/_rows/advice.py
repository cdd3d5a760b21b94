"""
What came in place of an array of numbers, and what to pass instead: every advice works when it is followed.

`refuse` comes before an object is read, for what NumPy would read as something else, or not at all;
`refuse_objects` after NumPy has found no numbers in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import numpy as np

from .._core import BFLOAT16
from . import missing

# Types in a list that have no values marked as missing in them.
PLAIN = frozenset({float, int, bool, complex, str, bytes, list, tuple, range, np.ndarray})
# The name of a file: with a suffix.
FILE_NAME = re.compile(r"[^\n]*\.[A-Za-z]\w{0,8}")
# Of many names, as many are shown or looked at.
MOST_NAMES = 6


def no_array(x: Any, name: str, what: str = "") -> TypeError:
    return TypeError(f"{name} ({type(x).__name__}) is not an array of numbers{what}")


def callable_name(x: Any, name: str) -> str:
    """An expression for the argument on which methods of an ndarray can be called."""
    return name if isinstance(x, np.ndarray) else f"np.asarray({name})"


def refuse(x: Any, name: str) -> None:
    """Raise a TypeError for objects that are not arrays of any kind, and for values marked as missing."""
    listed = type(x) in (list, tuple)
    if (at := first_inside(x) if listed else missing.first_marked(x)) is not None:
        raise missing.rows_refusal(x, name, at)
    if listed:
        return
    what = None if isinstance(x, np.ndarray) else ours(x, name) or theirs(x, name)
    if what is not None:
        raise no_array(x, name, what)


def first_inside(items: Any) -> int | None:
    """Where in a list an item has values marked as missing: NumPy would take whatever lies under these."""
    others = {kind for kind in set(map(type, items)) - PLAIN if not issubclass(kind, np.generic)}
    if not others:
        return None
    marked = (
        at
        for at, item in enumerate(items)
        if type(item) in others and missing.first_anywhere(item) is not None
    )
    return next(marked, None)


# ---- by kind -------------------------------------------------------------------------------


def has(x: Any, *names: str) -> bool:
    """Whether its type has these attributes. (Attributes of its own may be columns of a frame.)"""
    return all(hasattr(type(x), name) for name in names)


def ours(x: Any, name: str) -> str | None:
    """Advice about objects that this package returns."""
    if has(x, "codes", "scales"):
        return f", but what vb.quantize returned; pass {name}.codes, or to vb.topk also rescore="
    if has(x, "search", "within", "vectors"):
        return f", but an index; pass {name}.vectors"
    if has(x, "blocks", "stream") and not x.in_place:
        return f", but rows that are read in blocks; pass {name}[:] to read all of them into memory"
    if type(x).__module__ == "vecblade":
        return f", but what a search returned; pass {name}.indices or {name}.values"
    return None


def theirs(x: Any, name: str) -> str | None:
    """Advice about an object by what it is or does; None if it may be an array."""
    if isinstance(x, (str, os.PathLike)):
        return path(x, name)
    if isinstance(x, bytes):
        return f", but bytes; pass np.frombuffer({name}, np.float32), or with the type that they are of"
    if has(x, "read", "seek"):
        return f", but an open file; pass np.load({name}) if it is a .npy file"
    if isinstance(x, Mapping) or (has(x, "keys", "__getitem__") and not has(x, "__array__")):
        return mapping(x, name)
    if has(x, "collect", "collect_schema"):
        return lazy(x, name)
    if has(x, "to_table", "schema"):
        return f", but a dataset; pass {name}.to_table()"
    if type(x).__module__.startswith("polars.") and has(x, "over"):
        return ", but an expression; pass a column, as frame.select(...).to_series() returns it"
    if has(x, "toarray", "nnz"):
        return f", but a sparse matrix; pass {name}.toarray() if that fits into memory"
    if has(x, "__dlpack__") and (what := tensor(x, name)) is not None:
        return what
    if isinstance(x, (set, frozenset)):
        return f", but a set, which has no order; pass list({name})"
    if isinstance(x, Iterable) and not any(
        has(x, attribute) for attribute in ("__array__", "__dlpack__", "__getitem__", "__arrow_c_stream__")
    ):
        return f", but an iterable; pass np.array(list({name})), or of batches np.concatenate(list({name}))"
    return None


def tensor(x: Any, name: str) -> str | None:
    """Advice about a tensor of torch that NumPy cannot read."""
    if "sparse" in str(getattr(x, "layout", "")):
        return f", but a sparse tensor; pass {name}.to_dense() if that fits into memory"
    if getattr(x, "is_nested", False) is True:
        return ", but a nested tensor, whose rows may have any length"
    device = getattr(getattr(x, "device", None), "type", "cpu")
    if device == "meta":
        return ", but a tensor without numbers, on the device 'meta'"
    if isinstance(device, str) and device != "cpu":
        return f", but a tensor on the device {str(x.device)!r}; pass {name}.cpu()"
    if getattr(x, "requires_grad", False) is True:
        return f", but a tensor that requires its gradient; pass {name}.detach()"
    if getattr(x, "is_quantized", False) is True:
        return f", but a tensor of codes and scales; pass {name}.dequantize()"
    # torch exports such a tensor with the wrong sign.
    if has(x, "is_neg") and x.is_neg():
        return f", but a tensor that is negated when it is read; pass {name}.resolve_neg()"
    return None


# ---- files ---------------------------------------------------------------------------------

READERS = {
    ".npy": "np.load({0}, mmap_mode='r')",
    ".txt": "np.loadtxt({0})",
    ".csv": "np.loadtxt({0}, delimiter=',')",
    ".tsv": "np.loadtxt({0}, delimiter='\\t')",
}
TABLES = {".parquet": "parquet", ".feather": "feather", ".arrow": "feather"}


def path(x: Any, name: str) -> str:
    text = os.fsdecode(x)
    exists = os.path.exists(text)
    if isinstance(x, str) and not FILE_NAME.fullmatch(text) and not exists:
        return ", but a string; make a vector of the text first, with the model that made the others"
    if os.path.isdir(text):
        return ", but the path of a folder; read the numbers in it first"
    if is_index_file(text):
        return f", but the path of an index; pass vb.FlatIndex.load({name})"
    suffix, what = os.path.splitext(text)[1].lower(), f", but a path{'' if exists else ', of no file'}"
    if suffix == ".npz":
        return f"{what}; pass {archived(text, f'np.load({name})')}"
    if suffix in TABLES:
        call = f"pyarrow.{TABLES[suffix]}.read_table({name})"
        return (
            f"{what}; pass the column of vectors that it has: {call}[{vector_column(text, TABLES[suffix])!r}]"
        )
    if suffix in READERS:
        return f"{what}; pass {READERS[suffix].format(name)}"
    return f"{what}; read the numbers in it first"


def is_index_file(text: str) -> bool:
    try:
        with open(text, "rb") as file:
            return file.read(8) == b"vecblade"
    except (OSError, ValueError):
        return False


def archived(text: str, call: str) -> str:
    try:
        with np.load(text, allow_pickle=False) as archive:
            return entry(archive, call)
    except (OSError, ValueError):
        return f"one of its arrays, {call}[...]"


def vector_column(text: str, form: str) -> str:
    """The name of a column of vectors, if pyarrow can tell."""
    try:
        import pyarrow.dataset

        schema = pyarrow.dataset.dataset(text, format=form).schema
        return next(str(field.name) for field in schema if missing.holds_vectors(field))
    except Exception:  # whatever theirs raises
        return "..."


# ---- things with names ---------------------------------------------------------------------


def mapping(x: Any, name: str) -> str:
    values = list(x.values()) if isinstance(x, dict) else []
    shapes = {shape_of(value) for value in values[:MOST_NAMES]}
    if len(values) > 1 and len(shapes) == 1 and len(shapes.pop() or ()) == 1:
        return f", but a dict of rows; pass np.stack(list({name}.values()))"
    return f", but has arrays under names; pass {entry(x, name)}"


def entry(x: Any, name: str) -> str:
    """An array of those under names: the first that may be rows, or else a vector, or anything."""
    try:
        names = list(x.keys())
        axes = [len(archive_shape(x, key) or ()) for key in names[:MOST_NAMES]]
    except Exception:  # whatever theirs raises
        names = axes = []
    if not axes:
        return f"one of its arrays, {name}[...]"
    best = names[next((axes.index(n) for n in (2, 1) if n in axes), 0)]
    if not max(axes):
        return f"an array, none of which it has under {', '.join(map(repr, names[:MOST_NAMES]))}"
    more = f" (it has {', '.join(map(repr, names[:MOST_NAMES]))})" if len(names) > 1 else ""
    return f"{name}[{best!r}]{more}"


def archive_shape(x: Any, key: Any) -> tuple[int, ...] | None:
    """The shape of what is under a name; of an archive without reading it all."""
    if not isinstance(x, np.lib.npyio.NpzFile):
        return shape_of(x[key])
    with x.zip.open(f"{key}.npy") as file:  # type: ignore[union-attr]
        np.lib.format.read_magic(file)
        return np.lib.format.read_array_header_1_0(file)[0]


def lazy(x: Any, name: str) -> str:
    try:
        schema = dict(x.collect_schema())
    except Exception:  # whatever Polars raises
        schema = {}
    column = next((key for key, kind in schema.items() if str(kind).startswith(("Array(", "List("))), None)
    get = "" if column is None else f"[{column!r}]"
    return f", but a query that has not run; pass {name}.collect(){get}"


def is_table(x: Any) -> bool:
    return has(x, "columns") and not isinstance(x, np.ndarray)


def table(x: Any, name: str) -> str:
    """Advice about a table that has other columns than numbers."""
    names = list(x.column_names if has(x, "column_names") else x.columns)
    others = []
    for key in names:
        try:
            column = x[key]
            if missing.holds_vectors(column) and len(column):
                stacked = str(getattr(column, "dtype", "")) == "object"
                if not stacked or shape_of(next(iter(column))):
                    call = f"np.stack({name}[{key!r}])" if stacked else f"{name}[{key!r}]"
                    return f", but a table with a column of vectors; pass {call}"
            if np.asarray(column).dtype.kind not in "fiu":
                others.append(key)
        except Exception:  # whatever theirs raises
            others.append(key)
    if not others or len(others) == len(names):
        return ", but a table without columns of numbers"
    drop = "drop_columns" if has(x, "drop_columns") else "drop"
    argument = f"columns={others!r}" if missing.is_pandas(x) else f"{others!r}"
    return f", but a table with other columns too; pass {name}.{drop}({argument})"


# ---- sequences -----------------------------------------------------------------------------


def shape_of(x: Any) -> tuple[int, ...] | None:
    """The shape of an array of numbers; None for anything else, and for rows of several sizes."""
    if isinstance(x, (str, bytes, Mapping)) or has(x, "nnz"):
        return None
    try:
        array = x if hasattr(x, "shape") and hasattr(x, "dtype") else np.asarray(x)
        kind = np.dtype(array.dtype)
    except Exception:  # whatever theirs raises
        return None
    return tuple(array.shape) if kind.kind in "fiub" or kind.name == "bfloat16" else None


def refuse_objects(x: Any, name: str, error: object = "") -> NoReturn:
    """Raise a TypeError for an object in which NumPy found no numbers."""
    if is_table(x):
        raise no_array(x, name, table(x, name))
    if error and has(x, "__dlpack__", "float"):
        raise no_array(x, name, f" that NumPy has, but of {x.dtype}; pass {name}.float()")
    try:
        items = x.to_pylist() if has(x, "to_pylist") else list(x) if has(x, "__len__") else []
    except Exception:  # whatever theirs raises
        items = []
    if (at := missing.first_item(items)) is not None:
        raise missing.rows_refusal(x, name, at)
    if (what := sequence(x, name, items)) is None and error:
        raise TypeError(f"{name} ({type(x).__name__}) cannot be read as an array of numbers: {error}")
    raise no_array(x, name, what or "")


def sequence(x: Any, name: str, items: list[Any]) -> str | None:
    """Advice about a sequence by its items; None if it has none."""
    if not items:
        return None
    if all(isinstance(item, (str, os.PathLike)) for item in items):
        return texts(name, items)
    if all(isinstance(item, Mapping) for item in items):
        keys = [key for key in items[0] if len(shape_of(items[0][key]) or ()) == 1]
        call = f"; pass np.array([item[{keys[0]!r}] for item in {name}])" if keys else ""
        return f", but holds a {type(items[0]).__name__} for each row{call}"
    if as_float64(x):
        call = f"np.asarray({name}, np.float64)"
        return f", but holds them as Python objects; pass {call} if rounding them is right"
    shapes = [shape_of(item) for item in items]
    if None in shapes:
        at = shapes.index(None)
        return f", nor rows of numbers of one length; see what is at {at} ({type(items[at]).__name__})"
    sizes = {len(shape) for shape in shapes if shape is not None}
    if sizes == {1}:
        return rows(name, shapes)
    if sizes == {2} and len({shape[1] for shape in shapes if shape is not None}) == 1:
        return f", but holds several arrays of rows; pass np.concatenate(list({name}))"
    return ", nor rows of one length"


def rows(name: str, shapes: list[Any]) -> str:
    other = next((at for at, shape in enumerate(shapes) if shape != shapes[0]), None)
    if other is None:
        return f", but holds an array for each row; pass np.stack({name})"
    return f", nor rows of one length: row 0 has {shapes[0][0]} numbers, and row {other} {shapes[other][0]}"


def as_float64(items: Any) -> bool:
    try:
        np.asarray(items, np.float64)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def texts(name: str, items: list[Any]) -> str:
    if all(isinstance(item, os.PathLike) or FILE_NAME.fullmatch(item) for item in items):
        if all(os.fspath(item).lower().endswith(".npy") for item in items):
            call = f"np.concatenate([np.atleast_2d(np.load(path)) for path in {name}])"
            return f", but holds paths; pass {call}"
        return ", but holds paths; read the numbers in them first, and join them by np.concatenate"
    if as_float64(items):
        return f", but holds numbers written out; pass np.asarray({name}, np.float64)"
    return ", but holds texts; make a vector of each first, with the model that made the others"


# ---- arrays of other types -----------------------------------------------------------------


def other_dtype(x: Any, array: np.ndarray, name: str) -> str:
    """Advice about an array of a type that the core does not read and that does not convert exactly."""
    dtype, called = array.dtype, callable_name(x, name)
    if dtype.kind in "iu":
        return (
            f" and values past 2**53, which float64 cannot hold; if rounding them is right, "
            f"pass {called}.astype(np.float64)"
        )
    if dtype == np.dtype("V2"):
        return (
            f", two bytes of anything; if they are bfloat16, say dtype='bfloat16' or "
            f"pass {called}.view(ml_dtypes.bfloat16)"
        )
    if dtype.char == "g":
        return (
            f"; expected real numbers that float64 can hold. If rounding is right, "
            f"pass {called}.astype(np.float64)"
        )
    if dtype.kind == "c":
        return "; expected real numbers"
    if dtype.kind == "b":
        return (
            f"; pass {called}.astype(np.float32) to measure it as zeros and ones, "
            f"or vb.pack_bits({name}) to measure it as bits"
        )
    expected = "; expected float64, float32, float16, bfloat16 or integers"
    if dtype.names:
        vectors = next((field for field in dtype.names if dtype[field].shape), None)
        if vectors is not None:
            return f"{expected}: pass {called}[{vectors!r}]"
        return f"{expected}: pass np.stack([{called}[field] for field in {called}.dtype.names], axis=-1)"
    if dtype.kind in "SU" and as_float64(array):
        return f"{expected}: pass {called}.astype(np.float64)"
    if dtype.kind in "SU":
        return f"{expected}: make a vector of each text first"
    if getattr(dtype.type, "__module__", "") == "ml_dtypes":
        return f"{expected}: pass {called}.astype(np.float32)"
    return expected


def bits(x: Any, array: np.ndarray, name: str) -> str:
    """Advice about an array that is to hold packed bits and is not of uint8."""
    signs = f"vb.pack_bits({name}) makes them of what is positive"
    if array.dtype.kind not in "iu" or array.dtype == BFLOAT16:
        return signs
    called = callable_name(x, name)
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    signed = f"{called}.view(np.uint8) ^ 128"
    if array.dtype != np.int8:
        signed = f"{called}.astype(np.int8).view(np.uint8) ^ 128"
    calls = []
    if low >= -128 and high <= 127 and (low < 0 or array.dtype.kind == "i"):
        calls.append(f"for bytes less 128, as many services send 'binary' embeddings, pass {signed}")
    if low >= 0 and high <= 255 and array.dtype != np.int8:
        calls.append(f"for bytes, pass {called}.astype(np.uint8)")
    return "; ".join([*calls, f"of numbers, {signs}" if calls else signs])
