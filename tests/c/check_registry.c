/* check_registry.c - the registry on its own, without Python: for processors on which only C runs.
 *
 * Holds every kernel that this CPU runs against a plain loop with the same lanes, by bits, and prints
 * a hash of all results, which must be the same on every processor. Exit status 1 on a mismatch. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/contract.h"

enum { MOST = 300, ROWS = 3 };

static uint64_t hash = 14695981039346656037u;

static void mix(double value)
{
    unsigned char bytes[sizeof value];
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (size_t i = 0; i < sizeof bytes; i++)
        hash = (hash ^ (bits >> 8 * i & 0xff)) * 1099511628211u;
}

/* Numbers that need no library to be the same everywhere, a few of them special. */
static double number(uint32_t *state, int special)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    if (special && *state % 97 == 0)
        return *state % 2 ? INFINITY : NAN;
    if (*state % 53 == 0)
        return *state % 2 ? 1e-42 : -0.0;
    return (double)(int32_t)*state * 0x1p-28;
}

static double element(vb_type type, const char *row, size_t i)
{
    float narrow;
    double wide;
    if (type == VB_F64) {
        memcpy(&wide, row + i * sizeof wide, sizeof wide);
        return wide;
    }
    memcpy(&narrow, row + i * sizeof narrow, sizeof narrow);
    return narrow;
}

static void set(vb_type type, char *row, size_t i, double value)
{
    const float narrow = (float)value;
    if (type == VB_F64)
        memcpy(row + i * sizeof value, &value, sizeof value);
    else
        memcpy(row + i * sizeof narrow, &narrow, sizeof narrow);
}

static double plain(int squares, vb_type a_type, const char *a, vb_type x_type, const char *x, size_t d)
{
    double lanes[VB_LANES] = {0};
    for (size_t i = 0; i < d; i++) {
        const double ai = element(a_type, a, i), xi = element(x_type, x, i);
        lanes[i % VB_LANES] = squares ? fma(ai - xi, ai - xi, lanes[i % VB_LANES]) : fma(ai, xi, lanes[i % VB_LANES]);
    }
    for (size_t half = VB_LANES / 2; half; half /= 2)
        for (size_t l = 0; l < half; l++)
            lanes[l] += lanes[l + half];
    return lanes[0] == lanes[0] ? lanes[0] + 0.0 : NAN;
}

static int differ(double a, double b) { return memcmp(&a, &b, sizeof a) && !(a != a && b != b); }

/* Of rows compared with the first of them: a row is near itself and far from others. */
static int check_screen(const vb_record *record, size_t d, const vb_view *rows)
{
    float query[MOST];
    double nearest, farthest;
    uint32_t passed[ROWS];
    vb_limits limits = {0.0f, 0.0f, 0.0f};
    size_t count;
    int wrong = 0;

    memcpy(query, rows->base, d * sizeof *query);
    nearest = plain(record->accumulator == VB_SQDIFF, VB_F32, rows->base, VB_F32, rows->base, d);
    farthest = plain(record->accumulator == VB_SQDIFF, VB_F32, rows->base, VB_F32, vb_row(rows, 1), d);
    if (d < 5 || d % 7 == 0 || nearest == farthest)
        return 0;
    limits.limit = (float)((nearest + farthest) / 2);
    if (record->accumulator == VB_DOTNORM)
        limits.slope = (float)(nearest / 4); /* half of the cosine of a row with itself, squared */
    count = record->screen(query, rows, ROWS, d, &limits, passed);
    wrong |= count == 0 || passed[0] != 0;
    if (record->accumulator != VB_DOTNORM)
        wrong |= count > 1 && passed[1] == 1;
    if (wrong)
        printf("%s lets the wrong rows pass at d = %zu\n", record->name, d);
    return wrong;
}

static int check(const vb_record *record, size_t d, uint32_t seed)
{
    static char raw_a[MOST * 8 + 8], raw_rows[ROWS * MOST * 8 + 8];
    const vb_type a_type = record->rows ? VB_F64 : record->type;
    const size_t size = vb_type_size(record->type);
    char *a = raw_a + 1, *rows = raw_rows + 3; /* at odd addresses */
    double sums[ROWS] = {0}, norms[ROWS] = {0}, pair[3] = {0};
    const vb_view view = {rows, (ptrdiff_t)(d * size), NULL};
    int wrong = 0;

    for (size_t i = 0; i < d; i++)
        set(a_type, a, i, (float)number(&seed, 0));
    for (size_t i = 0; i < ROWS * d; i++)
        set(record->type, rows, i, number(&seed, d % 7 == 0));
    if (record->screen)
        return check_screen(record, d, &view);
    if (record->rows)
        record->rows((const double *)a, &view, ROWS, d, sums, norms);
    for (size_t r = 0; r < ROWS; r++) {
        const char *x = rows + r * d * size;
        const double sum = plain(record->accumulator == VB_SQDIFF, a_type, a, record->type, x, d);
        if (record->pair) {
            record->pair(a, x, d, pair);
            sums[r] = pair[0];
            norms[r] = pair[2];
            if (record->accumulator == VB_DOTNORM)
                wrong |= differ(pair[1], plain(0, a_type, a, a_type, a, d));
        }
        wrong |= differ(sums[r], sum);
        if (record->accumulator == VB_DOTNORM)
            wrong |= differ(norms[r], plain(0, record->type, x, record->type, x, d));
        mix(sum != sum ? 0.0 : sum);
    }
    if (wrong)
        printf("%s differs at d = %zu\n", record->name, d);
    return wrong;
}

int main(void)
{
    const vb_record *record;
    const char *level;
    int runs, active, wrong = 0, checked = 0;
    uint64_t first = 0;

    if (vb_init(NULL))
        return 1;
    /* All levels sum the same numbers, so one level's hash is every level's. */
    for (size_t i = 0; (record = vb_registry(i, &level, &runs, &active)); i++) {
        if (!runs)
            continue;
        for (size_t d = 0; d < MOST; d++)
            wrong |= check(record, d, (uint32_t)(1 + d));
        checked++;
        if (!strcmp(level, "scalar"))
            first = hash;
        else
            hash = 14695981039346656037u;
    }
    printf("level %s, %d kernels, hash %016llx, %s\n", vb_level_active(), checked, (unsigned long long)first,
           wrong ? "WRONG" : "right");
    return wrong;
}
