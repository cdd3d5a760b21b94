/* scan.c - the loop of a search, in one of four ways (vb_plan):
 *
 * Over 500 lines: the four ways share the workspace, the chunks and what is left of them.
 *
 *   rows    chunks of corpus rows stay in L2 while every query of the block meets them
 *   sieve   the same chunks are encoded first, and queries meet only rows that their codes do not
 *           rule out
 *   codes   the same with codes made beforehand: rows that are ruled out are not read at all
 *   tiles   products of float32 tiles rule rows out (scan_tiles.c)
 *
 *   corpus split   chunk 0                      chunk 1        ...
 *   all queries    sift the chunk's panels
 *   query 0        score the survivors, take     ...
 *   query 1        score the survivors, take
 */
#include "scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"
#include "plan.h"
#include "scan_tiles.h"

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static unsigned lowest_bit(uint32_t mask)
{
    unsigned long at;
    _BitScanForward(&at, mask);
    return at;
}
#else
static unsigned lowest_bit(uint32_t mask) { return (unsigned)__builtin_ctz(mask); }
#endif

/* The most rows of a chunk: with codes made on the way, and made beforehand for a few queries (when a
 * chunk is soon done, and what surrounds it should not show). */
enum { SIFT_PANELS = VB_CHUNK / VB_PANEL, LONG_PANELS = 64, FEW_QUERIES = 16 };

/* ---- how to go about it ------------------------------------------------------------ */

#define VB_NAME(id, name) #name,
const char *const vb_plans[] = {VB_EACH_PLAN(VB_NAME)};

/* ---- working space ----------------------------------------------------------------- */

/* What one tile needs, all of it in the job's scratch memory. */
typedef struct {
    double *wide;  /* real queries in float64, (room for one of another kind) */
    float *narrow; /* in float32, */
    vb_scorer *scorers;
    vb_coded coded; /* and in codes; the rest is for these */
    vb_query_bound *bounds;
    float *norms, *residuals;
    int8_t *unpacked;      /* one query's codes */
    uint32_t *masks, *any; /* [panel][query], [query] */
    char *panels;
    const char *before; /* the row before what is encoded next, or NULL */
    void *encode;
    vb_by_tiles tiles;
} workspace;

/* Numbers from one query to the next: whole cache lines. */
static size_t pitch(const vb_search *s) { return vb_round_up(s->d * sizeof(double), VB_LINE) / sizeof(double); }

static int is_real(const vb_search *s) { return vb_type_kind(s->corpus.type) == VB_REAL; }
static const vb_record *sieve_of(const vb_search *s) { return vb_kernels.sieve[vb_types[s->corpus.type].code]; }

static size_t steps_of(const vb_search *s) { return vb_divide_up(s->d, 4); }

static size_t most_panels(const vb_search *s)
{
    const size_t budget = 512 << 10, fit = vb_max(budget / vb_panel_bytes(s->d), 1);
    if (s->plan == VB_PLAN_CODES)
        return s->block <= FEW_QUERIES ? LONG_PANELS : SIFT_PANELS;
    return vb_min(fit, SIFT_PANELS);
}

/* Divide `base` (NULL: only count) for the search; returns the bytes used. */
static size_t lay_out(const vb_search *s, char *base, workspace *w)
{
    const vb_packing *packing = sieve_of(s)->packing;
    size_t n = s->block, used = 0;

    w->wide = vb_part(base, &used, (is_real(s) ? n : 1) * pitch(s) * sizeof *w->wide);
    w->scorers = vb_part(base, &used, n * sizeof *w->scorers);
    if (s->plan == VB_PLAN_TILES)
        return used + vb_by_tiles_lay_out(s, base ? base + used : NULL, &w->tiles);
    w->narrow = vb_part(base, &used, (is_real(s) ? n : 0) * pitch(s) * sizeof *w->narrow);
    if (s->plan == VB_PLAN_ROWS)
        return used;
    w->bounds = vb_part(base, &used, n * sizeof *w->bounds);
    w->coded.group = packing->group(n);
    n = w->coded.count = vb_round_up(n, w->coded.group);
    w->coded.codes = vb_part(base, &used, n / w->coded.group * packing->bytes(w->coded.group, s->d));
    w->unpacked = vb_part(base, &used, vb_round_up(s->d, 4));
    w->coded.bias = vb_part(base, &used, n * sizeof *w->coded.bias);
    w->coded.a = vb_part(base, &used, n * sizeof *w->coded.a);
    w->coded.t = vb_part(base, &used, n * sizeof *w->coded.t);
    w->coded.k = vb_part(base, &used, n * sizeof *w->coded.k);
    w->norms = vb_part(base, &used, n * sizeof *w->norms);
    w->residuals = vb_part(base, &used, n * sizeof *w->residuals);
    w->masks = vb_part(base, &used, most_panels(s) * n * sizeof *w->masks);
    w->any = vb_part(base, &used, n * sizeof *w->any);
    w->encode = vb_part(base, &used, vb_encode_scratch(s->d) + s->d * sizeof(double));
    w->panels = vb_part(base, &used, s->plan == VB_PLAN_SIEVE ? most_panels(s) * vb_panel_bytes(s->d) : 0);
    return used;
}

size_t vb_scan_bytes(const vb_search *s)
{
    workspace ignored;
    return lay_out(s, NULL, &ignored);
}

/* ---- set-up ------------------------------------------------------------------------ */

static vb_status make_center(vb_search *s)
{
    const vb_view rows = {s->corpus.base, s->corpus.stride, s->where.ids, 0};
    double *sum = vb_alloc(s->d, sizeof *sum);

    s->center = vb_alloc(vb_center_size(s->d), sizeof *s->center);
    if (sum && s->center)
        s->scale = vb_scale_of(vb_find_center(&rows, s->span, s->corpus.type, s->d, s->center, sum));
    free(sum);
    return sum && s->center ? VB_OK : VB_NO_MEMORY;
}

/* The rows may turn out to be none for tiles. */
static vb_status make_plan(vb_search *s, const vb_request *request, size_t wanted)
{
    int tiles = vb_by_tiles_take(s);

    s->plan = vb_choose_plan(request, wanted, tiles);
    if (s->plan != VB_PLAN_TILES)
        return VB_OK;
    s->span = s->where.ids ? s->where.eligible : s->corpus.count;
    if (vb_by_tiles_init(s, &tiles) != VB_OK)
        return VB_NO_MEMORY;
    if (!tiles)
        s->plan = vb_choose_plan(request, wanted, 0);
    return VB_OK;
}

vb_status vb_search_init(vb_search *s, const vb_request *request, size_t wanted, size_t bytes_per_query)
{
    const vb_rows *queries = &request->queries, *corpus = &request->corpus;
    const vb_where *where = &request->where;
    const size_t d = request->d, tiles = request->threads > 1 ? 4 * (size_t)request->threads : 1;
    size_t budget, most, least;

    vb_need_kernels();
    VB_ASSERT(!(where->mask && where->ids) && where->eligible <= corpus->count);
    VB_ASSERT(queries->type == corpus->type ||
              (vb_type_kind(queries->type) == VB_REAL && vb_type_kind(corpus->type) == VB_REAL));
    VB_ASSERT(!request->codes || (uintptr_t)request->codes->panels % VB_LINE == 0);
    for (size_t i = 1; where->ids && i < where->eligible; i++)
        VB_ASSERT(where->ids[i - 1] < where->ids[i]);
    s->metric = request->metric;
    s->d = d;
    s->queries = *queries;
    s->corpus = *corpus;
    s->where = *where;
    if (request->codes)
        s->codes = *request->codes;
    if (make_plan(s, request, wanted) != VB_OK)
        return VB_NO_MEMORY;
    s->span = where->ids && s->plan != VB_PLAN_CODES ? where->eligible : corpus->count;
    /* Against rows, queries should stay in L2 beside a chunk. Against codes a block is the larger the
     * better, for each encodes the corpus once more, and a query is an eighth of the bytes. */
    budget = s->plan == VB_PLAN_ROWS ? 512 << 10 : 10 << 20;
    most = s->plan == VB_PLAN_ROWS ? 64 : 1024;
    least = s->plan == VB_PLAN_ROWS ? 1024 : 4096;
    s->block = vb_min(vb_max(budget / vb_max(d * 13 + bytes_per_query, 1), 1), most);
    if (s->plan == VB_PLAN_ROWS)
        s->block = vb_min(s->block, vb_max(vb_divide_up(queries->count, tiles), 1));
    s->blocks = vb_divide_up(queries->count, s->block);
    s->block = vb_max(vb_divide_up(queries->count, vb_max(s->blocks, 1)), 1);
    s->splits = s->blocks >= tiles ? 1 : vb_divide_up(tiles, vb_max(s->blocks, 1));
    s->splits = vb_max(vb_min(s->splits, s->span / least), 1);
    s->split = vb_round_up(vb_divide_up(s->span, s->splits), VB_PANEL);
    if (s->plan == VB_PLAN_SIEVE || s->plan == VB_PLAN_CODES) {
        s->job.enter = sieve_of(s)->enter;
        s->job.leave = sieve_of(s)->leave;
    }
    s->job.tiles = s->blocks * s->splits;
    s->job.work = (double)queries->count * (double)where->eligible * (double)d;
    s->job.scratch_bytes = vb_scan_bytes(s);
    return s->plan == VB_PLAN_SIEVE ? make_center(s) : VB_OK;
}

void vb_search_end(vb_search *s) { free(s->center); }

/* ---- chunks ------------------------------------------------------------------------ */

/* Some corpus rows: consecutive ones from `first` on, or those in rows.ids. */
typedef struct {
    vb_view rows;
    size_t n, first;
    int64_t masked[VB_CHUNK];
} chunk;

/* The next eligible rows from *at on, at most `most` of them, below `end` of the span; 0 if there are
 * none. */
static size_t next_chunk(const vb_search *s, size_t *at, size_t end, size_t most, chunk *c)
{
    c->rows = (vb_view){s->corpus.base, s->corpus.stride, NULL, 0};
    c->n = 0;
    if (s->where.mask) {
        for (; *at < end && c->n < most; ++*at)
            if (s->where.mask[*at])
                c->masked[c->n++] = (int64_t)*at;
        c->rows.ids = c->masked;
        return c->n;
    }
    c->n = vb_min(end - *at, most);
    c->first = *at;
    *at += c->n;
    if (s->where.ids)
        c->rows.ids = s->where.ids + c->first;
    else
        c->rows.base += (ptrdiff_t)c->first * c->rows.stride;
    return c->n;
}

VB_INLINE int64_t id_of(const chunk *c, size_t position)
{
    return c->rows.ids ? c->rows.ids[position] : (int64_t)(c->first + position);
}

/* Some rows (n <= VB_CHUNK) for one query: those that its bar does not rule out, to the collector. */
static vb_status meet(const workspace *w, size_t q, const chunk *c, const vb_collector *to)
{
    double scores[VB_CHUNK];
    uint32_t positions[VB_CHUNK];
    int64_t ids[VB_CHUNK];
    const double bar = to->bar(to->context, q, to->first + id_of(c, 0));
    const size_t found = vb_scorer_closer(&w->scorers[q], &c->rows, c->n, bar, positions, scores);

    for (size_t i = 0; i < found; i++)
        ids[i] = to->first + id_of(c, positions[i]);
    return found ? to->take(to->context, q, ids, scores, found) : VB_OK;
}

/* ---- in which order ----------------------------------------------------------------
 *
 * Rows may be sorted, from far to near: then each would be the best so far. So some pieces from all over the split go first,
 * and bring the bars down; then what lies between them. */

typedef struct {
    size_t start, end;
    size_t seen; /* panels, in all stretches before */
} stretch;

enum { MOST_SEEDS = 32 };

/* Stretch number i of so many seeds in a split, and of the seeds + 1 gaps between them; 0 past the last. */
static int stretch_at(size_t start, size_t end, size_t seeds, size_t i, stretch *out)
{
    const size_t apart = seeds ? (end - start) / seeds / VB_PANEL * VB_PANEL : 0,
                 half = apart / 2 / VB_PANEL * VB_PANEL;
    const size_t gap = i - seeds;

    if (i < seeds) {
        out->start = start + i * apart + half;
        out->end = out->start + VB_PANEL;
        return 1;
    }
    if (gap > seeds)
        return 0;
    out->start = gap ? start + (gap - 1) * apart + half + VB_PANEL : start;
    out->end = gap < seeds ? start + gap * apart + half : end;
    return 1;
}

/* ---- by rows ----------------------------------------------------------------------- */

static vb_status scan_rows(vb_search *s, workspace *w, size_t count, const stretch *here, vb_pulse *pulse,
                           const vb_collector *to)
{
    const size_t most = vb_chunk_rows(s->corpus.type, s->d);
    chunk c;

    for (size_t at = here->start; next_chunk(s, &at, here->end, most, &c);) {
        for (size_t q = 0; q < count; q++) {
            const vb_status status = meet(w, q, &c, to);
            if (status != VB_OK)
                return status;
            if (vb_pulse_beat(pulse, c.n * s->d))
                return VB_STOPPED;
        }
        vb_counter_add(&s->visited, (int64_t)(c.n * count));
        vb_counter_add(&s->rescored, (int64_t)(c.n * count));
    }
    return VB_OK;
}

/* ---- by codes ---------------------------------------------------------------------- */

/* The bars as they are now, as what rows of these panels have to reach. */
static void raise_bars(workspace *w, const vb_encoding *encoding, size_t count, const char *panels, size_t n,
                       int64_t row, const vb_collector *to)
{
    for (size_t q = 0; q < count; q++) {
        const double bar = to->bar(to->context, q, row);
        if (bar != w->bounds[q].bar)
            vb_bound_bar(&w->bounds[q], encoding, bar, &w->coded.a[q], &w->coded.t[q]);
    }
    vb_bound_slack(panels, n, encoding->d, w->norms, w->residuals, count, w->coded.k);
}

/* Rows that the sieve does not rule out, of several queries one after the other: known before they are measured,
 * so that they can be prefetched from L3 or memory meanwhile. */
enum { MOST_SURVIVORS = 1024, ROWS_AHEAD = 6 };
typedef struct {
    size_t n;
    uint32_t query[MOST_SURVIVORS];
    int64_t row[MOST_SURVIVORS];
} survivors;

/* Where the elements of a query lie that a row is going to be measured with. */
static const char *query_of(const workspace *w, size_t q)
{
    const vb_scorer *scorer = &w->scorers[q];
    return scorer->narrow ? (const char *)scorer->narrow : scorer->query;
}

static vb_status meet_survivors(const vb_search *s, const workspace *w, survivors *found, const vb_collector *to)
{
    const size_t bytes = s->d * vb_type_size(s->corpus.type);
    size_t ahead = 0;
    vb_status status = VB_OK;

    for (size_t i = 0, end; i < found->n && status == VB_OK; i = end) {
        chunk some;
        for (end = i + 1; end < found->n && end - i < VB_CHUNK && found->query[end] == found->query[i];)
            end++;
        for (ahead = vb_max(ahead, end); ahead < vb_min(end + ROWS_AHEAD, found->n); ahead++) {
            if (w->scorers[found->query[ahead]].dead)
                continue;
            vb_prefetch(s->corpus.base + (ptrdiff_t)found->row[ahead] * s->corpus.stride, bytes);
            if (found->query[ahead] != found->query[ahead - 1])
                vb_prefetch(query_of(w, found->query[ahead]), s->d * (is_real(s) ? sizeof *w->narrow : 1));
        }
        some.rows = (vb_view){s->corpus.base, s->corpus.stride, found->row + i, 0};
        some.n = end - i;
        status = meet(w, found->query[i], &some, to);
    }
    found->n = 0;
    return status;
}

/* Meet the rows of a chunk that the masks leave, and count them. `live`: bits of the rows that count at all. */
static vb_status meet_masked(const vb_search *s, const workspace *w, size_t count, const chunk *c, const uint32_t *live,
                             size_t panels, size_t *survived, const vb_collector *to)
{
    survivors found;
    vb_status status = VB_OK;

    found.n = 0;
    for (size_t q = 0; q < count; q++) {
        if (!w->any[q])
            continue;
        for (size_t p = 0; p < panels; p++) {
            if (found.n + VB_PANEL > MOST_SURVIVORS) {
                *survived += found.n;
                if ((status = meet_survivors(s, w, &found, to)) != VB_OK)
                    return status;
            }
            for (uint32_t mask = w->masks[p * w->coded.count + q] & live[p]; mask; mask &= mask - 1) {
                found.query[found.n] = (uint32_t)q;
                found.row[found.n++] = id_of(c, p * VB_PANEL + lowest_bit(mask));
            }
        }
    }
    *survived += found.n;
    return meet_survivors(s, w, &found, to);
}

/* The next rows for the sieve, and their panels; 0 if there are none. */
static size_t next_panels(const vb_search *s, workspace *w, const vb_encoding *encoding, size_t *at, size_t end,
                          size_t most, chunk *c, const char **panels)
{
    const size_t bytes = vb_panel_bytes(s->d);
    chunk some;

    if (s->plan == VB_PLAN_CODES) {
        c->n = vb_min(end - *at, most * VB_PANEL);
        c->first = *at;
        c->rows = (vb_view){s->corpus.base + (ptrdiff_t)c->first * s->corpus.stride, s->corpus.stride, NULL, 0};
        *panels = s->codes.panels + *at / VB_PANEL * bytes;
        *at += c->n;
        return c->n;
    }
    if (!next_chunk(s, at, end, most * VB_PANEL, c))
        return 0;
    for (size_t first = 0; first < c->n; first += VB_PANEL) {
        some.rows = c->rows;
        if (some.rows.ids)
            some.rows.ids += first;
        else
            some.rows.base += (ptrdiff_t)first * some.rows.stride;
        vb_encode_rows(encoding, &some.rows, vb_min(c->n - first, VB_PANEL), w->before, w->encode,
                       (vb_panel *)(w->panels + first / VB_PANEL * bytes));
        w->before = vb_row(&c->rows, vb_min(first + VB_PANEL, c->n) - 1);
    }
    *panels = w->panels;
    return c->n;
}

/* One query's codes, not yet packed. */
static void encode_query(const vb_search *s, workspace *w, const vb_encoding *encoding, size_t q)
{
    const void *query = w->scorers[q].query;

    if (vb_type_kind(encoding->type) == VB_BITS) {
        vb_bound_query_bits(&w->bounds[q], encoding, query, w->unpacked, &w->coded.bias[q]);
        return;
    }
    if (!is_real(s)) {
        vb_widen(encoding->type, query, s->d, w->wide);
        query = w->wide;
    }
    vb_bound_query(&w->bounds[q], encoding, query, sieve_of(s)->largest_code, w->encode, w->unpacked,
                   &w->coded.bias[q]);
}

static void encode_queries(const vb_search *s, workspace *w, const vb_encoding *encoding, size_t count)
{
    const vb_packing *packing = sieve_of(s)->packing;
    const size_t group = w->coded.group, bytes = packing->bytes(group, s->d);

    w->coded.count = vb_round_up(count, group);
    for (size_t q = 0; q < w->coded.count; q++) {
        if (q < count) {
            encode_query(s, w, encoding, q);
            vb_bound_floats(&w->bounds[q], &w->norms[q], &w->residuals[q]);
        } else { /* missing */
            memset(w->unpacked, 0, s->d);
            w->coded.bias[q] = 0;
            w->coded.a[q] = INFINITY;
            w->coded.t[q] = w->coded.k[q] = 0.0f;
        }
        packing->pack(w->unpacked, s->d, 0, group, q % group, w->coded.codes + q / group * bytes);
    }
}

/* Which rows of a chunk's panels each query has to meet: the masks, and whether there are any. */
static void sift(const vb_search *s, workspace *w, size_t count, const char *panels, size_t n, const uint32_t *live)
{
    const size_t steps = steps_of(s), bytes = vb_panel_bytes(s->d);

    memset(w->any, 0, count * sizeof *w->any);
    for (size_t p = 0; p < n; p++) {
        uint32_t *masks = w->masks + p * w->coded.count;
        if (!live[p]) {
            memset(masks, 0, w->coded.count * sizeof *masks);
            continue;
        }
        sieve_of(s)->call.sieve((const vb_panel *)(panels + p * bytes), steps, &w->coded, masks);
        for (size_t q = 0; q < count; q++)
            w->any[q] |= masks[q] & live[p];
    }
}

static vb_status scan_codes(vb_search *s, workspace *w, const vb_encoding *encoding, size_t count, stretch *here,
                            vb_pulse *pulse, const vb_collector *to)
{
    const int made = s->plan == VB_PLAN_CODES; /* else panels are made of rows that may be found */
    const size_t most = most_panels(s), bytes = vb_panel_bytes(s->d);
    size_t direct = 0, run = 0, panels_max = vb_min(vb_max(here->seen, 1), most);
    uint32_t live[LONG_PANELS];
    const char *panels;
    chunk c;

    w->before = NULL;
    /* Chunks grow from one panel: the bars are high until as many rows as are wanted have been met. */
    for (size_t at = here->start;
         at < here->end && next_panels(s, w, encoding, &at, here->end, panels_max, &c, &panels);) {
        const size_t n = vb_divide_up(c.n, VB_PANEL), alive = vb_live_rows(made ? &s->where : NULL, c.first, c.n, live);
        const size_t unlike = vb_drop_repeats(panels, bytes, n, to->most_equal, &run, live);
        size_t survived = 0;
        vb_status status = VB_OK;

        if (direct) {
            direct--;
            memset(w->masks, 0xff, n * w->coded.count * sizeof *w->masks);
            memset(w->any, 0xff, count * sizeof *w->any);
            status = meet_masked(s, w, count, &c, live, n, &survived, to);
        } else if (unlike) {
            raise_bars(w, encoding, count, panels, n, to->first + id_of(&c, 0), to);
            sift(s, w, count, panels, n, live);
            status = meet_masked(s, w, count, &c, live, n, &survived, to);
            /* Not at once: the bars come down in the first chunks. */
            if (here->seen > 64 && vb_filter_is_idle(survived, unlike * count))
                direct = VB_FILTER_PAUSE;
            vb_counter_add(&s->sifted, (int64_t)(unlike * count));
        }
        if (status != VB_OK)
            return status;
        here->seen += n;
        panels_max = vb_min(here->seen, most);
        vb_counter_add(&s->visited, (int64_t)(alive * count));
        vb_counter_add(&s->rescored, (int64_t)survived);
        if (vb_pulse_beat(pulse, alive * count * s->d))
            return VB_STOPPED;
    }
    return VB_OK;
}

/* ---- by tiles ---------------------------------------------------------------------- */

typedef struct {
    const vb_search *search;
    const workspace *w;
    const vb_collector *to;
} left_by_tiles;

static vb_status meet_some(void *context, size_t q, const int64_t *ids, size_t n)
{
    const left_by_tiles *left = context;
    const vb_rows *corpus = &left->search->corpus;
    vb_status status = VB_OK;

    for (size_t i = 0; i < n && status == VB_OK; i += VB_CHUNK) {
        chunk some;
        some.first = 0;
        some.rows = (vb_view){corpus->base, corpus->stride, ids + i, 0};
        some.n = vb_min(n - i, VB_CHUNK);
        status = meet(left->w, q, &some, left->to);
    }
    return status;
}

static vb_status scan_tiles(vb_search *s, workspace *w, size_t count, size_t start, size_t end, vb_pulse *pulse,
                            const vb_collector *to)
{
    left_by_tiles left = {s, w, to};
    vb_by_tiles_begin(s, &w->tiles, w->scorers, count, w->wide, pitch(s));
    return vb_by_tiles_scan(s, &w->tiles, count, start, end, pulse, to, meet_some, &left);
}

static vb_status scan_split(vb_search *s, workspace *w, size_t count, size_t start, size_t end, vb_pulse *pulse,
                            const vb_collector *to)
{
    const int made = s->plan == VB_PLAN_CODES, by_rows = s->plan == VB_PLAN_ROWS;
    const vb_encoding encoding = {s->metric, s->corpus.type, s->d, made ? s->codes.center : s->center,
                                  made ? vb_panel_scale((const vb_panel *)s->codes.panels) : s->scale};
    /* Only where the order does not matter, and where it can: of many more rows than a seed. */
    const size_t panels = (end - start) / VB_PANEL, share = by_rows ? 64 : 16,
                 seeds = to->most_equal == SIZE_MAX ? 0 : panels / share;
    stretch here = {0};

    if (s->plan == VB_PLAN_TILES)
        return scan_tiles(s, w, count, start, end, pulse, to);
    if (!by_rows)
        encode_queries(s, w, &encoding, count);
    for (size_t i = 0; stretch_at(start, end, vb_min(seeds, MOST_SEEDS), i, &here); i++) {
        const vb_status status =
            by_rows ? scan_rows(s, w, count, &here, pulse, to) : scan_codes(s, w, &encoding, count, &here, pulse, to);
        if (status != VB_OK)
            return status;
    }
    return VB_OK;
}

vb_status vb_scan(vb_search *s, size_t index, void *scratch, vb_pulse *pulse, const vb_collector *to)
{
    const size_t first = index / s->splits * s->block, count = vb_min(s->block, s->queries.count - first);
    const size_t start = index % s->splits * s->split, end = vb_min(start + s->split, s->span);
    workspace w;

    VB_ASSERT((uintptr_t)scratch % VB_LINE == 0);
    if (start >= end)
        return VB_OK;
    lay_out(s, scratch, &w);
    for (size_t q = 0; q < count; q++) {
        const char *row = s->queries.base + (ptrdiff_t)(first + q) * s->queries.stride;
        double *query;
        float *narrow;
        if (!is_real(s)) {
            vb_scorer_init(&w.scorers[q], s->metric, s->corpus.type, s->d, row, s->corpus.type);
            continue;
        }
        query = w.wide + q * pitch(s);
        vb_widen(s->queries.type, row, s->d, query);
        vb_scorer_init(&w.scorers[q], s->metric, s->corpus.type, s->d, query, s->queries.type);
        if (s->queries.type == VB_F32 && s->plan != VB_PLAN_TILES) {
            narrow = w.narrow + q * pitch(s);
            for (size_t i = 0; i < s->d; i++)
                narrow[i] = (float)query[i];
            vb_scorer_screen(&w.scorers[q], narrow, s->corpus.base);
        }
    }
    return scan_split(s, &w, count, start, end, pulse, to);
}
