"""Files of indexes, damaged in any way: refused, or loaded as an index that answers."""

import os
import struct
import tempfile
import zlib
from functools import cache

import numpy as np
from choices import Choices

import vecblade as vb
from vecblade._sources import file as _file

# Rows and width, type, and metric of the indexes whose files are damaged.
INDEXES = (
    ((40, 12), "f4", "euclidean", None),
    ((33, 3), "f8", "cosine", None),
    ((1100, 8), "i1", "dot", None),
    ((35, 9), "u1", "hamming", "bits"),
    ((64, 10), "u2", "cosine_similarity", "bfloat16"),
    ((5, 0), "f2", "sqeuclidean", None),
    ((0, 16), "f4", "dot", None),
)
# Where the header has a number of 8 bytes, and some that might do harm.
FIELDS = (24, 32, 40, 48, 56, 72)
NUMBERS = (0, 1, 4095, 4096, 1 << 31, 1 << 32, 1 << 59, (1 << 60) - 1, 1 << 60, 1 << 63, (1 << 64) - 1)
TYPES = (*_file.TYPES, b"", b"f128")
METRICS = (b"dot", b"euclidean", b"cosine", b"hamming", b"jaccard", b"", b"\xff" * 32)
# Larger ones are true to their files, and would take long to search: files of rows of no elements.
MOST_ROWS, MOST_WIDTH = 100_000, 10_000


@cache
def saved(number):
    """The file of an index, and what it finds."""
    shape, dtype, metric, reading = INDEXES[number]
    rows = np.random.default_rng(number).integers(0, 100, shape).astype(dtype)
    index = vb.FlatIndex(rows, metric, dtype=reading)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "index")
        index.save(path)
        with open(path, "rb") as file:
            return file.read(), index.search(rows[:3], 4)


def damaged(choices, whole):
    data = bytearray(whole)
    for _ in range(choices.number(4)):
        how, place = choices.number(7), choices.number(len(whole) - 1)
        if how == 0:
            struct.pack_into("<Q", data, choices.pick(FIELDS), choices.pick(NUMBERS))
        elif how == 1:
            at = choices.pick(FIELDS)
            number = struct.unpack_from("<Q", data, at)[0] + choices.number(255) - 128
            struct.pack_into("<Q", data, at, number % (1 << 64))
        elif how == 2:
            struct.pack_into("<4s", data, 12, choices.pick(TYPES))
        elif how == 3:
            struct.pack_into("<32s", data, 88, choices.pick(METRICS))
        elif how == 4:
            struct.pack_into("<I", data, 8, choices.number(255))
        elif how == 5:  # a byte of the header
            data[place % 128] = choices.number(255)
        else:  # bytes of what follows
            some = bytes(choices.number(255) for _ in range(choices.pick((1, 4, 16))))
            data[place : place + len(some)] = some[: len(whole) - place]
    return data


def signed(choices, data):
    """With right checksums again, so that what else is compared comes to bear; cut, or longer."""
    if choices.number(3) and len(data) >= 4096:
        struct.pack_into("<I", data, 80, zlib.crc32(data[4096:]))
        if choices.number(3) == 0:  # and the places and the size that go with the rows
            rewritten(data)
        struct.pack_into("<I", data, 4092, zlib.crc32(data[:4092]))
    if choices.number(7) == 0:
        del data[choices.number(len(data)) :]
    elif choices.number(15) == 0:
        data += bytes(choices.number(255))
    return data


def rewritten(data):
    """A header that agrees with itself, whatever rows and widths it has; the file is made as long, if that can be."""
    kind = bytes(data[12:16]).rstrip(b"\0")
    rows, d = struct.unpack_from("<QQ", data, 24)
    if kind not in _file.TYPES or rows * d > 1 << 20 or max(rows, d) >= 1 << 59:
        return
    places, size = _file._layout((rows, d), _file.TYPES[kind].itemsize)
    if size > 1 << 22:
        return
    struct.pack_into("<QQQ", data, 40, *places)
    struct.pack_into("<Q", data, 72, size)
    del data[size:]
    data += bytes(size - len(data))
    struct.pack_into("<I", data, 80, zlib.crc32(data[4096:]))


def run(data):
    choices = Choices(data)
    number = choices.number(len(INDEXES) - 1)
    whole, wanted = saved(number)
    file = bytes(signed(choices, damaged(choices, whole)))
    options = {"mmap": choices.flag(), "verify": choices.flag()}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "index")
        with open(path, "wb") as target:
            target.write(file)
        try:
            index = vb.FlatIndex.load(path, **options)
        except (ValueError, OSError) as error:
            if path not in str(error) or file == whole:
                raise AssertionError("a refusal without the path, or of a whole file") from error
            return
        assert len(file) >= 4096
        if options["verify"]:
            assert zlib.crc32(file[4096:]) == struct.unpack_from("<I", file, 80)[0]
        answer(choices, index, file == whole, wanted, INDEXES[number])


def answer(choices, index, unharmed, wanted, made):
    """Searches and changes of an index that was loaded, whatever its rows are now."""
    shape, dtype, _, _ = made
    n, d = index.vectors.shape
    if n > MOST_ROWS or d > MOST_WIDTH:
        return
    queries = index.vectors[:3]
    if unharmed:
        rows = np.random.default_rng(INDEXES.index(made)).integers(0, 100, shape).astype(dtype)
        assert np.array_equal(index.vectors.view(dtype), rows)
        found = index.search(rows[:3], 4)
        assert np.array_equal(found.indices, wanted.indices)
        assert np.array_equal(found.values, wanted.values, equal_nan=True)
    found = index.search(queries, 4)
    assert found.indices.shape == (len(queries), min(4, n))
    assert ((found.indices >= 0) & (found.indices < n)).all()
    pairs = index.within(queries, 1.0)
    assert pairs.offsets[-1] == len(pairs.indices) == len(pairs.values)
    if choices.flag():
        assert index.add(queries) == range(n, n + len(queries))
        assert index.remove(np.arange(n // 2)) == n // 2
        assert len(index) == n - n // 2 + len(queries)
        assert index.search(queries, 2).indices.shape[0] == len(queries)
