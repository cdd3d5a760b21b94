/* check_threads.c - several threads work on each kind of job, watched by whatever the program is compiled with.
 *
 * Results have to be those of one thread, to the last bit. Exit status 1 on a difference. */
#include <pthread.h>

#include "jobs.h"

enum { THREADS = 8, TIMES = 3 };

static char wanted[MOST_BYTES], found[2][MOST_BYTES];

/* One of the threads that work on a job. */
typedef struct {
    pthread_t thread;
    vb_job *job;
    vb_poll poll;
    void *context;
    vb_status status;
} worker;

/* Whether this thread is in the state that a job's kernels want, and how often one has been, or was not when it had to be. */
static _Thread_local int inside;
static vb_counter entered, misplaced;

static void enter(void)
{
    vb_counter_add(&entered, 1);
    vb_counter_add(&misplaced, inside++ != 0);
}

static void leave(void) { vb_counter_add(&misplaced, --inside != 0); }

static void *work(void *argument)
{
    worker *w = argument;
    w->status = vb_job_run(w->job, w->poll, w->context);
    vb_counter_add(&misplaced, inside != 0);
    return NULL;
}

/* What the first thread is told: never less than before, never more than there is. */
typedef struct {
    double done;
    int times, wrong, stop;
} told;

static int listen(void *context, double done, double total)
{
    told *t = context;
    vb_counter_add(&misplaced, inside != 0); /* it may run anything */
    t->wrong |= done < t->done || done > total;
    t->done = done;
    t->times++;
    return t->stop;
}

static void start(worker *workers, size_t n, vb_job *job, told *progress)
{
    job->enter = enter;
    job->leave = leave;
    for (size_t i = 0; i < n; i++) {
        workers[i] = (worker){.job = job, .poll = i ? NULL : listen, .context = progress};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
            exit(2);
    }
}

/* Whether all ended in this way. */
static int join(worker *workers, size_t n, vb_status status)
{
    int all = 1;
    for (size_t i = 0; i < n; i++) {
        pthread_join(workers[i].thread, NULL);
        all = all && workers[i].status == status;
    }
    return all;
}

static int complain(const operation *o, const char *what)
{
    printf("%s: %s\n", o->name, what);
    return 1;
}

static int same_counts(vb_job *job, const vb_search_stats *expected)
{
    vb_search_stats counts;
    vb_search_stats_of(job, &counts);
    return counts.plan == expected->plan && counts.visited == expected->visited;
}

/* Two jobs of the same kind at once, each by half of the threads. */
static int check_results(const operation *o, const vb_search_stats *expected)
{
    worker workers[2][THREADS / 2];
    vb_job *jobs[2];
    told progress[2] = {{.stop = 0}, {.stop = 0}};
    int wrong = 0;

    for (int i = 0; i < 2; i++) {
        memset(found[i], 0, MOST_BYTES);
        jobs[i] = new_job(o, THREADS / 2, found[i]);
        if (!jobs[i])
            exit(2);
        if (vb_job_tiles(jobs[i]) < 2)
            wrong |= complain(o, "has one tile, for which threads cannot compete");
    }
    for (int i = 0; i < 2; i++)
        start(workers[i], THREADS / 2, jobs[i], &progress[i]);
    for (int i = 0; i < 2; i++) {
        if (!join(workers[i], THREADS / 2, VB_OK))
            wrong |= complain(o, "a thread did not end well");
        finish_job(o, jobs[i], found[i]);
        if (memcmp(found[i], wanted, MOST_BYTES) || progress[i].wrong)
            wrong |= complain(o, "differs from one thread's");
        if ((o->kind == TOPK || o->kind == WITHIN) && !same_counts(jobs[i], expected))
            wrong |= complain(o, "visited other pairs than one thread");
        vb_job_free(jobs[i]);
    }
    return wrong;
}

/* A job that is stopped while threads claim its tiles: it may be done by then, but does not go on. */
static int check_stop(const operation *o)
{
    worker workers[THREADS];
    told progress = {.stop = 0};
    vb_job *job = new_job(o, THREADS, found[0]);
    int wrong = 0;

    if (!job)
        exit(2);
    start(workers, THREADS, job, &progress);
    vb_job_stop(job);
    join(workers, THREADS, VB_OK);
    for (size_t i = 0; i < THREADS; i++)
        if (workers[i].status != VB_OK && workers[i].status != VB_STOPPED)
            wrong |= complain(o, "has another status when it is stopped");
    if (vb_job_run(job, NULL, NULL) != VB_STOPPED)
        wrong |= complain(o, "goes on after it was stopped");
    vb_job_free(job);
    return wrong;
}

/* A search of seconds, whose first thread is asked after a tenth of one, and stops all. */
static int check_poll(void)
{
    const operation o = {.name = "topk of one row many times", .kind = TOPK};
    const vb_rows queries = rows_of(VB_F32, QUERIES), rows = {corpus[VB_F32], 0, 1 << 26, VB_F32};
    const vb_request request = {VB_METRIC_DOT, D,      queries, rows, NULL, {NULL, NULL, rows.count},
                                VB_PLAN_CODES, THREADS};
    worker workers[THREADS];
    told progress = {.stop = 1};
    vb_job *job = vb_topk_new(&request, 1, (int64_t *)found[0], (double *)found[1]);
    int wrong = 0;

    if (!job)
        exit(2);
    start(workers, THREADS, job, &progress);
    if (!join(workers, THREADS, VB_STOPPED))
        wrong |= complain(&o, "was not stopped by the one that was asked");
    if (progress.times != 1 || progress.wrong || !(progress.done > 0.0))
        wrong |= complain(&o, "told something else than how far it is, once");
    vb_job_free(job);
    return wrong;
}

int main(void)
{
    int wrong = 0;

    if (vb_init(NULL))
        return 2;
    fill();
    for (const operation *o = operations; o < operations + OPERATIONS; o++) {
        vb_search_stats expected = {VB_PLAN_ROWS, 0, 0, 0};
        run_alone(o, wanted, &expected);
        if ((o->kind == TOPK || o->kind == WITHIN) && expected.plan != o->plan)
            wrong |= complain(o, "goes another way");
        for (int time = 0; time < TIMES; time++)
            wrong |= check_results(o, &expected) | check_stop(o);
    }
    wrong |= check_poll();
    if (vb_counter_get(&entered) == 0 || vb_counter_get(&misplaced) != 0)
        wrong |= complain(operations, "enters or leaves its threads where it should not");
    printf("%d operations, %d threads, %s\n", OPERATIONS, THREADS, wrong ? "WRONG" : "right");
    return wrong;
}
