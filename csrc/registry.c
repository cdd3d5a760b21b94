/* registry.c - the levels, what each implements, and which kernels this process uses. */
#include <string.h>

#include "cpu.h"
#include "kernels/contract.h"

/* Best first. A new level is a row here and a unit in kernels/; a level may have several units, with
 * finer needs first: it runs if its last one does. */
static const struct {
    const char *level;
    unsigned needs;
    const vb_record *records;
} units[] = {
    {"avx512", VB_CPU_AVX512 | VB_CPU_POPCNT, vb_records_avx512popcnt},
    {"avx512", VB_CPU_AVX512 | VB_CPU_BF16, vb_records_avx512bf16},
    {"avx512", VB_CPU_AVX512 | VB_CPU_VNNI, vb_records_avx512vnni},
    {"avx512", VB_CPU_AVX512, vb_records_avx512},
    {"avx2", VB_CPU_AVX2, vb_records_avx2},
    {"neon", VB_CPU_NEON | VB_CPU_DOTPROD, vb_records_neondot},
    {"neon", VB_CPU_NEON, vb_records_neon},
    {"scalar", 0, vb_records_scalar},
};
enum { UNITS = sizeof units / sizeof *units };

vb_table vb_kernels;
static const vb_record *in_use[VB_FORMS][VB_ACCUMULATORS][VB_TYPES];
static size_t active; /* the first unit of the level in use */

static int unit_runs(size_t u) { return units[u].records->name && !(units[u].needs & ~vb_cpu_features()); }

static int opens_level(size_t u) { return u == 0 || strcmp(units[u].level, units[u - 1].level) != 0; }

/* The first unit of level i; UNITS past the last level. */
static size_t level_start(size_t i)
{
    for (size_t u = 0; u < UNITS; u++)
        if (opens_level(u) && i-- == 0)
            return u;
    return UNITS;
}

static int level_runs(size_t start)
{
    size_t last = start;
    while (last + 1 < UNITS && !opens_level(last + 1))
        last++;
    return unit_runs(last);
}

const char *vb_level_name(size_t i)
{
    const size_t start = level_start(i);
    return start < UNITS ? units[start].level : NULL;
}

int vb_level_runs(size_t i)
{
    const size_t start = level_start(i);
    return start < UNITS && level_runs(start);
}

const char *vb_level_active(void) { return units[active].level; }

static void fill_table(void)
{
    for (int a = 0; a < VB_ACCUMULATORS; a++)
        for (int t = 0; t < VB_TYPES; t++) {
            vb_kernels.pair[a][t] = in_use[VB_FORM_PAIR][a][t]->call.pair;
            vb_kernels.rows[a][t] = in_use[VB_FORM_ROWS][a][t]->call.rows;
            vb_kernels.scaled[a][t] = in_use[VB_FORM_SCALED][a][t] ? in_use[VB_FORM_SCALED][a][t]->call.apart : NULL;
            vb_kernels.screen[a][t] = in_use[VB_FORM_SCREEN][a][t] ? in_use[VB_FORM_SCREEN][a][t]->call.screen : NULL;
            vb_kernels.tile[a][t] = in_use[VB_FORM_TILE][a][t];
        }
    for (int t = 0; t < VB_TYPES; t++) {
        vb_kernels.sieve[t] = in_use[VB_FORM_SIEVE][VB_DOT][t];
        vb_kernels.residual[t] =
            in_use[VB_FORM_RESIDUAL][VB_DOTNORM][t] ? in_use[VB_FORM_RESIDUAL][VB_DOTNORM][t]->call.apart : NULL;
        vb_kernels.tally[t] = in_use[VB_FORM_TALLY][VB_DOT][t];
        vb_kernels.widen[t] = in_use[VB_FORM_WIDEN][VB_DOT][t] ? in_use[VB_FORM_WIDEN][VB_DOT][t]->call.widen : NULL;
    }
    vb_kernels.score = in_use[VB_FORM_SCORE][VB_DOT][VB_F64]->call.score;
    vb_kernels.encode = in_use[VB_FORM_ENCODE][VB_DOT][VB_F32];
}

int vb_init(const char *level)
{
    size_t best = 0;
    if (level) {
        while (best < UNITS && strcmp(units[best].level, level))
            best++;
        if (best == UNITS)
            return -1;
        if (!level_runs(best))
            return -2;
    } else {
        while (!(opens_level(best) && level_runs(best)))
            best++;
    }
    memset(in_use, 0, sizeof in_use);
    /* From the lowest up, so that the better ones overwrite it. */
    for (size_t u = UNITS; u-- > best;)
        if (unit_runs(u))
            for (const vb_record *r = units[u].records; r->name; r++)
                in_use[r->form][r->accumulator][r->type] = r;
    fill_table();
    active = best;
    return 0;
}

const vb_record *vb_registry(size_t i, const char **level, int *runs, int *in_table)
{
    for (size_t u = 0; u < UNITS; u++)
        for (const vb_record *r = units[u].records; r->name; r++)
            if (i-- == 0) {
                *level = units[u].level;
                *runs = unit_runs(u);
                *in_table = r == in_use[r->form][r->accumulator][r->type];
                return r;
            }
    return NULL;
}
