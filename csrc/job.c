/* job.c - claiming tiles, stopping, and telling how far the work is. */
#include "job.h"

#include <stdlib.h>
#include <time.h>

#include "mode.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
static void let_others_run(void) { SwitchToThread(); }
#else
#include <sched.h>
static void let_others_run(void) { sched_yield(); }
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
int64_t vb_counter_add(vb_counter *c, int64_t amount) { return _InterlockedExchangeAdd64(&c->value, amount); }
int64_t vb_counter_get(const vb_counter *c) { return c->value; }
static int64_t exchange(volatile int64_t *place, int64_t value) { return _InterlockedExchange64(place, value); }

void vb_counter_lower(vb_counter *c, int64_t value)
{
    int64_t now = c->value, found;
    while (value < now && (found = _InterlockedCompareExchange64(&c->value, value, now)) != now)
        now = found;
}
#else
int64_t vb_counter_add(vb_counter *c, int64_t amount)
{
    return __atomic_fetch_add(&c->value, amount, __ATOMIC_ACQ_REL);
}

int64_t vb_counter_get(const vb_counter *c) { return __atomic_load_n(&c->value, __ATOMIC_ACQUIRE); }

static int64_t exchange(volatile int64_t *place, int64_t value)
{
    return __atomic_exchange_n(place, value, __ATOMIC_ACQ_REL);
}

void vb_counter_lower(vb_counter *c, int64_t value)
{
    int64_t now = vb_counter_get(c);
    while (value < now && !__atomic_compare_exchange_n(&c->value, &now, value, 1, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    }
}
#endif

/* Nobody in a queue: the next in line might be the one that has no processor. */
void vb_lock_acquire(vb_lock *lock)
{
    while (exchange(&lock->taken, 1))
        let_others_run();
}

void vb_lock_release(vb_lock *lock) { exchange(&lock->taken, 0); }

/* One thread's view of the job it works on. */
struct vb_pulse {
    vb_job *job;
    vb_poll poll;
    void *context;
    int64_t pending; /* elements done since the last look at the clock */
    double polled;   /* when, in seconds */
};

/* About half a millisecond of work between looks at the clock and at the stop flag, and a
 * tenth of a second between polls: the poll may have to wait for the interpreter. */
static const int64_t elements_per_look = 1 << 22;
static const double seconds_per_poll = 0.1;

static double seconds(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void enter(const vb_job *job)
{
    if (job->enter)
        job->enter();
}

static void leave(const vb_job *job)
{
    if (job->leave)
        job->leave();
}

int vb_pulse_beat(vb_pulse *pulse, size_t elements)
{
    vb_job *job = pulse->job;
    double now;

    pulse->pending += (int64_t)elements;
    if (pulse->pending < elements_per_look)
        return 0;
    vb_counter_add(&job->done, pulse->pending);
    pulse->pending = 0;
    if (vb_counter_get(&job->stop))
        return 1;
    if (!pulse->poll)
        return 0;
    now = seconds();
    if (now >= pulse->polled && now < pulse->polled + seconds_per_poll)
        return 0;
    pulse->polled = now;
    leave(job);
    if (pulse->poll(pulse->context, (double)vb_counter_get(&job->done), job->work))
        vb_job_stop(job);
    enter(job);
    return vb_counter_get(&job->stop) != 0;
}

static vb_status run_here(vb_job *job, vb_poll poll, void *context)
{
    vb_pulse pulse = {job, poll, context, 0, seconds()};
    void *allocated = vb_alloc(job->scratch_bytes + VB_LINE, 1), *scratch;
    vb_status status = VB_OK;

    if (!allocated) {
        vb_job_stop(job);
        return VB_NO_MEMORY;
    }
    scratch = (char *)allocated + (VB_LINE - (uintptr_t)allocated % VB_LINE);
    enter(job);
    while (status == VB_OK) {
        size_t index;
        if (vb_counter_get(&job->stop)) {
            status = VB_STOPPED;
            break;
        }
        index = (size_t)vb_counter_add(&job->next, 1);
        if (index >= job->tiles)
            break;
        status = job->tile(job, index, scratch, &pulse);
        if (status != VB_OK)
            vb_job_stop(job);
    }
    leave(job);
    vb_counter_add(&job->done, pulse.pending);
    free(allocated);
    return status;
}

/* A call of vb_job_run() by a thread in another floating-point mode, which its poll function gets back. */
typedef struct {
    vb_job *job;
    vb_poll poll;
    void *context;
    uint64_t mode;
    double done, total;
    int stop;
    vb_status status;
} run_call;

static void ask(void *argument)
{
    run_call *call = argument;
    call->stop = call->poll(call->context, call->done, call->total);
}

static int poll_in_mode(void *context, double done, double total)
{
    run_call *call = context;
    call->done = done;
    call->total = total;
    vb_in_mode(call->mode, ask, call);
    return call->stop;
}

static void run_job(void *argument)
{
    run_call *call = argument;
    call->status = vb_job_run(call->job, call->poll ? poll_in_mode : NULL, call);
}

static vb_status run_in_standard_mode(vb_job *job, vb_poll poll, void *context)
{
    run_call call = {.job = job, .poll = poll, .context = context, .mode = vb_mode_get()};
    vb_in_standard_mode(run_job, &call);
    return call.status;
}

vb_status vb_job_run(vb_job *job, vb_poll poll, void *context)
{
    if (!vb_mode_is_standard())
        return run_in_standard_mode(job, poll, context);
    return run_here(job, poll, context);
}

void vb_job_stop(vb_job *job) { vb_counter_add(&job->stop, 1); }
size_t vb_job_tiles(const vb_job *job) { return job->tiles; }
double vb_job_work(const vb_job *job) { return job->work; }

void vb_job_free(vb_job *job)
{
    if (job && job->end)
        job->end(job);
    free(job);
}

void *vb_alloc(size_t count, size_t size)
{
    if (count > PTRDIFF_MAX / size)
        return NULL;
    return malloc(vb_max(count * size, 1));
}
