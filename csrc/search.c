/* search.c - top-k and threshold search: what becomes of the rows that a scan finds close enough. Never more
 * of the (queries, corpus) matrix than a chunk of it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kept.h"
#include "mode.h"
#include "scan.h"

/* ---- top-k ------------------------------------------------------------------------- */

typedef struct {
    vb_search search;
    size_t k;
    /* The best so far of all splits of the corpus, and of its parts before this one. (Splits that each keep their own look at
     * many more rows, for each begins without a bar.) NULL if one split is all: then each tile keeps its own, and writes: */
    vb_kept *kept;
    int own;       /* whether it belongs to the job, which then writes what is kept: */
    int64_t first; /* the number of row 0 of the corpus */
    int64_t *indices;
    double *scores;
} topk;

/* Of a block of queries. */
typedef struct {
    vb_best *best;
    vb_lock *locks;   /* or NULL: */
    vb_counter *bars; /* nobody else is there */
} topk_context;

/* Where there are k rows already, but some of them are NaN, only NaN of an earlier row goes before those. */
static double topk_bar(void *context, size_t q, int64_t row)
{
    const topk_context *c = context;
    const vb_best *best = &c->best[q];
    if (c->bars)
        return vb_best_score(vb_key_of_bar(vb_counter_get(&c->bars[q])));
    return best->bar_score != best->bar_score && vb_best_is_full(best) && best->bar.row < row ? INFINITY
                                                                                              : best->bar_score;
}

static vb_status topk_take(void *context, size_t q, const int64_t *ids, const double *scores, size_t n)
{
    const topk_context *c = context;
    if (c->locks)
        vb_lock_acquire(&c->locks[q]);
    vb_best_offer(&c->best[q], ids, scores, n);
    if (c->locks) {
        vb_counter_lower(&c->bars[q], vb_bar_of_key(c->best[q].bar.key));
        vb_lock_release(&c->locks[q]);
    }
    return VB_OK;
}

static void topk_emit(const topk *t, size_t query, vb_best *best)
{
    const size_t n = vb_best_finish(best);
    for (size_t i = 0; i < n; i++) {
        t->indices[query * t->k + i] = best->items[i].row;
        t->scores[query * t->k + i] = vb_best_score(best->items[i].key);
    }
}

static vb_status topk_tile(vb_job *job, size_t index, void *scratch, vb_pulse *pulse)
{
    topk *t = (topk *)job;
    const vb_search *s = &t->search;
    const size_t first = index / s->splits * s->block, count = vb_min(s->block, s->queries.count - first);
    const size_t capacity = vb_best_capacity(t->k);
    topk_context context;
    const vb_collector collector = {topk_bar, topk_take, &context, t->k, t->first};
    vb_status status;

    if (t->kept) {
        const int shared = s->splits > 1;
        context = (topk_context){t->kept->best + first, shared ? t->kept->locks + first : NULL,
                                 shared ? t->kept->bars + first : NULL};
        return vb_scan(&t->search, index, scratch, pulse, &collector);
    }
    context = (topk_context){(vb_best *)((char *)scratch + vb_scan_bytes(s)), NULL, NULL};
    for (size_t q = 0; q < count; q++)
        vb_best_init(&context.best[q], t->k, (vb_candidate *)(context.best + s->block) + q * capacity);
    status = vb_scan(&t->search, index, scratch, pulse, &collector);
    if (status != VB_OK)
        return status;
    for (size_t q = 0; q < count; q++)
        topk_emit(t, first + q, &context.best[q]);
    return VB_OK;
}

static void topk_end(vb_job *job)
{
    topk *t = (topk *)job;
    vb_search_end(&t->search);
    if (t->own)
        vb_kept_free(t->kept);
}

static topk *new_topk(const vb_request *request, size_t k)
{
    topk *t = calloc(1, sizeof *t);
    const size_t room = vb_best_capacity(k) * sizeof(vb_candidate) + sizeof(vb_best);

    if (!t)
        return NULL;
    t->search.job.tile = topk_tile;
    t->search.job.end = topk_end;
    t->k = k;
    if (vb_search_init(&t->search, request, k, room)) {
        vb_job_free(&t->search.job);
        return NULL;
    }
    return t;
}

vb_job *vb_topk_new(const vb_request *request, size_t k, int64_t *indices, double *scores)
{
    topk *t;

    VB_ASSERT(1 <= k && k <= request->where.eligible);
    t = new_topk(request, k);
    if (!t)
        return NULL;
    t->indices = indices;
    t->scores = scores;
    t->own = t->search.splits > 1;
    if (!t->own) {
        t->search.job.scratch_bytes += t->search.block * (vb_best_capacity(k) * sizeof(vb_candidate) + sizeof(vb_best));
    } else if (!(t->kept = vb_kept_new(request->queries.count, k))) {
        vb_job_free(&t->search.job);
        return NULL;
    }
    return &t->search.job;
}

vb_job *vb_topk_part_new(const vb_request *request, vb_kept *kept, int64_t first)
{
    topk *t;

    VB_ASSERT(kept->queries == request->queries.count && first >= 0);
    t = new_topk(request, kept->k);
    if (!t)
        return NULL;
    t->kept = kept;
    t->first = first;
    for (size_t q = 0; q < kept->queries; q++) /* which parts of one split leave as they were */
        kept->bars[q].value = vb_bar_of_key(kept->best[q].bar.key);
    return &t->search.job;
}

static void finish_topk(void *job)
{
    topk *t = job;
    vb_kept_emit(t->kept, t->indices, t->scores);
}

void vb_topk_finish(vb_job *job)
{
    if (((topk *)job)->own)
        vb_in_standard_mode(finish_topk, job);
}

typedef struct {
    vb_metric metric;
    size_t d, n;
    double *scores;
    const double *values;
    float *out;
} value_call;

static void make_values(void *argument)
{
    const value_call *c = argument;
    for (size_t i = 0; i < c->n; i++)
        c->scores[i] = vb_score_value(c->metric, c->d, c->scores[i]);
}

void vb_values(vb_metric metric, size_t d, size_t n, double *scores)
{
    value_call call = {metric, d, n, scores, NULL, NULL};
    if (vb_metrics[metric].similarity)
        vb_in_standard_mode(make_values, &call);
}

static void make_narrow(void *argument)
{
    const value_call *c = argument;
    for (size_t i = 0; i < c->n; i++)
        c->out[i] = (float)c->values[i];
}

void vb_narrow(size_t n, const double *values, float *out)
{
    value_call call = {VB_METRIC_DOT, 0, n, NULL, values, out};
    vb_in_standard_mode(make_narrow, &call);
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
    vb_search search;
    double score;    /* the threshold, as a score */
    vb_type value;   /* to which values will be rounded */
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

static double within_bar(void *context, size_t q, int64_t row)
{
    (void)q;
    (void)row;
    return ((const within_context *)context)->within->score;
}

static vb_status within_take(void *context, size_t q, const int64_t *ids, const double *scores, size_t n)
{
    const within_context *w = context;
    const vb_search *s = &w->within->search;
    for (size_t i = 0; i < n; i++)
        if (scores[i] <= w->within->score) {
            const hit h = {w->first + q, ids[i], vb_score_value(s->metric, s->d, scores[i])};
            const vb_status status = append(w->list, h);
            if (status != VB_OK)
                return status;
        }
    return VB_OK;
}

static vb_status within_tile(vb_job *job, size_t index, void *scratch, vb_pulse *pulse)
{
    within *w = (within *)job;
    within_context context = {w, &w->lists[index], index / w->search.splits * w->search.block};
    const vb_collector collector = {within_bar, within_take, &context, SIZE_MAX, 0};
    return vb_scan(&w->search, index, scratch, pulse, &collector);
}

static void within_end(vb_job *job)
{
    within *w = (within *)job;
    vb_search_end(&w->search);
    for (size_t i = 0; w->lists && i < job->tiles; i++)
        free(w->lists[i].hits);
    free(w->lists);
}

/* The farthest float64 that float32 rounds to what it rounds the threshold to, or to what is closer: half a step of
 * float32 beyond it, which rounds back if the last bit of the float32 is 0, or just before. */
static double as_close_in_float32(vb_metric metric, double threshold)
{
    const double overflow = 0x1.ffffffp127; /* what is not below it is infinite in float32 */
    const float away = vb_metrics[metric].similarity ? -INFINITY : INFINITY;
    const float narrow = (float)threshold, next = nextafterf(narrow, away);
    double middle;

    if (narrow == away)
        return away;
    if (narrow == -away)
        return -copysign(overflow, away);
    middle = next == away ? copysign(overflow, away) : (double)narrow / 2.0 + (double)next / 2.0;
    return (float)middle == narrow ? middle : nextafter(middle, narrow);
}

static void find_bar(void *argument)
{
    within *w = argument;
    const double threshold = w->value == VB_F32 ? as_close_in_float32(w->search.metric, w->score) : w->score;
    w->score = vb_score_bar(w->search.metric, w->search.d, threshold);
}

vb_job *vb_within_new(const vb_request *request, double threshold, vb_type value)
{
    within *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->search.job.tile = within_tile;
    w->search.job.end = within_end;
    if (vb_search_init(&w->search, request, 10, 0)) {
        vb_job_free(&w->search.job);
        return NULL;
    }
    w->score = threshold;
    w->value = value;
    vb_in_standard_mode(find_bar, w);
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

/* ---- what a search did --------------------------------------------------------------- */

void vb_search_stats_of(const vb_job *job, vb_search_stats *stats)
{
    vb_search *s = (vb_search *)job;
    stats->plan = s->plan;
    stats->visited = vb_counter_get(&s->visited);
    stats->sifted = vb_counter_get(&s->sifted);
    stats->rescored = vb_counter_get(&s->rescored);
}
