# The registry of kernels, and calls of single kernels: for `cpu_info` and tests. Part of _core.pyx.


def registry():
    """Every kernel of this build, as a list of dicts; its place in the list is its number."""
    cdef vb_record_place place
    cdef const vb_record *record
    found = []
    while (record := vb_registry(len(found), &place)) is not NULL:
        form, type = vb_forms[<int>record.form].name.decode(), of_type(record.type).name.decode()
        summed = vb_accumulators[<int>record.accumulator].decode() if vb_forms[<int>record.form].has_accumulator else None
        found.append({
            "name": record.name.decode(),
            "slot": f"{summed}/{form}/{type}" if summed else f"{form}/{type}",
            "accumulator": summed,
            "type": type,
            "form": form,
            "isa": place.level.decode(),
            "unit": place.unit.decode(),
            "runs": bool(place.runs),
            "active": bool(place.active),
            "shape": (record.rows, record.columns),
            "largest_code": record.largest_code,
            "groups": groups_of(record),
        })
    return found


cdef groups_of(const vb_record *record):
    """The numbers of queries that a sieve takes at once, ascending; of products there is one."""
    if record.form == VB_FORM_PRODUCTS:
        return [record.rows]
    if record.form != VB_FORM_SIEVE:
        return []
    return sorted({record.packing.group(queries) for queries in range(1, record.rows + 1)})


cdef const vb_record *runnable(size_t number, cnp.ndarray a, cnp.ndarray rows) except NULL:
    """A kernel of the registry, for tests, if it takes these arguments and runs here."""
    cdef vb_record_place place
    cdef const vb_record *record = vb_registry(number, &place)
    if record is NULL or not place.runs:
        raise ValueError(f"kernel {number} is not in the registry, or does not run here")
    if (type_of(rows) != record.type or not contiguous(a) or a.ndim != 1
            or type_of(a) != (vb_query_type(record.type) if record.form == VB_FORM_ROWS else record.type)):
        raise ValueError("a kernel takes a contiguous 1-D row and rows of its own type")
    return record


cdef vb_view view_of(cnp.ndarray rows, size_t d, cnp.ndarray ids) except *:
    cdef vb_rows matrix = rows_of(rows, d)
    cdef vb_view view
    if ids is not None and (ids.dtype != np.int64 or not contiguous(ids)
                            or not all(0 <= i < len(rows) for i in ids)):
        raise ValueError("a kernel takes int64 ids of the rows")
    view.base, view.stride, view.cached = matrix.base, matrix.stride, 0
    view.ids = NULL if ids is None else <const int64_t *>cnp.PyArray_DATA(ids)
    return view


def run_kernel(size_t number, cnp.ndarray a, cnp.ndarray rows, cnp.ndarray ids=None, bint cached=False):
    """Call a pair or rows kernel: for each row (of the ids, if any) a list of its sums. cached: as vb_view has it."""
    cdef const vb_record *record = runnable(number, a, rows)
    cdef size_t d = len(a), n = len(rows) if ids is None else len(ids), i
    cdef vb_view view = view_of(rows, d, ids)
    cdef double *out
    view.cached = cached
    if record.form == VB_FORM_PAIR:
        found = np.zeros((n, 3))
        out = <double *>cnp.PyArray_DATA(found)
        for i in range(n):
            record.call.pair(cnp.PyArray_DATA(a), vb_row(&view, i), d, out + 3 * i)
        return found[:, : 3 if record.accumulator == VB_DOTNORM else 1].tolist()
    if record.form != VB_FORM_ROWS:
        raise ValueError(f"kernel {number} gives no sums")
    found = np.zeros((2, n))
    out = <double *>cnp.PyArray_DATA(found)
    record.call.rows(cnp.PyArray_DATA(a), &view, n, d, out, out + n)
    return found[: 2 if record.accumulator == VB_DOTNORM else 1].T.tolist()


def run_screen(size_t number, cnp.ndarray a, cnp.ndarray rows, float limit, float slope, float low):
    """Call a screen kernel: the positions that pass."""
    cdef const vb_record *record = runnable(number, a, rows)
    cdef vb_view view = view_of(rows, len(a), None)
    cdef vb_screen_bounds bounds
    cdef size_t count
    if record.form != VB_FORM_SCREEN:
        raise ValueError(f"kernel {number} is no screen")
    bounds.limit, bounds.slope, bounds.low = limit, slope, low
    passed = np.empty(len(rows), np.uint32)
    count = record.call.screen(<const float *>cnp.PyArray_DATA(a), &view, len(rows), len(a), &bounds,
                               <uint32_t *>cnp.PyArray_DATA(passed))
    return passed[:count].tolist()


cdef const vb_record *runnable_form(size_t number, vb_form form) except NULL:
    """A kernel of the registry of this form, for tests, if it runs here."""
    cdef vb_record_place place
    cdef const vb_record *record = vb_registry(number, &place)
    if record is NULL or not place.runs or record.form != form:
        raise ValueError(f"kernel {number} is no {vb_forms[<int>form].name.decode()}, or does not run here")
    return record


cdef void *data_of(array, dtype, shape) except? NULL:
    """The address of an array of exactly this type and shape."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
        raise ValueError(f"a kernel takes a contiguous array of {np.dtype(dtype)} of shape {shape}")
    return cnp.PyArray_DATA(array)


def run_tile(size_t number, cnp.ndarray rows, panel, str epilogue, double low, double high, row, column):
    """
    Call a tile kernel: its values, and for each row the columns it is not sure of, as bits.

    bfloat16 rows have an even number of elements, and their panel is of shape (d / 2, columns, 2).
    """
    cdef const vb_record *record = runnable_form(number, VB_FORM_TILE)
    cdef size_t d = rows.shape[1]
    cdef vb_view view = view_of(rows, d, None)
    cdef vb_finish finish
    pairs = record.type == VB_BF16
    dtype = np.float64 if record.type == VB_F64 else np.float32
    if type_of(rows) != record.type or pairs and d % 2 or <size_t>len(rows) != record.rows:
        raise ValueError("a tile takes as many rows as its shape says, of its type")
    finish.epilogue = <vb_epilogue><int>EPILOGUES.index(epilogue)
    finish.low, finish.high = low, high
    finish.row = data_of(row, dtype, (record.rows,))
    finish.column = data_of(column, dtype, (record.columns,))
    values = np.empty((record.rows, record.columns), dtype)
    unsure = np.empty(record.rows, np.uint64)
    packed = (BFLOAT16, (d // 2, record.columns, 2)) if pairs else (dtype, (d, record.columns))
    record.call.tile(&view, data_of(panel, packed[0], packed[1]), d, &finish, cnp.PyArray_DATA(values),
                     cnp.PyArray_STRIDE(values, 0), <uint64_t *>cnp.PyArray_DATA(unsure))
    return values, unsure.tolist()


def pack_codes(size_t number, codes, size_t group):
    """Rows of codes, whole groups of them, as a sieve or products kernel takes them."""
    cdef vb_record_place place
    cdef const vb_record *record = vb_registry(number, &place)
    if record is NULL or not place.runs or group not in groups_of(record) or codes.ndim != 2 or len(codes) % group:
        raise ValueError(f"kernel {number} does not take such groups of codes, or does not run here")
    cdef size_t d = codes.shape[1], bytes = record.packing.bytes(group, d), row
    cdef const int8_t *source = <const int8_t *>data_of(codes, np.int8, codes.shape)
    out = np.empty(len(codes) // group * bytes, np.int8)
    cdef int8_t *packed = <int8_t *>cnp.PyArray_DATA(out)
    for row in range(len(codes)):
        record.packing.pack(source + row * d, d, 0, group, row % group, packed + row // group * bytes)
    return out


def run_sieve(size_t number, size_t d, panel, size_t group, packed, bias, a, t, k):
    """Call a sieve kernel with packed queries: for each the rows that pass, as bits."""
    cdef const vb_record *record = runnable_form(number, VB_FORM_SIEVE)
    cdef vb_coded coded
    count = len(bias)
    if group not in groups_of(record) or count % group or d >= 1 << 15:
        raise ValueError(f"a sieve takes whole groups of {groups_of(record)} queries")
    coded.count, coded.group = count, group
    coded.codes = <int8_t *>data_of(packed, np.int8, (count // group * record.packing.bytes(group, d),))
    coded.bias = <int32_t *>data_of(bias, np.int32, (count,))
    coded.a = <float *>data_of(a, np.float32, (count,))
    coded.t = <float *>data_of(t, np.float32, (count,))
    coded.k = <float *>data_of(k, np.float32, (count,))
    masks = np.empty(count, np.uint32)
    record.call.sieve(<const vb_panel *>data_of(panel, np.uint8, (vb_panel_bytes(d),)), (d + 3) // 4, &coded,
                      <uint32_t *>cnp.PyArray_DATA(masks))
    return masks.tolist()


def run_products(size_t number, size_t d, panel, packed):
    """Call a products kernel: the products of a group of packed rows and a panel's."""
    cdef const vb_record *record = runnable_form(number, VB_FORM_PRODUCTS)
    steps = (d + 3) // 4
    out = np.empty((record.rows, record.columns), np.int32)
    record.call.products(<const uint8_t *>data_of(panel, np.uint8, (steps, record.columns, 4)), steps,
                         <const int8_t *>data_of(packed, np.int8, (record.packing.bytes(record.rows, d),)),
                         <int32_t *>cnp.PyArray_DATA(out))
    return out


def run_score(size_t number, str epilogue, bint wide, double norm, double edge, norms, sums):
    """Call a score kernel: the values, NaN where it leaves them to others, and whether it says that there are such."""
    cdef const vb_record *record = runnable_form(number, VB_FORM_SCORE)
    cdef vb_scoring scoring
    scoring.epilogue = <vb_epilogue><int>EPILOGUES.index(epilogue)
    scoring.wide, scoring.norm, scoring.edge = wide, norm, edge
    found = np.empty(sums.shape)
    unsure = record.call.score(&scoring, len(found), <const double *>data_of(sums, np.float64, found.shape),
                               <const double *>data_of(norms, np.float64, found.shape),
                               <double *>cnp.PyArray_DATA(found))
    return found, bool(unsure)


def run_apart(size_t number, cnp.ndarray a, cnp.ndarray x, double scale_a, double scale_x, double t=0, double u=0,
              bint swapped=False):
    """Call a scaled or residual kernel: its sums."""
    cdef vb_record_place place
    cdef const vb_record *record = vb_registry(number, &place)
    cdef vb_apart how
    cdef double sums[3]
    if record is NULL or not place.runs or record.form not in (VB_FORM_SCALED, VB_FORM_RESIDUAL):
        raise ValueError(f"kernel {number} is no scaled one, or does not run here")
    wide = type_of(a) == VB_F64
    if (type_of(x) != record.type or not (wide or record.form == VB_FORM_RESIDUAL and type_of(a) == record.type)
            or a.ndim != 1 or x.ndim != 1 or len(a) != len(x) or not (contiguous(a) and contiguous(x))):
        raise ValueError("a kernel takes contiguous 1-D rows of its types")
    how.scale_a, how.scale_x, how.t, how.u, how.wide, how.swapped = scale_a, scale_x, t, u, wide, swapped
    record.call.apart(cnp.PyArray_DATA(a), cnp.PyArray_DATA(x), len(x), &how, sums)
    count = 1 if record.accumulator != VB_DOTNORM else 2 if record.form == VB_FORM_RESIDUAL else 3
    return [sums[i] for i in range(count)]


def run_widen(size_t number, cnp.ndarray row):
    """Call a widen kernel: the row as float32."""
    cdef const vb_record *record = runnable_form(number, VB_FORM_WIDEN)
    if type_of(row) != record.type or row.ndim != 1 or not contiguous(row):
        raise ValueError("a kernel takes a contiguous 1-D row of its own type")
    out = np.empty(len(row), np.float32)
    record.call.widen(<const char *>cnp.PyArray_DATA(row), len(row), <float *>cnp.PyArray_DATA(out))
    return out


def run_encode(size_t number, x, center):
    """Call an encode kernel: the codes, and what it found out about the row."""
    cdef const vb_record *record = runnable_form(number, VB_FORM_ENCODE)
    cdef vb_coding found
    d = len(x)
    padded = (d + 31) // 32 * 32
    work, codes = np.empty(padded, np.float32), np.empty(padded, np.uint8)
    record.call.encode(<const char *>data_of(x, np.float32, (d,)), <const float *>data_of(center, np.float32, (padded,)),
                       d, <float *>cnp.PyArray_DATA(work), <uint8_t *>cnp.PyArray_DATA(codes), &found)
    return codes, found


def limit(str kind, double wanted):
    """So many multiply-adds in registers, by the best instruction for a type ("f32"); False if there is none."""
    cdef int type = [of_type(t).name.decode() for t in range(VB_TYPES)].index(kind)
    cdef bint ran
    with nogil:
        ran = vb_peak(<vb_type>type, wanted)
    return bool(ran)


def limit_read(bytearray block, size_t times):
    """Loads of the whole lines of a block, 512 bytes at a time, so many times over; False if it cannot be told here."""
    cdef char *start = block
    cdef size_t skip = -<size_t>start % 64
    cdef const char *at = start + skip
    cdef size_t bytes = (len(block) - skip) // 512 * 512
    cdef bint ran
    with nogil:
        ran = vb_peak_read(at, bytes, times)
    return bool(ran)
