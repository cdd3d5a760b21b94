/* registry.c - the levels, what each implements, and which kernels this process uses. */
#include <string.h>

#include "cpu.h"
#include "kernels/contract.h"

/* Best first. A new level is a row here and a unit in kernels/. */
static const struct {
    const char *name;
    unsigned needs;
    const vb_record *records;
} levels[] = {
    {"avx512", VB_CPU_AVX512, vb_records_avx512},
    {"avx2", VB_CPU_AVX2, vb_records_avx2},
    {"neon", VB_CPU_NEON, vb_records_neon},
    {"scalar", 0, vb_records_scalar},
};
enum { LEVELS = sizeof levels / sizeof *levels };

vb_table vb_kernels;
static size_t active_level;

const char *vb_level_name(size_t i) { return i < LEVELS ? levels[i].name : NULL; }

int vb_level_runs(size_t i) { return i < LEVELS && levels[i].records->name && !(levels[i].needs & ~vb_cpu_features()); }

const char *vb_level_active(void) { return levels[active_level].name; }

int vb_init(const char *level)
{
    size_t best = 0;
    if (level) {
        while (best < LEVELS && strcmp(levels[best].name, level))
            best++;
        if (best == LEVELS)
            return -1;
        if (!vb_level_runs(best))
            return -2;
    } else {
        while (!vb_level_runs(best))
            best++;
    }
    memset(&vb_kernels, 0, sizeof vb_kernels);
    /* From the lowest up, so that the better ones overwrite it. */
    for (size_t i = LEVELS; i-- > best;) {
        if (!vb_level_runs(i))
            continue;
        for (const vb_record *r = levels[i].records; r->name; r++) {
            if (r->pair)
                vb_kernels.pair[r->accumulator][r->type] = r->pair;
            else if (r->rows)
                vb_kernels.rows[r->accumulator][r->type] = r->rows;
            else
                vb_kernels.screen[r->accumulator][r->type] = r->screen;
        }
    }
    active_level = best;
    return 0;
}

const vb_record *vb_registry(size_t i, const char **level, int *runs, int *active)
{
    for (size_t l = 0; l < LEVELS; l++)
        for (const vb_record *r = levels[l].records; r->name; r++)
            if (i-- == 0) {
                *level = levels[l].name;
                *runs = vb_level_runs(l);
                *active = r->pair   ? r->pair == vb_kernels.pair[r->accumulator][r->type]
                          : r->rows ? r->rows == vb_kernels.rows[r->accumulator][r->type]
                                    : r->screen == vb_kernels.screen[r->accumulator][r->type];
                return r;
            }
    return NULL;
}
