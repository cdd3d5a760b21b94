/* job.h - the inside of a job: work in tiles that any thread may claim. */
#ifndef VB_JOB_H
#define VB_JOB_H

#include "vecblade.h"

/* A number that threads change together. */
typedef struct {
    volatile int64_t value;
} vb_counter;

typedef struct vb_pulse vb_pulse;

/* Bytes in a cache line, and in the widest vector. Scratch memory begins on a line, and float64 queries should:
 * loads that cross lines made 512-bit kernels half as fast (24 against 12 ns for 128 float32). */
#define VB_LINE 64

/* What every kind of job begins with. */
struct vb_job {
    /* Do tile `index`, in scratch memory that is this thread's own.
     * Call vb_pulse_beat() between pieces of work, and return at once if it says so. */
    vb_status (*tile)(vb_job *job, size_t index, void *scratch, vb_pulse *pulse);
    void (*end)(vb_job *job); /* free what the job holds beside itself; may be NULL */
    size_t tiles, scratch_bytes;
    double work;
    vb_counter next, done, stop;
};

/* Tell that a piece of work is done (in elements). Non-zero: stop here. */
int vb_pulse_beat(vb_pulse *pulse, size_t elements);

int64_t vb_counter_add(vb_counter *counter, int64_t amount);
int64_t vb_counter_get(const vb_counter *counter);
/* Make it `value` if that is less. */
void vb_counter_lower(vb_counter *counter, int64_t value);

/* For moments: a thread that waits only lets others run. Zero: open. */
typedef struct {
    volatile int64_t taken;
} vb_lock;

void vb_lock_take(vb_lock *lock);
void vb_lock_give(vb_lock *lock);

VB_INLINE size_t vb_divide_up(size_t a, size_t b) { return a / b + (a % b != 0); }
VB_INLINE size_t vb_min(size_t a, size_t b) { return a < b ? a : b; }
VB_INLINE size_t vb_max(size_t a, size_t b) { return a > b ? a : b; }

/* The next `bytes` of working space, from the next cache line on; base NULL: only count. */
VB_INLINE void *vb_part(char *base, size_t *used, size_t bytes)
{
    char *at = base ? base + *used : NULL;
    *used += vb_divide_up(bytes, VB_LINE) * VB_LINE;
    return at;
}

/* malloc(count * size), NULL when the product overflows; never NULL for nothing. */
void *vb_alloc(size_t count, size_t size);

#endif
