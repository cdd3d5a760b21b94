/* job.h - the inside of a job: work in tiles that any thread may claim. */
#ifndef VB_JOB_H
#define VB_JOB_H

#include "util.h"

/* A number that threads change together. */
typedef struct {
    volatile int64_t value;
} vb_counter;

typedef struct vb_pulse vb_pulse;

/* What every kind of job begins with. */
struct vb_job {
    /* Do tile `index`, in scratch memory that is this thread's own.
     * Call vb_pulse_beat() between pieces of work, and return at once if it says so. */
    vb_status (*tile)(vb_job *job, size_t index, void *scratch, vb_pulse *pulse);
    void (*end)(vb_job *job); /* free what the job holds beside itself; may be NULL */
    /* What a thread does before its first tile and after its last, and after and before it polls: for kernels that keep
     * state in the processor (vb_record). May be NULL. */
    void (*enter)(void);
    void (*leave)(void);
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

void vb_lock_acquire(vb_lock *lock);
void vb_lock_release(vb_lock *lock);

#endif
