/* kept.h - the k best rows of each query, while several tiles of a search, or several searches, add to them. */
#ifndef VB_KEPT_H
#define VB_KEPT_H

#include "best.h"
#include "job.h"

/* Of query q, best[q] is what has been found so far. Where several tiles search for one query, each takes locks[q] to add to it, and
 * reads its bar from bars[q] without one. */
struct vb_kept {
    size_t queries, k;
    vb_best *best;
    vb_candidate *items;
    vb_lock *locks;
    vb_counter *bars;
};

/* Keys are unsigned, counters signed. */
VB_INLINE int64_t vb_bar_of_key(uint64_t key) { return (int64_t)(key ^ (uint64_t)1 << 63); }
VB_INLINE uint64_t vb_key_of_bar(int64_t bar) { return (uint64_t)bar ^ (uint64_t)1 << 63; }

#endif
