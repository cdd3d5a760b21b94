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
    count = record->call.screen(query, rows, ROWS, d, &limits, passed);
    wrong |= count == 0 || passed[0] != 0;
    if (record->accumulator != VB_DOTNORM)
        wrong |= count > 1 && passed[1] == 1;
    if (wrong)
        printf("%s lets the wrong rows pass at d = %zu\n", record->name, d);
    return wrong;
}

/* Element k of row r and of column j of a tile that is checked. */
static double tile_row(size_t r, size_t k) { return (double)((r * 7 + k * 13) % 29) / 3.0 - 4.0; }
static double tile_column(size_t j, size_t k) { return (double)((j * 11 + k * 5) % 31) / 7.0 - 2.0; }

static double plain_chain(vb_type type, size_t r, size_t j, size_t d)
{
    double sum = 0.0;
    for (size_t k = 0; k < d; k += VB_TILE_BLOCK) {
        double wide = 0.0;
        float narrow = 0.0f;
        for (size_t i = k; i < d && i < k + VB_TILE_BLOCK; i++) {
            narrow = fmaf((float)tile_row(r, i), (float)tile_column(j, i), narrow);
            wide = fma(tile_row(r, i), tile_column(j, i), wide);
        }
        sum = type == VB_F32 ? (float)(sum + narrow) : sum + wide;
    }
    return sum;
}

static int check_tile(const vb_record *record, size_t d)
{
    static char rows[16 * MOST * 8], panel[64 * MOST * 8], values[16 * 64 * 8];
    const size_t size = vb_type_size(record->type);
    const vb_view view = {rows, (ptrdiff_t)(MOST * size), NULL};
    const vb_finish finish = {VB_RAW, 0.0, 1e30, NULL, NULL};
    uint64_t unsure[16];
    int wrong = 0;

    for (size_t k = 0; k < d; k++) {
        for (size_t r = 0; r < record->rows; r++)
            set(record->type, rows + r * MOST * size, k, tile_row(r, k));
        for (size_t j = 0; j < record->columns; j++)
            set(record->type, panel, k * record->columns + j, tile_column(j, k));
    }
    record->call.tile(&view, panel, d, &finish, values, (ptrdiff_t)(record->columns * size), unsure);
    for (size_t r = 0; r < record->rows; r++)
        for (size_t j = 0; j < record->columns; j++) {
            const double found = element(record->type, values, r * record->columns + j);
            wrong |= unsure[r] != 0 || differ(found, plain_chain(record->type, r, j, d));
        }
    if (wrong)
        printf("%s differs at d = %zu\n", record->name, d);
    return wrong;
}

/* Every row's dot product of codes against limits that it reaches, or misses by one. */
static int check_sieve(const vb_record *record, size_t d)
{
    static uint64_t space[(sizeof(vb_panel) + (MOST + 3) * VB_PANEL) / 8 + 1];
    static int8_t codes[16 * (MOST + 3)];
    vb_panel *panel = (vb_panel *)space;
    const size_t steps = (d + 3) / 4, group = record->rows;
    int32_t bias[16] = {0}, products[16][VB_PANEL] = {{0}};
    float a[16], t[16] = {0}, k[16] = {0};
    uint32_t masks[16];
    const vb_coded queries = {group, group, codes, bias, a, t, k};
    int wrong = 0;

    memset(codes, 0, sizeof codes);
    for (size_t i = 0; i < 4 * steps; i++)
        for (size_t r = 0; r < VB_PANEL; r++) {
            const int row = i < d ? (int)((i * 37 + r * 101) % 255) - 127 : 0;
            panel->codes[(i / 4 * VB_PANEL + r) * 4 + i % 4] = (uint8_t)(row + 128);
            for (size_t q = 0; q < group && i < d; q++) {
                const int code = (int)((i * 53 + q * 71) % (size_t)(2 * record->limit + 1)) - record->limit;
                codes[(i / 4 * group + q) * 4 + i % 4] = (int8_t)code;
                products[q][r] += row * code;
                bias[q] += r == 0 ? 128 * code : 0;
            }
        }
    for (size_t r = 0; r < VB_PANEL; r++) {
        panel->unit[r] = 1.0f;
        panel->extent[r] = 0.0f;
    }
    for (int miss = 0; miss < 2; miss++)
        for (size_t r = 0; r < VB_PANEL; r++) {
            for (size_t q = 0; q < group; q++)
                a[q] = (float)(products[q][r] + miss);
            record->call.sieve(panel, steps, &queries, masks);
            for (size_t q = 0; q < group; q++)
                wrong |= (int)(masks[q] >> r & 1) == miss;
        }
    if (wrong)
        printf("%s differs at d = %zu\n", record->name, d);
    return wrong;
}

static int check_encode(const vb_record *record, size_t d)
{
    static float x[MOST], center[MOST + VB_LANES], work[MOST + VB_LANES];
    static uint8_t codes[MOST + VB_LANES];
    vb_coding found;
    float most = 0.0f;
    int wrong = 0;

    memset(center, 0, sizeof center);
    for (size_t i = 0; i < d; i++) {
        x[i] = (float)tile_row(3, i);
        center[i] = (float)tile_column(2, i);
        most = fmaxf(most, fabsf(x[i] - center[i]));
    }
    record->call.encode((const char *)x, center, d, work, codes, &found);
    wrong |= found.most != most;
    for (size_t i = 0; i < d; i++)
        wrong |= codes[i] != (uint8_t)(nearbyintf((x[i] - center[i]) * (127.0f / most)) + 128.0f);
    if (wrong)
        printf("%s differs at d = %zu\n", record->name, d);
    return wrong;
}

static int check_sums(const vb_record *record, size_t d, uint32_t seed)
{
    static char raw_a[MOST * 8 + 8], raw_rows[ROWS * MOST * 8 + 8];
    const vb_type a_type = record->form == VB_FORM_ROWS ? VB_F64 : record->type;
    const size_t size = vb_type_size(record->type);
    char *a = raw_a + 1, *rows = raw_rows + 3; /* at odd addresses */
    double sums[ROWS] = {0}, norms[ROWS] = {0}, pair[3] = {0};
    const vb_view view = {rows, (ptrdiff_t)(d * size), NULL};
    int wrong = 0;

    for (size_t i = 0; i < d; i++)
        set(a_type, a, i, (float)number(&seed, 0));
    for (size_t i = 0; i < ROWS * d; i++)
        set(record->type, rows, i, number(&seed, d % 7 == 0));
    if (record->form == VB_FORM_SCREEN)
        return check_screen(record, d, &view);
    if (record->form == VB_FORM_ROWS)
        record->call.rows((const double *)a, &view, ROWS, d, sums, norms);
    for (size_t r = 0; r < ROWS; r++) {
        const char *x = rows + r * d * size;
        const double sum = plain(record->accumulator == VB_SQDIFF, a_type, a, record->type, x, d);
        if (record->form == VB_FORM_PAIR) {
            record->call.pair(a, x, d, pair);
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

static int check(const vb_record *record, size_t d)
{
    switch (record->form) {
    case VB_FORM_TILE:
        return check_tile(record, d);
    case VB_FORM_SIEVE:
        return check_sieve(record, d);
    case VB_FORM_ENCODE:
        return check_encode(record, d);
    default:
        return check_sums(record, d, (uint32_t)(1 + d));
    }
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
            wrong |= check(record, d);
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
