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
#include "numbers.h"

enum { MOST = 300, ROWS = 5 };

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

/* A number to an element of any type: of whole numbers and bits, some byte that it tells. */
static void set(vb_type type, char *row, size_t i, double value)
{
    if (vb_type_kind(type) == VB_REAL)
        vb_store(type, &value, 1, row + i * vb_type_size(type), 0);
    else
        row[i] = (char)(value == value && fabs(value) < 100.0 ? (int64_t)(value * 1e6) : 255);
}

static double plain(int squares, vb_type a_type, const char *a, vb_type x_type, const char *x, size_t d)
{
    double lanes[VB_LANES] = {0};
    for (size_t i = 0; i < d; i++) {
        const double ai = vb_element(a_type, a, i), xi = vb_element(x_type, x, i);
        if (x_type == VB_B1)
            for (unsigned bits = squares ? (unsigned)ai ^ (unsigned)xi : (unsigned)ai & (unsigned)xi; bits; bits >>= 1)
                lanes[0] += bits & 1;
        else
            lanes[i % VB_LANES] =
                squares ? fma(ai - xi, ai - xi, lanes[i % VB_LANES]) : fma(ai, xi, lanes[i % VB_LANES]);
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
    vb_screen_bounds limits = {0.0f, 0.0f, 0.0f};
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

/* Where element k of column j lies in a panel: for bfloat16 two of a column lie together. */
static size_t place(const vb_record *record, size_t j, size_t k)
{
    return record->type == VB_BF16 ? (k / 2 * record->columns + j) * 2 + k % 2 : k * record->columns + j;
}

static double plain_chain(const vb_record *record, const char *row, const char *panel, size_t j, size_t d)
{
    const size_t swap = record->type == VB_BF16; /* of two elements the second goes first */
    double sum = 0.0;
    for (size_t k = 0; k < d; k += VB_TILE_BLOCK) {
        double wide = 0.0;
        float narrow = 0.0f;
        for (size_t i = k; i < d && i < k + VB_TILE_BLOCK; i++) {
            double a = vb_element(record->type, row, i ^ swap);
            double b = vb_element(record->type, panel, place(record, j, i ^ swap));
            if (record->accumulator == VB_SQDIFF)
                a = b = record->type == VB_F64 ? a - b : (float)a - (float)b;
            narrow = fmaf((float)a, (float)b, narrow);
            wide = fma(a, b, wide);
        }
        sum = record->type == VB_F64 ? sum + wide : (float)(sum + narrow);
    }
    return sum;
}

static int check_tile(const vb_record *record, size_t d)
{
    static char rows[16 * MOST * 8], panel[64 * MOST * 8], values[16 * 64 * 8];
    const vb_type type = record->type == VB_F64 ? VB_F64 : VB_F32;
    const size_t size = vb_type_size(record->type), pitch = MOST * size;
    const vb_view view = {rows, (ptrdiff_t)pitch, NULL, 0};
    const vb_finish finish = {record->accumulator == VB_DOT ? VB_RAW : VB_SQUARED, 0.0, 1e30, NULL, NULL};
    uint64_t unsure[16];
    int wrong = 0;

    if (record->type == VB_BF16 && d % 2)
        return 0;
    for (size_t k = 0; k < d; k++) {
        for (size_t r = 0; r < record->rows; r++)
            set(record->type, rows + r * pitch, k, tile_row(r, k));
        for (size_t j = 0; j < record->columns; j++)
            set(record->type, panel, place(record, j, k), tile_column(j, k));
    }
    record->call.tile(&view, panel, d, &finish, values, (ptrdiff_t)(record->columns * vb_type_size(type)), unsure);
    for (size_t r = 0; r < record->rows; r++)
        for (size_t j = 0; j < record->columns; j++) {
            const double found = vb_element(type, values, r * record->columns + j);
            wrong |= unsure[r] != 0 || differ(found, plain_chain(record, rows + r * pitch, panel, j, d));
        }
    if (wrong)
        printf("%s differs at d = %zu\n", record->name, d);
    return wrong;
}

static int count_bits(int bits)
{
    int count = 0;
    for (; bits; bits >>= 1)
        count += bits & 1;
    return count;
}

/* Every row's dot product of codes against limits that it reaches, or misses by one: of so many queries. */
static int check_queries(const vb_record *record, size_t d, size_t count)
{
    static uint64_t space[(sizeof(vb_panel) + (MOST + 3) * VB_PANEL) / 8 + 1];
    static int8_t codes[MOST + 3], packed[16 * 2 * (MOST + 64)];
    static int32_t products[16 * VB_PANEL];
    vb_panel *panel = (vb_panel *)space;
    const vb_packing *packing = record->packing;
    const int bits = record->type == VB_B1, sieve = record->form == VB_FORM_SIEVE;
    const int most = sieve ? record->largest_code : 127;
    const size_t steps = (d + 3) / 4, group = sieve ? packing->group(count) : record->rows;
    int32_t bias[16] = {0}, wanted[16][VB_PANEL] = {{0}};
    float a[16], t[16] = {0}, k[16] = {0};
    uint32_t masks[16];
    const vb_coded queries = {group, group, packed, bias, a, t, k};
    int wrong = 0;

    for (size_t i = 0; i < 4 * steps; i++)
        for (size_t r = 0; r < VB_PANEL; r++) {
            const int row = i < d ? (int)((i * 37 + r * 101) % 255) - 127 : 0;
            panel->codes[(i / 4 * VB_PANEL + r) * 4 + i % 4] = (uint8_t)(bits ? row : row + 128);
        }
    for (size_t q = 0; q < group; q++) {
        for (size_t i = 0; i < d; i++) {
            const int code =
                bits ? (int)(i * 53 + q * 71) % 256 : (int)((i * 53 + q * 71) % (size_t)(2 * most + 1)) - most;
            codes[i] = (int8_t)code;
            bias[q] += bits ? 0 : 128 * code;
            for (size_t r = 0; r < VB_PANEL; r++) {
                const int row = (int)((i * 37 + r * 101) % 255) - 127;
                wanted[q][r] += bits ? count_bits(row & code & 255) : row * code;
            }
        }
        packing->pack(codes, d, 0, group, q, packed);
    }
    if (!sieve) {
        record->call.products(panel->codes, steps, packed, products);
        for (size_t q = 0; q < group; q++)
            for (size_t r = 0; r < VB_PANEL; r++)
                wrong |= products[q * VB_PANEL + r] - bias[q] != wanted[q][r];
    }
    for (size_t r = 0; r < VB_PANEL; r++) {
        panel->unit[r] = 1.0f;
        panel->norm_term[r] = 0.0f;
    }
    for (int miss = 0; sieve && miss < 2; miss++)
        for (size_t r = 0; r < VB_PANEL; r++) {
            for (size_t q = 0; q < group; q++)
                a[q] = (float)(wanted[q][r] + miss);
            record->call.sieve(panel, steps, &queries, masks);
            for (size_t q = 0; q < group; q++)
                wrong |= (int)(masks[q] >> r & 1) == miss;
        }
    if (wrong)
        printf("%s differs at d = %zu\n", record->name, d);
    return wrong;
}

/* In every group that the kernel's packing has. */
static int check_codes(const vb_record *record, size_t d)
{
    int wrong = check_queries(record, d, record->rows);
    for (size_t count = 1, group = 0; record->form == VB_FORM_SIEVE && count < record->rows; count++)
        if (record->packing->group(count) != group) {
            group = record->packing->group(count);
            wrong |= check_queries(record, d, count);
        }
    return wrong;
}

static int check_score(const vb_record *record, size_t n)
{
    const vb_scoring scoring = {VB_ANGULAR, 0, 3.0, 0.75};
    double sums[MOST] = {0}, values[MOST], norms[MOST] = {0};
    int wrong = 0, past = 0;
    for (size_t i = 0; i < n; i++) {
        sums[i] = tile_row(i, n);
        norms[i] = fabs(tile_column(i, n)) + 1.0;
    }
    wrong |= record->call.score(&scoring, n, sums, norms, values) != 0;
    for (size_t i = 0; i < n; i++) {
        const double s = tile_row(i, n) / sqrt(3.0 * norms[i]), held = s < -1.0 ? -1.0 : s;
        past |= !(s < 0.75);
        wrong |= differ(values[i], s < 0.75 ? 1.0 - held : NAN);
    }
    wrong ^= past;
    if (wrong)
        printf("%s differs at n = %zu\n", record->name, n);
    return wrong;
}

/* Of a in float64 and x, scaled by these; residual: of a on x, and the other way round. */
static int check_apart(const vb_record *record, size_t d)
{
    static double a[MOST];
    static char x[MOST * sizeof(double)];
    uint32_t seed = (uint32_t)(1 + d);
    int wrong = 0;

    for (size_t i = 0; i < d; i++)
        a[i] = number(&seed, 0);
    for (size_t i = 0; i < d; i++)
        set(record->type, x, i, number(&seed, 0));
    for (int swapped = 0; swapped < 2; swapped++) {
        const vb_apart how = {0x1p-3, 0x1p70, 0.25, 0x1p-60, 1, swapped};
        double p[MOST], q[MOST], r[MOST], sums[3], wanted[3];
        for (size_t i = 0; i < d; i++) {
            const double xi = vb_element(record->type, x, i);
            p[i] = (record->accumulator == VB_SQDIFF ? a[i] - xi : a[i]) * how.scale_a;
            q[i] = record->accumulator == VB_SQDIFF ? p[i] : xi * how.scale_x;
            r[i] = swapped ? fma(-how.u, p[i], fma(-how.t, p[i], q[i])) : fma(-how.u, q[i], fma(-how.t, q[i], p[i]));
        }
        wanted[0] = plain(0, VB_F64, (char *)p, VB_F64, (char *)q, d);
        wanted[1] = plain(0, VB_F64, (char *)p, VB_F64, (char *)p, d);
        wanted[2] = plain(0, VB_F64, (char *)q, VB_F64, (char *)q, d);
        if (record->form == VB_FORM_RESIDUAL) {
            wanted[0] = plain(0, VB_F64, (char *)r, VB_F64, (char *)r, d);
            wanted[1] = plain(0, VB_F64, (char *)r, VB_F64, (char *)(swapped ? p : q), d);
        }
        record->call.apart(a, x, d, &how, sums);
        for (int s = 0; s < (record->accumulator != VB_DOTNORM ? 1 : record->form == VB_FORM_RESIDUAL ? 2 : 3); s++) {
            wrong |= differ(sums[s], wanted[s]);
            mix(sums[s]);
        }
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

static int check_widen(const vb_record *record, size_t d)
{
    static char row[2 * MOST];
    static float out[MOST];
    int wrong = 0;

    for (size_t i = 0; i < d; i++) {
        const uint16_t pattern = (uint16_t)(i * 40503u + d * 977u);
        memcpy(row + 2 * i, &pattern, sizeof pattern);
    }
    record->call.widen(row, d, out);
    for (size_t i = 0; i < d; i++)
        wrong |= differ(out[i], vb_element(record->type, row, i));
    if (wrong)
        printf("%s differs at d = %zu\n", record->name, d);
    return wrong;
}

static int check_sums(const vb_record *record, size_t d, uint32_t seed)
{
    static char raw_a[MOST * 8 + 8], raw_rows[ROWS * MOST * 8 + 8];
    const vb_type a_type = record->form == VB_FORM_ROWS ? vb_query_type(record->type) : record->type;
    const size_t size = vb_type_size(record->type);
    char *a = raw_a + 1, *rows = raw_rows + 3; /* at odd addresses */
    double sums[ROWS] = {0}, norms[ROWS] = {0}, pair[3] = {0};
    const vb_view view = {rows, (ptrdiff_t)(d * size), NULL, (int)(d & 1)}; /* near, or not */
    int wrong = 0;

    for (size_t i = 0; i < d; i++)
        set(a_type, a, i, (float)number(&seed, 0));
    for (size_t i = 0; i < ROWS * d; i++)
        set(record->type, rows, i, number(&seed, d % 7 == 0));
    if (record->form == VB_FORM_SCREEN)
        return check_screen(record, d, &view);
    if (record->form == VB_FORM_ROWS)
        record->call.rows(a, &view, ROWS, d, sums, norms);
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
    case VB_FORM_PRODUCTS:
        return check_codes(record, d);
    case VB_FORM_WIDEN:
        return check_widen(record, d);
    case VB_FORM_SCORE:
        return check_score(record, d);
    case VB_FORM_SCALED:
    case VB_FORM_RESIDUAL:
        return check_apart(record, d);
    case VB_FORM_ENCODE:
        return check_encode(record, d);
    case VB_FORM_PAIR:
    case VB_FORM_ROWS:
    case VB_FORM_SCREEN:
        return check_sums(record, d, (uint32_t)(1 + d));
    }
    return 1;
}

int main(void)
{
    const vb_record *record;
    vb_record_place place;
    int wrong = 0, checked = 0;
    uint64_t first = 0;

    if (vb_init(NULL))
        return 1;
    /* All levels sum the same numbers, so one level's hash is every level's. */
    for (size_t i = 0; (record = vb_registry(i, &place)); i++) {
        if (!place.runs)
            continue;
        for (size_t d = 0; d < MOST; d++)
            wrong |= check(record, d);
        checked++;
        if (!strcmp(place.level, "scalar"))
            first = hash;
        else
            hash = 14695981039346656037u;
    }
    printf("level %s, %d kernels, hash %016llx, %s\n", vb_level_active(), checked, (unsigned long long)first,
           wrong ? "WRONG" : "right");
    return wrong;
}
