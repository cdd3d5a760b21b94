/* scan.h - every query of a tile against every corpus row of it: what top-k and threshold search share.
 *
 * A tile is a block of queries against a split of the corpus. One split is enough when there are
 * many queries; a few queries get several splits, so that every thread finds work, and the splits'
 * findings are merged at the end. Neither the blocks nor the splits can be seen in the results.
 */
#ifndef VB_SCAN_H
#define VB_SCAN_H

#include "codes.h"
#include "job.h"
#include "scorer.h"

typedef struct {
    vb_job job;
    vb_metric metric;
    size_t d;
    vb_rows queries, corpus;
    vb_where where;
    size_t span;                         /* corpus rows, or ids, to go through */
    size_t block, blocks, split, splits; /* queries per block, span per split */
    vb_plan plan;
    vb_codes codes; /* of the corpus; or panels NULL */
    float *center;  /* for codes made on the way; or NULL */
    double scale;   /* (codes.h) likewise */
    vb_counter visited, sifted, rescored;
} vb_search;

/* What a search does with each query number q of the block: tell the score that rows from `row` on must reach (NaN: any; infinite:
 * any but NaN), and take the row ids and scores that may have done so. */
typedef struct {
    double (*bar)(void *context, size_t q, int64_t row);
    vb_status (*take)(void *context, size_t q, const int64_t *ids, const double *scores, size_t n);
    void *context;
    size_t most_equal; /* of equal rows only the first so many can be of use; SIZE_MAX: all, in ascending order */
    int64_t first;     /* the number of the corpus's row 0 */
} vb_collector;

/* wanted: about how many rows per query; bytes_per_query: what a tile keeps for a query beside what the scan does. The job's scratch begins
 * with vb_scan_bytes() of the scan's. */
vb_status vb_search_init(vb_search *search, const vb_request *request, size_t wanted, size_t bytes_per_query);
void vb_search_end(vb_search *search);
size_t vb_scan_bytes(const vb_search *search);

vb_status vb_scan(vb_search *search, size_t index, void *scratch, vb_pulse *pulse, const vb_collector *to);

#endif
