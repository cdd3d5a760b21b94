/* registry.c - the levels, what each implements, and which kernels this process uses. */
#include <string.h>

#include "contract.h"
#include "cpu.h"

/* Best first. A new level is a row here and a unit in kernels/; a level may have several units, with
 * finer needs first: it runs if its last one does. */
#define VB_ENTRY(level, needs, name) {level, needs, #name, vb_records_##name}
static const struct {
    const char *level;
    unsigned needs;
    const char *name;
    const vb_record *records;
} units[] = {
    VB_ENTRY("avx512", VB_CPU_AVX512 | VB_CPU_POPCNT, avx512popcnt),
    VB_ENTRY("avx512", VB_CPU_AVX512 | VB_CPU_BF16, avx512bf16),
    VB_ENTRY("avx512", VB_CPU_AVX512 | VB_CPU_VNNI, avx512vnni),
    VB_ENTRY("avx512", VB_CPU_AVX512, avx512),
    VB_ENTRY("avx2", VB_CPU_AVX2, avx2),
    VB_ENTRY("neon", VB_CPU_NEON | VB_CPU_DOTPROD, neondot),
    VB_ENTRY("neon", VB_CPU_NEON, neon),
    VB_ENTRY("scalar", 0, scalar),
};
enum { UNITS = sizeof units / sizeof *units };

#define VB_FORM(id, name, has_accumulator) {#name, has_accumulator},
const vb_form_info vb_forms[] = {VB_EACH_FORM(VB_FORM)};

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
        vb_kernels.products[t] = in_use[VB_FORM_PRODUCTS][VB_DOT][t];
        vb_kernels.widen[t] = in_use[VB_FORM_WIDEN][VB_DOT][t] ? in_use[VB_FORM_WIDEN][VB_DOT][t]->call.widen : NULL;
    }
    vb_kernels.score = in_use[VB_FORM_SCORE][VB_DOT][VB_F64]->call.score;
    vb_kernels.encode = in_use[VB_FORM_ENCODE][VB_DOT][VB_F32]->call.encode;
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

const vb_record *vb_registry(size_t i, vb_record_place *place)
{
    for (size_t u = 0; u < UNITS; u++)
        for (const vb_record *r = units[u].records; r->name; r++)
            if (i-- == 0) {
                *place = (vb_record_place){units[u].level, units[u].name, unit_runs(u),
                                           r == in_use[r->form][r->accumulator][r->type]};
                return r;
            }
    return NULL;
}
