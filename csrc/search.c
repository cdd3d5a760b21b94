/* search.c - top-k and threshold search: never more of the (queries, corpus) matrix than one
 * chunk of one row.
 *
 * A tile is a block of queries against a split of the corpus. Within it the loop goes over
 * chunks of corpus rows that stay in L2 while every query of the block meets them.
 *
 *   corpus split   chunk 0        chunk 1        ...
 *   query 0        score, take    score, take
 *   query 1        score, take    ...
 *
 * One split is enough when there are many queries; a few queries get several splits, so that every
 * thread finds work, and the splits' findings are merged at the end. Neither the blocks nor
 * the splits can be seen in the results.
 */
#include <stdlib.h>
#include <string.h>

#include "best.h"
#include "job.h"
#include "metrics.h"

/* What both searches share. */
typedef struct {
    vb_job job;
    vb_metric metric;
    size_t d;
    vb_rows queries, corpus;
    vb_where where;
    size_t span;                         /* corpus rows, or ids, to go through */
    size_t block, blocks, split, splits; /* queries a block, span a split */
    int negate;                          /* a similarity: search for the smallest negative */
} search;

/* Some corpus rows: consecutive ones from `first` on, or those in ids. */
typedef struct {
    vb_view rows;
    size_t n, first;
    int64_t masked[VB_CHUNK];
} chunk;

/* The next eligible rows from *at on, at most `most` of them, below `end` of the span; 0 if there are
 * none. */
static size_t next_chunk(const search *s, size_t *at, size_t end, size_t most, chunk *c)
{
    c->rows = (vb_view){s->corpus.base, s->corpus.stride, NULL};
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

static int64_t id_of(const chunk *c, size_t position)
{
    return c->rows.ids ? c->rows.ids[position] : (int64_t)(c->first + position);
}

/* What a search does with each query number q of the block: tell the score that a row must reach
 * (NaN: any), and take the row ids and scores that may have done so. */
typedef struct {
    double (*bar)(void *context, size_t q);
    vb_status (*take)(void *context, size_t q, const int64_t *ids, const double *scores, size_t n);
    void *context;
} collector;

/* Numbers from one float64 query to the next: whole cache lines. */
static size_t pitch(const search *s)
{
    return vb_divide_up(s->d * sizeof(double), VB_LINE) * (VB_LINE / sizeof(double));
}

/* What scan() needs: for each query of a block its numbers, in float64 and float32, and a scorer. */
static size_t scan_bytes(const search *s)
{
    return s->block * (pitch(s) * (sizeof(double) + sizeof(float)) + sizeof(vb_scorer));
}

/* Every query of tile `index` against every chunk of its split. */
static vb_status scan(const search *s, size_t index, void *scratch, vb_pulse *pulse, const collector *to)
{
    const size_t first = index / s->splits * s->block, count = vb_min(s->block, s->queries.count - first);
    const size_t start = index % s->splits * s->split, end = vb_min(start + s->split, s->span);
    const size_t most = vb_chunk_rows(s->corpus.type, s->d);
    double *wide = scratch, scores[VB_CHUNK];
    float *narrow = (float *)(wide + s->block * pitch(s));
    vb_scorer *scorers = (vb_scorer *)(narrow + s->block * pitch(s));
    uint32_t positions[VB_CHUNK];
    int64_t ids[VB_CHUNK];
    chunk c;

    for (size_t q = 0; q < count; q++) {
        double *query = wide + q * pitch(s);
        vb_widen(s->queries.type, s->queries.base + (ptrdiff_t)(first + q) * s->queries.stride, s->d, query);
        vb_scorer_init(&scorers[q], s->metric, s->corpus.type, s->d, query);
        if (s->queries.type == VB_F32 && start < end) {
            for (size_t i = 0; i < s->d; i++)
                narrow[q * pitch(s) + i] = (float)query[i];
            vb_scorer_screen(&scorers[q], narrow + q * pitch(s), s->corpus.base);
        }
    }
    for (size_t at = start; next_chunk(s, &at, end, most, &c);)
        for (size_t q = 0; q < count; q++) {
            const double bar = to->bar(to->context, q);
            const size_t found = vb_scorer_closer(&scorers[q], &c.rows, c.n, bar, positions, scores);
            vb_status status;
            for (size_t i = 0; i < found; i++)
                ids[i] = id_of(&c, positions[i]);
            status = to->take(to->context, q, ids, scores, found);
            if (status != VB_OK)
                return status;
            if (vb_pulse_beat(pulse, c.n * s->d))
                return VB_STOPPED;
        }
    return VB_OK;
}

/* The metric's value again, with zero positive. */
static double value_of(const search *s, double score) { return s->negate ? 0.0 - score : score; }

/* bytes_per_query: what a tile keeps for a query beside its float64 copy. */
static void init(search *s, vb_metric metric, size_t d, const vb_rows *queries, const vb_rows *corpus,
                 const vb_where *where, size_t bytes_per_query, int threads)
{
    const size_t budget = 512 << 10, tiles = threads > 1 ? 4 * (size_t)threads : 1;

    s->metric = metric;
    s->d = d;
    s->queries = *queries;
    s->corpus = *corpus;
    s->where = *where;
    s->span = where->ids ? where->eligible : corpus->count;
    s->negate = vb_metric_is_similarity(metric);
    s->block = vb_min(vb_max(budget / vb_max(d * sizeof(double) + bytes_per_query, 1), 1), 64);
    s->block = vb_min(s->block, vb_max(vb_divide_up(queries->count, tiles), 1));
    s->blocks = vb_divide_up(queries->count, s->block);
    s->splits = s->blocks >= tiles ? 1 : vb_divide_up(tiles, vb_max(s->blocks, 1));
    s->splits = vb_max(vb_min(s->splits, s->span / 1024), 1);
    s->split = vb_divide_up(s->span, s->splits);
    s->job.tiles = s->blocks * s->splits;
    s->job.work = (double)queries->count * (double)where->eligible * (double)d;
    s->job.scratch_bytes = scan_bytes(s);
}

/* ---- top-k ------------------------------------------------------------------------- */

typedef struct {
    search search;
    size_t k, k_split;   /* of all rows; of one split's rows */
    vb_candidate *found; /* [query][split][k_split], when there are several splits */
    size_t *counts;      /* [query][split] */
    int64_t *indices;
    double *values;
} topk;

static double topk_bar(void *context, size_t q) { return ((vb_best *)context)[q].bar_score; }

static vb_status topk_take(void *context, size_t q, const int64_t *ids, const double *scores, size_t n)
{
    vb_best_offer((vb_best *)context + q, ids, scores, n);
    return VB_OK;
}

static void topk_emit(const topk *t, size_t query, vb_best *best)
{
    const size_t n = vb_best_finish(best);
    for (size_t i = 0; i < n; i++) {
        t->indices[query * t->k + i] = best->items[i].row;
        t->values[query * t->k + i] = value_of(&t->search, vb_best_score(best->items[i].key));
    }
}

static vb_status topk_tile(vb_job *job, size_t index, void *scratch, vb_pulse *pulse)
{
    topk *t = (topk *)job;
    const search *s = &t->search;
    const size_t first = index / s->splits * s->block, count = vb_min(s->block, s->queries.count - first);
    const size_t capacity = vb_best_capacity(t->k_split), part = index % s->splits;
    vb_candidate *items = (vb_candidate *)((char *)scratch + scan_bytes(s));
    vb_best *best = (vb_best *)(items + s->block * capacity);
    const collector collector = {topk_bar, topk_take, best};
    vb_status status;

    for (size_t q = 0; q < count; q++)
        vb_best_init(&best[q], t->k_split, items + q * capacity);
    status = scan(s, index, scratch, pulse, &collector);
    if (status != VB_OK)
        return status;
    for (size_t q = 0; q < count; q++)
        if (s->splits == 1) {
            topk_emit(t, first + q, &best[q]);
        } else {
            const size_t slot = (first + q) * s->splits + part;
            t->counts[slot] = vb_best_finish(&best[q]);
            memcpy(t->found + slot * t->k_split, best[q].items, t->counts[slot] * sizeof *t->found);
        }
    return VB_OK;
}

/* Merge the splits' findings: they are in ascending order of rows, as vb_best_offer wants. */
vb_status vb_topk_finish(vb_job *job)
{
    topk *t = (topk *)job;
    const search *s = &t->search;
    vb_candidate *items;

    if (s->splits == 1)
        return VB_OK;
    items = vb_alloc(s->splits * t->k_split, sizeof *items);
    if (!items)
        return VB_NO_MEMORY;
    for (size_t q = 0; q < s->queries.count; q++) {
        vb_best best;
        vb_best_init(&best, t->k, items);
        for (size_t part = 0; part < s->splits; part++) {
            const size_t slot = q * s->splits + part;
            memcpy(items + best.count, t->found + slot * t->k_split, t->counts[slot] * sizeof *items);
            best.count += t->counts[slot];
        }
        topk_emit(t, q, &best);
    }
    free(items);
    return VB_OK;
}

static void topk_end(vb_job *job)
{
    topk *t = (topk *)job;
    free(t->found);
    free(t->counts);
}

vb_job *vb_topk_new(vb_metric metric, size_t d, const vb_rows *queries, const vb_rows *corpus, const vb_where *where,
                    size_t k, int threads, int64_t *indices, double *values)
{
    topk *t = calloc(1, sizeof *t);
    const size_t room = vb_best_capacity(k) * sizeof(vb_candidate) + sizeof(vb_best);
    size_t slots;

    if (!t)
        return NULL;
    init(&t->search, metric, d, queries, corpus, where, room, threads);
    t->k = k;
    t->k_split = vb_min(k, t->search.split);
    t->indices = indices;
    t->values = values;
    t->search.job.tile = topk_tile;
    t->search.job.end = topk_end;
    t->search.job.scratch_bytes += t->search.block * room;
    if (t->search.splits > 1) {
        slots = queries->count * t->search.splits;
        t->found = vb_alloc(slots, t->k_split * sizeof *t->found);
        t->counts = calloc(slots, sizeof *t->counts);
        if (!t->found || !t->counts) {
            vb_job_free(&t->search.job);
            return NULL;
        }
    }
    return &t->search.job;
}

/* ---- within ------------------------------------------------------------------------ */

typedef struct {
    size_t query;
    int64_t row;
    double value;
} hit;

/* What one tile found: by chunk, then by query, so a query's rows ascend. */
typedef struct {
    hit *hits;
    size_t count, capacity;
} hit_list;

typedef struct {
    search search;
    double score;    /* the threshold, as a score */
    hit_list *lists; /* one a tile */
} within;

typedef struct {
    const within *within;
    hit_list *list;
    size_t first; /* query */
} within_context;

static vb_status append(hit_list *list, hit h)
{
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 256;
        hit *hits = capacity > PTRDIFF_MAX / sizeof *hits ? NULL : realloc(list->hits, capacity * sizeof *hits);
        if (!hits)
            return VB_NO_MEMORY;
        list->hits = hits;
        list->capacity = capacity;
    }
    list->hits[list->count++] = h;
    return VB_OK;
}

static double within_bar(void *context, size_t q)
{
    (void)q;
    return ((const within_context *)context)->within->score;
}

static vb_status within_take(void *context, size_t q, const int64_t *ids, const double *scores, size_t n)
{
    const within_context *w = context;
    for (size_t i = 0; i < n; i++)
        if (scores[i] <= w->within->score) {
            const hit h = {w->first + q, ids[i], value_of(&w->within->search, scores[i])};
            const vb_status status = append(w->list, h);
            if (status != VB_OK)
                return status;
        }
    return VB_OK;
}

static vb_status within_tile(vb_job *job, size_t index, void *scratch, vb_pulse *pulse)
{
    const within *w = (const within *)job;
    within_context context = {w, &w->lists[index], index / w->search.splits * w->search.block};
    const collector collector = {within_bar, within_take, &context};
    return scan(&w->search, index, scratch, pulse, &collector);
}

static void within_end(vb_job *job)
{
    within *w = (within *)job;
    for (size_t i = 0; w->lists && i < job->tiles; i++)
        free(w->lists[i].hits);
    free(w->lists);
}

vb_job *vb_within_new(vb_metric metric, size_t d, const vb_rows *queries, const vb_rows *corpus, const vb_where *where,
                      double threshold, int threads)
{
    within *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    init(&w->search, metric, d, queries, corpus, where, 0, threads);
    w->score = w->search.negate ? -threshold : threshold;
    w->search.job.tile = within_tile;
    w->search.job.end = within_end;
    w->lists = calloc(vb_max(w->search.job.tiles, 1), sizeof *w->lists);
    if (!w->lists) {
        vb_job_free(&w->search.job);
        return NULL;
    }
    return &w->search.job;
}

int64_t vb_within_offsets(vb_job *job, int64_t *offsets)
{
    const within *w = (const within *)job;
    const size_t queries = w->search.queries.count;

    memset(offsets, 0, (queries + 1) * sizeof *offsets);
    for (size_t i = 0; i < job->tiles; i++)
        for (size_t h = 0; h < w->lists[i].count; h++)
            offsets[w->lists[i].hits[h].query + 1]++;
    for (size_t q = 0; q < queries; q++)
        offsets[q + 1] += offsets[q];
    return offsets[queries];
}

/* Tiles of one block of queries are numbered by split, so each query's rows come in ascending
 * order. While it runs, offsets[q] is the next free place of query q. */
void vb_within_emit(vb_job *job, int64_t *offsets, int64_t *indices, double *values)
{
    const within *w = (const within *)job;
    const size_t queries = w->search.queries.count;

    for (size_t i = 0; i < job->tiles; i++)
        for (size_t h = 0; h < w->lists[i].count; h++) {
            const hit *hit = &w->lists[i].hits[h];
            const int64_t at = offsets[hit->query]++;
            indices[at] = hit->row;
            values[at] = hit->value;
        }
    memmove(offsets + 1, offsets, queries * sizeof *offsets);
    offsets[0] = 0;
}
