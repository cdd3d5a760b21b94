/* pairwise.c - the whole matrix of values, block by block. */
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "metrics.h"

typedef struct {
    vb_job job;
    vb_metric metric;
    size_t d, block, chunk, chunks; /* rows of a and of b a tile, and tiles in a row of tiles */
    vb_rows a, b;
    int same;
    char *out;
    ptrdiff_t out_row, out_column;
    vb_type out_type;
} pairwise;

static void put(const pairwise *p, size_t i, size_t j, double value)
{
    char *at = p->out + (ptrdiff_t)i * p->out_row + (ptrdiff_t)j * p->out_column;
    const float narrow = (float)value;
    if (p->out_type == VB_F32)
        memcpy(at, &narrow, sizeof narrow);
    else
        memcpy(at, &value, sizeof value);
}

/* A block of rows of a against a chunk of rows of b, which stays in L2 meanwhile. Of a matrix
 * with itself, the part on and above the diagonal, mirrored. */
static vb_status tile(vb_job *job, size_t index, void *scratch, vb_pulse *pulse)
{
    const pairwise *p = (const pairwise *)job;
    const size_t i_first = index / p->chunks * p->block, i_end = vb_min(i_first + p->block, p->a.count);
    const size_t j_first = index % p->chunks * p->chunk, j_end = vb_min(j_first + p->chunk, p->b.count);
    double values[VB_CHUNK];
    vb_scorer scorer;

    for (size_t i = i_first; i < i_end; i++) {
        const size_t start = p->same ? vb_max(i, j_first) : j_first;
        const vb_view rows = {p->b.base + (ptrdiff_t)start * p->b.stride, p->b.stride, NULL};
        if (start >= j_end)
            break;
        vb_widen(p->a.type, p->a.base + (ptrdiff_t)i * p->a.stride, p->d, scratch);
        vb_scorer_init(&scorer, p->metric, p->b.type, p->d, scratch);
        vb_scorer_run(&scorer, &rows, j_end - start, values);
        for (size_t j = start; j < j_end; j++) {
            put(p, i, j, values[j - start]);
            if (p->same && j > i)
                put(p, j, i, values[j - start]);
        }
        if (vb_pulse_beat(pulse, (j_end - start) * p->d))
            return VB_STOPPED;
    }
    return VB_OK;
}

vb_job *vb_pairwise_new(vb_metric metric, size_t d, const vb_rows *a, const vb_rows *b, int same, char *out,
                        ptrdiff_t out_row, ptrdiff_t out_column, vb_type out_type)
{
    pairwise *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->metric = metric;
    p->d = d;
    p->a = *a;
    p->b = *b;
    p->same = same;
    p->out = out;
    p->out_row = out_row;
    p->out_column = out_column;
    p->out_type = out_type;
    p->block = 256;
    p->chunk = vb_chunk_rows(b->type, d);
    p->chunks = vb_divide_up(b->count, p->chunk);
    p->job.tile = tile;
    p->job.tiles = vb_divide_up(a->count, p->block) * p->chunks;
    p->job.work = (double)a->count * (double)b->count * (double)d * (same ? 0.5 : 1.0);
    p->job.scratch_bytes = d * sizeof(double);
    return &p->job;
}
