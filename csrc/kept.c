#include "kept.h"

#include <stdlib.h>

#include "mode.h"

vb_kept *vb_kept_new(size_t queries, size_t k)
{
    const size_t capacity = k > PTRDIFF_MAX / 2 / sizeof(vb_candidate) ? 0 : vb_best_capacity(k);
    vb_kept *kept = calloc(1, sizeof *kept);

    if (!kept)
        return NULL;
    kept->queries = queries;
    kept->k = k;
    kept->best = vb_alloc(queries, sizeof *kept->best);
    kept->items = capacity ? vb_alloc(queries, capacity * sizeof *kept->items) : NULL;
    kept->locks = calloc(queries ? queries : 1, sizeof *kept->locks);
    kept->bars = vb_alloc(queries, sizeof *kept->bars);
    if (!kept->best || !kept->items || !kept->locks || !kept->bars) {
        vb_kept_free(kept);
        return NULL;
    }
    for (size_t q = 0; q < queries; q++) {
        vb_best_init(&kept->best[q], k, kept->items + q * capacity);
        kept->bars[q].value = INT64_MAX;
    }
    return kept;
}

void vb_kept_free(vb_kept *kept)
{
    if (!kept)
        return;
    free(kept->best);
    free(kept->items);
    free(kept->locks);
    free(kept->bars);
    free(kept);
}

typedef struct {
    vb_kept *kept;
    int64_t *indices;
    double *scores;
} emit_call;

static void emit(void *argument)
{
    const emit_call *c = argument;
    const size_t k = c->kept->k;

    for (size_t q = 0; q < c->kept->queries; q++) {
        vb_best *best = &c->kept->best[q];
        const size_t n = vb_best_finish(best);
        for (size_t i = 0; i < n; i++) {
            c->indices[q * k + i] = best->items[i].row;
            c->scores[q * k + i] = vb_best_score(best->items[i].key);
        }
    }
}

void vb_kept_emit(vb_kept *kept, int64_t *indices, double *scores)
{
    emit_call call = {kept, indices, scores};
    vb_in_standard_mode(emit, &call);
}
