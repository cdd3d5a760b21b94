/* codes.c - rows in codes: from elements to bytes, from bytes to panels, and the codes of a whole corpus. */
#include "codes.h"

#include <stdlib.h>
#include <string.h>

#include "job.h"

size_t vb_center_size(size_t d) { return vb_round_up(d, VB_LANES); }

static size_t to_lines(size_t bytes) { return vb_round_up(bytes, VB_LINE); }

/* ---- rows -------------------------------------------------------------------------- */

/* How many rows are encoded before their codes go to the panel, whole pieces of its cache lines. */
enum { AT_ONCE = 8 };

/* Working space: y in float32, y once more and zeros for a center (float64 rows), codes. */
size_t vb_encode_scratch(size_t d)
{
    return 3 * to_lines(vb_center_size(d) * sizeof(float)) + AT_ONCE * to_lines(vb_center_size(d));
}

/* Codes of AT_ONCE rows, `pitch` bytes apart, to the panel: at[step][row]. Row by row, where every step of a
 * row goes to another line, 768 numbers took 170 ns and not 50. */
static void interleave(const uint8_t *codes, size_t pitch, size_t steps, uint8_t *at)
{
    size_t step = 0;

    for (; step + 2 <= steps; step += 2)
        for (size_t r = 0; r < AT_ONCE; r += 2) {
            uint32_t from[2][2], to[2][2];
            uint8_t *place = at + (step * VB_PANEL + r) * 4;
            memcpy(from[0], codes + r * pitch + step * 4, sizeof from[0]);
            memcpy(from[1], codes + (r + 1) * pitch + step * 4, sizeof from[1]);
            to[0][0] = from[0][0];
            to[0][1] = from[1][0];
            to[1][0] = from[0][1];
            to[1][1] = from[1][1];
            memcpy(place, to[0], sizeof to[0]);
            memcpy(place + 4 * VB_PANEL, to[1], sizeof to[1]);
        }
    for (size_t r = 0; step < steps && r < AT_ONCE; r++)
        memcpy(at + (step * VB_PANEL + r) * 4, codes + r * pitch + step * 4, 4);
}

/* Integers of a byte, signed or not, are their own codes: less the center, 0 or 128, and 128 added. Sums are exact, for
 * d is under 2^15. */
static void encode_integers(vb_type type, const char *row, size_t d, uint8_t *codes, vb_coding *found)
{
    const unsigned flip = type == VB_I8 ? 128 : 0;
    int32_t square = 0, norm = 0;

    for (size_t i = 0; i < d; i++) {
        const unsigned code = (unsigned char)row[i] ^ flip;
        const int32_t y = (int32_t)code - 128, x = flip ? y : (int32_t)code;
        codes[i] = (uint8_t)code;
        square += y * y;
        norm += x * x;
    }
    *found = (vb_coding){.unit = 1.0f, .square = (float)square, .norm = (float)norm, .code = (float)square};
}

static void encode_bits(const char *row, size_t d, uint8_t *codes, vb_coding *found)
{
    double count;
    memcpy(codes, row, d);
    vb_kernels.pair[VB_DOT][VB_B1](row, row, d, &count);
    *found = (vb_coding){.unit = 1.0f, .square = (float)count, .norm = (float)count, .code = (float)count};
}

/* The codes of one row, and what is known of it. work: as vb_encode_scratch() has it. */
static void encode_row(const vb_encoding *e, const char *row, void *scratch, uint8_t *codes, vb_coding *found)
{
    const size_t floats = to_lines(vb_center_size(e->d) * sizeof(float));
    float *work = scratch, *narrow = (float *)((char *)scratch + floats), *zeros = (float *)((char *)narrow + floats);

    switch (vb_types[e->type].coding) {
    case VB_CODES_OF_FLOATS:
        if (e->scale != 1.0) {
            for (size_t i = 0; i < e->d; i++)
                narrow[i] = (float)(vb_element(e->type, row, i) * e->scale);
            row = (const char *)narrow;
        }
        vb_kernels.encode(row, e->center, e->d, work, codes, found);
        return;
    case VB_CODES_OF_DOUBLES:
        for (size_t i = 0; i < e->d; i++)
            narrow[i] = (float)(vb_element(e->type, row, i) * e->scale - (double)e->center[i]);
        vb_kernels.encode((const char *)narrow, zeros, e->d, work, codes, found);
        return;
    case VB_CODES_OF_WIDENED:
        vb_kernels.widen[e->type](row, e->d, narrow);
        for (size_t i = 0; e->scale != 1.0 && i < e->d; i++)
            narrow[i] = (float)(narrow[i] * e->scale);
        vb_kernels.encode((const char *)narrow, e->center, e->d, work, codes, found);
        return;
    case VB_CODES_OF_INTEGERS:
        encode_integers(e->type, row, e->d, codes, found);
        return;
    case VB_CODES_OF_BITS:
        encode_bits(row, e->d, codes, found);
        return;
    }
    VB_UNREACHABLE();
}

void vb_encode_rows(const vb_encoding *e, const vb_view *rows, size_t n, const char *before, void *scratch,
                    vb_panel *panel)
{
    const size_t row_bytes = e->d * vb_type_size(e->type);
    const size_t steps = (e->d + 3) / 4, floats = to_lines(vb_center_size(e->d) * sizeof(float));
    const int real = vb_type_kind(e->type) == VB_REAL;
    uint8_t *codes = (uint8_t *)scratch + 3 * floats;
    const size_t pitch = to_lines(vb_center_size(e->d));

    VB_ASSERT(n <= VB_PANEL && vb_codes_suit(e->d));
    if (vb_types[e->type].coding == VB_CODES_OF_DOUBLES)
        memset((char *)scratch + 2 * floats, 0, floats);
    if (n < VB_PANEL)
        memset(panel, 0, vb_panel_bytes(e->d));
    if (!real) /* what lies between the last byte of a row and the next four */
        memset(codes, 0, AT_ONCE * pitch);
    vb_bound_clear(panel);
    panel->exponent = (float)ilogb(e->scale);
    panel->repeats = 0;
    memset(panel->spare, 0, sizeof panel->spare);
    for (size_t r = 0; r < n; r++) {
        const char *row = vb_row(rows, r);
        uint8_t *code = codes + r % AT_ONCE * pitch;
        vb_coding found;

        if (r % AT_ONCE == 0 && n - r < AT_ONCE)
            memset(codes, 0, AT_ONCE * pitch);
        /* While one row is encoded, another may come from memory; the hardware's prefetcher stops between
         * rows. 768 float32: 800 ns a row without this, 500 with it. */
        if (r + 4 < n)
            vb_prefetch(vb_row(rows, r + 4), e->d * vb_type_size(e->type));
        if (before && memcmp(before, row, row_bytes) == 0)
            panel->repeats |= (uint32_t)1 << r;
        before = row;
        encode_row(e, row, scratch, code, &found);
        vb_bound_row(e, row, &found, r, panel);
        if (r % AT_ONCE == AT_ONCE - 1 || r == n - 1)
            interleave(codes, pitch, steps, panel->codes + r / AT_ONCE * (AT_ONCE * 4));
    }
}

/* ---- a whole corpus ---------------------------------------------------------------- */

typedef struct {
    vb_job job;
    vb_encoding encoding;
    vb_rows rows;
    size_t first; /* panel */
    char *panels;
} encoder;

enum { TILE_PANELS = 256 };

size_t vb_codes_bytes(size_t count, size_t d) { return vb_divide_up(count, VB_PANEL) * vb_panel_bytes(d); }
size_t vb_codes_center_bytes(size_t d) { return vb_center_size(d) * sizeof(float); }

/* In rows of a few numbers the code's overhead is all there is; in longer ones sums of products might
 * overflow int32. */
int vb_codes_suit(size_t d) { return d >= 8 && d < 1 << 15; }

static vb_status encode_tile(vb_job *job, size_t index, void *scratch, vb_pulse *pulse)
{
    const encoder *e = (const encoder *)job;
    const size_t all = vb_divide_up(e->rows.count, VB_PANEL), first = e->first + index * TILE_PANELS;

    for (size_t p = first; p < vb_min(first + TILE_PANELS, all); p++) {
        const size_t n = vb_min(e->rows.count - p * VB_PANEL, VB_PANEL);
        const vb_view rows = {e->rows.base + (ptrdiff_t)(p * VB_PANEL) * e->rows.stride, e->rows.stride, NULL, 0};
        const char *before = p ? rows.base - e->rows.stride : NULL;
        vb_encode_rows(&e->encoding, &rows, n, before, scratch,
                       (vb_panel *)(e->panels + p * vb_panel_bytes(e->encoding.d)));
        if (vb_pulse_beat(pulse, n * e->encoding.d))
            return VB_STOPPED;
    }
    return VB_OK;
}

vb_job *vb_codes_new(vb_metric metric, size_t d, const vb_rows *rows, size_t first, char *panels, float *center)
{
    encoder *e = calloc(1, sizeof *e);
    const vb_view view = {rows->base, rows->stride, NULL, 0};
    double *sum = vb_alloc(d, sizeof *sum);

    VB_ASSERT(vb_codes_suit(d) && first <= rows->count && (uintptr_t)panels % VB_LINE == 0);
    vb_need_kernels();
    if (!e || !sum) {
        free(e);
        free(sum);
        return NULL;
    }
    e->encoding = (vb_encoding){metric, rows->type, d, center, 1.0};
    if (first == 0)
        e->encoding.scale = vb_scale_of(vb_find_center(&view, rows->count, rows->type, d, center, sum));
    else
        e->encoding.scale = vb_panel_scale((const vb_panel *)panels);
    free(sum);
    e->rows = *rows;
    e->first = first / VB_PANEL;
    e->panels = panels;
    e->job.tile = encode_tile;
    e->job.tiles = vb_divide_up(vb_divide_up(rows->count, VB_PANEL) - e->first, TILE_PANELS);
    e->job.work = (double)(rows->count - e->first * VB_PANEL) * (double)d;
    e->job.scratch_bytes = vb_encode_scratch(d);
    return &e->job;
}
