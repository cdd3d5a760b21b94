/* jobs.h - jobs of every kind over rows that are the same in every run, for programs that run them in their own ways.
 *
 * Everything lies in static memory: what is allocated is the core's. */
#ifndef JOBS_H
#define JOBS_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "numbers.h"

/* Enough rows for several splits of a corpus with codes, and numbers for several tiles of every job. */
enum { ROWS = 17000, QUERIES = 12, PAIRED = 700, D = 70, K = 9, MOST_BYTES = 16 << 20 };

typedef enum { MEASURE, PAIRWISE, ENCODE, UNIT, CONVERT, TOPK, WITHIN } job_kind;
typedef enum { ALL, MASK, IDS } restriction;

typedef struct {
    const char *name;
    job_kind kind;
    vb_metric metric;
    vb_type type;
    vb_layout layout;  /* of PAIRWISE */
    vb_plan plan;      /* of TOPK and WITHIN, with: */
    restriction where; /* of the corpus */
    double threshold;
} operation;

static const operation operations[] = {
    {"measure f32", MEASURE, VB_METRIC_COSINE, VB_F32, VB_FULL, VB_PLAN_ROWS, ALL, 0},
    {"measure i8", MEASURE, VB_METRIC_SQEUCLIDEAN, VB_I8, VB_FULL, VB_PLAN_ROWS, ALL, 0},
    {"pairwise f32", PAIRWISE, VB_METRIC_EUCLIDEAN, VB_F32, VB_FULL, VB_PLAN_ROWS, ALL, 0},
    {"pairwise f64, mirrored", PAIRWISE, VB_METRIC_COSINE, VB_F64, VB_MIRRORED, VB_PLAN_ROWS, ALL, 0},
    {"pairwise bf16, condensed", PAIRWISE, VB_METRIC_SQEUCLIDEAN, VB_BF16, VB_CONDENSED, VB_PLAN_ROWS, ALL, 0},
    {"pairwise u8, mirrored", PAIRWISE, VB_METRIC_DOT, VB_U8, VB_MIRRORED, VB_PLAN_ROWS, ALL, 0},
    {"encode f32", ENCODE, VB_METRIC_EUCLIDEAN, VB_F32, VB_FULL, VB_PLAN_CODES, ALL, 0},
    {"encode b1", ENCODE, VB_METRIC_JACCARD, VB_B1, VB_FULL, VB_PLAN_CODES, ALL, 0},
    {"unit f16", UNIT, VB_METRIC_COSINE, VB_F16, VB_FULL, VB_PLAN_ROWS, ALL, 0},
    {"convert f32", CONVERT, VB_METRIC_DOT, VB_F32, VB_FULL, VB_PLAN_ROWS, ALL, 0},
    {"topk f32 by rows", TOPK, VB_METRIC_EUCLIDEAN, VB_F32, VB_FULL, VB_PLAN_ROWS, ALL, 0},
    {"topk f64 by rows, mask", TOPK, VB_METRIC_DOT, VB_F64, VB_FULL, VB_PLAN_ROWS, MASK, 0},
    {"topk f32 by sieve", TOPK, VB_METRIC_COSINE, VB_F32, VB_FULL, VB_PLAN_SIEVE, ALL, 0},
    {"topk bf16 by sieve, ids", TOPK, VB_METRIC_EUCLIDEAN, VB_BF16, VB_FULL, VB_PLAN_SIEVE, IDS, 0},
    {"topk f32 by codes", TOPK, VB_METRIC_EUCLIDEAN, VB_F32, VB_FULL, VB_PLAN_CODES, ALL, 0},
    {"topk i8 by codes, mask", TOPK, VB_METRIC_DOT, VB_I8, VB_FULL, VB_PLAN_CODES, MASK, 0},
    {"topk b1 by codes, ids", TOPK, VB_METRIC_HAMMING, VB_B1, VB_FULL, VB_PLAN_CODES, IDS, 0},
    {"within f32 by rows", WITHIN, VB_METRIC_EUCLIDEAN, VB_F32, VB_FULL, VB_PLAN_ROWS, ALL, 10.5},
    {"within f16 by sieve, mask", WITHIN, VB_METRIC_COSINE_SIMILARITY, VB_F16, VB_FULL, VB_PLAN_SIEVE, MASK, 0.1},
    {"within f32 by codes", WITHIN, VB_METRIC_COSINE, VB_F32, VB_FULL, VB_PLAN_CODES, ALL, 0.8},
    {"within u8 by codes, ids", WITHIN, VB_METRIC_SQEUCLIDEAN, VB_U8, VB_FULL, VB_PLAN_CODES, IDS, 7e5},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static char corpus[VB_TYPES][ROWS * D * sizeof(double)];
static _Alignas(64) char panels[MOST_BYTES];
static _Alignas(64) float center[D + 64];
static uint8_t mask[ROWS];
static int64_t ids[ROWS];
static size_t masked, numbered;

static uint32_t next_number(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Rows of every type: sums of four uniform numbers, or whole numbers over all their range. */
static void fill(void)
{
    uint32_t state = 1;

    for (size_t i = 0; i < (size_t)ROWS * D; i++) {
        double value = 0.0;
        for (int part = 0; part < 4; part++)
            value += (double)(int32_t)next_number(&state) * 0x1p-31;
        for (int type = 0; type < VB_TYPES; type++)
            if (vb_type_kind((vb_type)type) == VB_REAL)
                vb_store((vb_type)type, &value, 1, corpus[type] + i * vb_type_size((vb_type)type), 0);
            else
                corpus[type][i] = (char)next_number(&state);
    }
    for (size_t r = 0; r < ROWS; r++) {
        mask[r] = next_number(&state) % 3 != 0;
        masked += mask[r];
        if (next_number(&state) % 4 != 0)
            ids[numbered++] = (int64_t)r;
    }
}

static vb_rows rows_of(vb_type type, size_t count)
{
    const vb_rows rows = {corpus[type], (ptrdiff_t)(D * vb_type_size(type)), count, type};
    return rows;
}

/* Of what type the values of an operation are put. */
static vb_type value_type(const operation *o)
{
    if (vb_type_kind(o->type) != VB_REAL)
        return VB_I32;
    return o->type == VB_F64 ? VB_F64 : VB_F32;
}

static vb_job *new_measure(const operation *o, char *out)
{
    const size_t shape[] = {QUERIES * 4, ROWS}, size = vb_type_size(o->type), value = vb_type_size(value_type(o));
    vb_operand a = {corpus[o->type], o->type, {0}}, b = a, to = {out, value_type(o), {0}};

    a.strides[0] = b.strides[1] = (ptrdiff_t)(D * size);
    to.strides[0] = (ptrdiff_t)(ROWS * value);
    to.strides[1] = (ptrdiff_t)value;
    return vb_measure_new(o->metric, D, 2, shape, &a, &b, &to);
}

/* The job, NULL if memory is short; out: MOST_BYTES. */
static vb_job *new_job(const operation *o, int threads, char *out)
{
    const vb_rows rows = rows_of(o->type, ROWS), queries = rows_of(o->type, QUERIES);
    const vb_rows paired = rows_of(o->type, PAIRED);
    const ptrdiff_t size = (ptrdiff_t)vb_type_size(value_type(o));
    const vb_codes codes = {panels, center};
    const vb_where where = {o->where == MASK ? mask : NULL, o->where == IDS ? ids : NULL,
                            o->where == MASK  ? masked
                            : o->where == IDS ? numbered
                                              : ROWS};
    const vb_request request = {o->metric, D,       queries, rows, o->plan == VB_PLAN_CODES ? &codes : NULL,
                                where,     o->plan, threads};

    switch (o->kind) {
    case MEASURE:
        return new_measure(o, out);
    case PAIRWISE:
        return vb_pairwise_new(o->metric, D, &paired, &paired, o->layout, threads, out,
                               o->layout == VB_CONDENSED ? 0 : PAIRED * size, size, value_type(o));
    case ENCODE:
        return vb_codes_new(o->metric, D, &rows, 0, out + vb_codes_center_bytes(D), (float *)out);
    case UNIT:
        return vb_normalize_new(D, &rows, out, (ptrdiff_t)(D * sizeof(float)), VB_F32);
    case CONVERT:
        return vb_convert_new(D, &rows, out, (ptrdiff_t)(D * sizeof(uint16_t)), VB_BF16);
    case TOPK:
        return vb_topk_new(&request, K, (int64_t *)out, (double *)(out + QUERIES * K * sizeof(int64_t)));
    case WITHIN:
        return vb_within_new(&request, o->threshold, VB_F64);
    }
    return NULL;
}

/* What is left to do after every thread has returned, on this one. */
static void finish_job(const operation *o, vb_job *job, char *out)
{
    int64_t *offsets = (int64_t *)out;

    if (o->kind == TOPK)
        vb_topk_finish(job);
    if (o->kind == WITHIN) {
        const size_t found = (size_t)vb_within_offsets(job, offsets), room = MOST_BYTES / sizeof(int64_t) - QUERIES - 1;
        int64_t *const indices = offsets + QUERIES + 1;
        if (found == 0 || found > room / 2) {
            printf("%s finds %zu pairs\n", o->name, found);
            exit(1);
        }
        vb_within_emit(job, offsets, indices, (double *)(indices + found));
    }
}

/* The codes that a search of this operation needs. */
static void prepare(const operation *o)
{
    const vb_rows rows = rows_of(o->type, ROWS);
    vb_job *job;

    if ((o->kind != TOPK && o->kind != WITHIN) || o->plan != VB_PLAN_CODES)
        return;
    job = vb_codes_new(o->metric, D, &rows, 0, panels, center);
    if (!job || vb_job_run(job, NULL, NULL) != VB_OK)
        exit(2);
    vb_job_free(job);
}

/* The operation by one thread, with nothing in its way: what any other run has to give. */
static void run_alone(const operation *o, char *out, vb_search_stats *stats)
{
    vb_job *job;

    memset(out, 0, MOST_BYTES);
    prepare(o);
    job = new_job(o, 1, out);
    if (!job || vb_job_run(job, NULL, NULL) != VB_OK)
        exit(2);
    finish_job(o, job, out);
    if (o->kind == TOPK || o->kind == WITHIN)
        vb_search_stats_of(job, stats);
    vb_job_free(job);
}

#endif
