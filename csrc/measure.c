/* measure.c - one-to-one, row by row, one-to-many: elementwise over broadcast leading axes. */
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "scorer.h"

typedef struct {
    vb_job job;
    vb_metric metric;
    size_t d, total, values_per_tile;
    int ndim, cached; /* cached: all rows together may stay in cache */
    size_t shape[VB_MAX_DIMS];
    vb_operand a, b, out;
} measure;

/* Drop axes of length one, and join an axis with the next where every operand steps through
 * both as through one: the innermost axis should be long. */
static void simplify(measure *m)
{
    vb_operand *const operands[] = {&m->a, &m->b, &m->out};
    int kept = 0;

    for (int axis = 0; axis < m->ndim; axis++) {
        int joins = kept > 0;
        if (m->shape[axis] == 1)
            continue;
        for (int o = 0; o < 3; o++)
            joins = joins && operands[o]->strides[kept - 1] == operands[o]->strides[axis] * (ptrdiff_t)m->shape[axis];
        if (joins)
            m->shape[kept - 1] *= m->shape[axis];
        else
            m->shape[kept++] = m->shape[axis];
        for (int o = 0; o < 3; o++)
            operands[o]->strides[kept - 1] = operands[o]->strides[axis];
    }
    if (kept == 0) {
        m->shape[kept++] = 1;
        for (int o = 0; o < 3; o++)
            operands[o]->strides[0] = 0;
    }
    m->ndim = kept;
}

/* Where value number `flat` lies in each operand; returns its place on the innermost axis. */
static size_t locate(const measure *m, size_t flat, char **a, char **b, char **out)
{
    const size_t inner = flat % m->shape[m->ndim - 1];
    *a = m->a.base;
    *b = m->b.base;
    *out = m->out.base;
    for (int axis = m->ndim - 1; axis >= 0; axis--) {
        const ptrdiff_t at = (ptrdiff_t)(flat % m->shape[axis]);
        flat /= m->shape[axis];
        *a += at * m->a.strides[axis];
        *b += at * m->b.strides[axis];
        *out += at * m->out.strides[axis];
    }
    return inner;
}

/* n values along the innermost axis, n <= VB_CHUNK. query is scratch for d numbers; *held is
 * the row that it holds, and whose norm the scorer has. */
static void run(const measure *m, const char *a, const char *b, size_t n, double *values, double *query,
                vb_scorer *scorer, const char **held)
{
    const vb_operand *one = &m->a, *many = &m->b;
    const char *row = a;
    const int last = m->ndim - 1;

    if (m->a.type == m->b.type && (n == 1 || (m->a.strides[last] && m->b.strides[last]))) {
        for (size_t i = 0; i < n; i++, a += m->a.strides[last], b += m->b.strides[last])
            values[i] = vb_pair(m->metric, m->a.type, a, b, m->d);
        return;
    }
    if (m->a.strides[last] && !m->b.strides[last]) { /* the metrics are symmetric */
        one = &m->b;
        many = &m->a;
        row = b;
        b = a;
    }
    /* Two types, both moving: one query a row. */
    for (size_t i = 0, step = one->strides[last] ? 1 : n; i < n; i += step, row += one->strides[last]) {
        const vb_view rows = {b + (ptrdiff_t)i * many->strides[last], many->strides[last], NULL, m->cached};
        if (row != *held) {
            const int real = vb_type_kind(many->type) == VB_REAL;
            if (real)
                vb_widen(one->type, row, m->d, query);
            vb_scorer_init(scorer, m->metric, many->type, m->d, real ? (const void *)query : row, one->type);
            *held = row;
        }
        vb_scorer_run(scorer, &rows, step, values + i);
    }
}

static vb_status tile(vb_job *job, size_t index, void *scratch, vb_pulse *pulse)
{
    const measure *m = (const measure *)job;
    const size_t length = m->shape[m->ndim - 1], end = vb_min((index + 1) * m->values_per_tile, m->total);
    const char *held = NULL;
    vb_scorer scorer;
    double values[VB_CHUNK];

    for (size_t flat = index * m->values_per_tile; flat < end;) {
        char *a, *b, *out;
        const size_t inner = locate(m, flat, &a, &b, &out);
        const size_t n = vb_min(vb_min(length - inner, end - flat), VB_CHUNK);
        run(m, a, b, n, values, scratch, &scorer, &held);
        vb_store(m->out.type, values, n, out, m->out.strides[m->ndim - 1]);
        flat += n;
        if (vb_pulse_beat(pulse, n * m->d))
            return VB_STOPPED;
    }
    return VB_OK;
}

vb_job *vb_measure_new(vb_metric metric, size_t d, int ndim, const size_t *shape, const vb_operand *a,
                       const vb_operand *b, const vb_operand *out)
{
    measure *m = calloc(1, sizeof *m);

    VB_ASSERT(0 <= ndim && ndim <= VB_MAX_DIMS);
    VB_ASSERT(a->type == b->type || (vb_type_kind(a->type) == VB_REAL && vb_type_kind(b->type) == VB_REAL));
    vb_need_kernels();
    if (!m)
        return NULL;
    m->metric = metric;
    m->d = d;
    m->ndim = ndim;
    m->total = 1;
    for (int axis = 0; axis < ndim; axis++) {
        m->shape[axis] = shape[axis];
        m->total *= shape[axis];
    }
    m->a = *a;
    m->b = *b;
    m->out = *out;
    if (m->total)
        simplify(m);
    m->cached = m->total <= ((size_t)8 << 20) / vb_max(d * vb_type_size(a->type), 1);
    m->values_per_tile = vb_max((1 << 20) / vb_max(d, 1), 1);
    m->job.tile = tile;
    m->job.tiles = vb_divide_up(m->total, m->values_per_tile);
    m->job.work = (double)m->total * (double)d;
    m->job.scratch_bytes = d * sizeof(double);
    return &m->job;
}

/* ---- rows to rows: of unit length, or of another type ------------------------------------ */

typedef struct {
    vb_job job;
    int unit;
    size_t d, rows_per_tile;
    vb_rows rows;
    char *out;
    ptrdiff_t out_stride;
    vb_type out_type;
} rewrite;

static vb_status rewrite_tile(vb_job *job, size_t index, void *scratch, vb_pulse *pulse)
{
    const rewrite *m = (const rewrite *)job;
    const size_t end = vb_min((index + 1) * m->rows_per_tile, m->rows.count);
    double *row = scratch;

    for (size_t r = index * m->rows_per_tile; r < end; r++) {
        vb_widen(m->rows.type, m->rows.base + (ptrdiff_t)r * m->rows.stride, m->d, row);
        if (m->unit)
            vb_unit(row, m->d);
        vb_store(m->out_type, row, m->d, m->out + (ptrdiff_t)r * m->out_stride, (ptrdiff_t)vb_type_size(m->out_type));
        if (vb_pulse_beat(pulse, m->d))
            return VB_STOPPED;
    }
    return VB_OK;
}

static vb_job *rewrite_new(int unit, size_t d, const vb_rows *rows, char *out, ptrdiff_t out_stride, vb_type out_type)
{
    rewrite *m = calloc(1, sizeof *m);

    VB_ASSERT(vb_type_kind(rows->type) != VB_BITS && vb_type_kind(out_type) == VB_REAL);
    vb_need_kernels();
    if (!m)
        return NULL;
    m->unit = unit;
    m->d = d;
    m->rows = *rows;
    m->out = out;
    m->out_stride = out_stride;
    m->out_type = out_type;
    m->rows_per_tile = vb_max((1 << 20) / vb_max(d, 1), 1);
    m->job.tile = rewrite_tile;
    m->job.tiles = vb_divide_up(rows->count, m->rows_per_tile);
    m->job.work = (double)rows->count * (double)d;
    m->job.scratch_bytes = d * sizeof(double);
    return &m->job;
}

vb_job *vb_normalize_new(size_t d, const vb_rows *rows, char *out, ptrdiff_t out_stride, vb_type out_type)
{
    return rewrite_new(1, d, rows, out, out_stride, out_type);
}

vb_job *vb_convert_new(size_t d, const vb_rows *rows, char *out, ptrdiff_t out_stride, vb_type out_type)
{
    return rewrite_new(0, d, rows, out, out_stride, out_type);
}
