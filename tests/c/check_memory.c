/* check_memory.c - every allocation of every kind of job fails in turn.
 *
 * The linker gives the core the functions below for malloc() and its kin. A job of which an allocation fails is not
 * made, or ends with VB_NO_MEMORY; and when it is freed, nothing is left. Exit status 1 where that does not hold. */
#include <pthread.h>

#include "jobs.h"

enum { THREADS = 4 };

static char wanted[MOST_BYTES], found[MOST_BYTES];
static int64_t asked, failing, held; /* allocations so far, the one that fails, those not freed yet */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);

static int fails(void) { return __atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST) == failing; }

static void *counted(void *memory)
{
    if (memory)
        __atomic_add_fetch(&held, 1, __ATOMIC_SEQ_CST);
    return memory;
}

/* Not zeros: the core must not take memory for empty that it has not emptied. */
void *__wrap_malloc(size_t size)
{
    void *memory = fails() ? NULL : counted(__real_malloc(size));
    if (memory)
        memset(memory, 0xa5, size);
    return memory;
}

void *__wrap_calloc(size_t count, size_t size) { return fails() ? NULL : counted(__real_calloc(count, size)); }

void *__wrap_realloc(void *memory, size_t size)
{
    if (fails())
        return NULL;
    return memory ? __real_realloc(memory, size) : counted(__real_malloc(size));
}

void __wrap_free(void *memory)
{
    if (memory)
        __atomic_sub_fetch(&held, 1, __ATOMIC_SEQ_CST);
    __real_free(memory);
}

typedef struct {
    pthread_t thread;
    vb_job *job;
    vb_status status;
} worker;

static void *work(void *argument)
{
    worker *w = argument;
    w->status = vb_job_run(w->job, NULL, NULL);
    return NULL;
}

/* Run the job by so many threads; the worst of what they say. */
static vb_status run(vb_job *job, size_t threads)
{
    worker workers[THREADS];
    vb_status worst = VB_OK;

    for (size_t i = 0; i < threads; i++) {
        workers[i] = (worker){.job = job};
        if (i && pthread_create(&workers[i].thread, NULL, work, &workers[i]))
            exit(2);
    }
    work(&workers[0]);
    for (size_t i = 0; i < threads; i++) {
        if (i)
            pthread_join(workers[i].thread, NULL);
        worst = workers[i].status > worst ? workers[i].status : worst;
    }
    return worst;
}

static int complain(const operation *o, const char *what)
{
    printf("%s, allocation %lld: %s\n", o->name, (long long)failing, what);
    return 1;
}

/* Once, with allocation number `failing` refused; *refused: whether there was one of that number. */
static int check_once(const operation *o, size_t threads, int *refused)
{
    const int64_t before = held;
    vb_status status = VB_NO_MEMORY;
    vb_job *job;
    int wrong = 0;

    memset(found, 0, MOST_BYTES);
    asked = 0;
    job = new_job(o, (int)threads, found);
    if (job) {
        status = run(job, threads);
        if (status == VB_OK)
            finish_job(o, job, found);
        vb_job_free(job);
    }
    *refused = asked >= failing;
    if (held != before)
        wrong |= complain(o, "memory is not freed");
    if (status != (*refused ? VB_NO_MEMORY : VB_OK))
        wrong |= complain(o, *refused ? "nobody says that memory is short" : "fails with enough memory");
    if (status == VB_OK && memcmp(found, wanted, MOST_BYTES))
        wrong |= complain(o, "differs after failures");
    return wrong;
}

int main(void)
{
    int wrong = 0, total = 0;

    if (vb_init(NULL))
        return 2;
    fill();
    for (const operation *o = operations; o < operations + OPERATIONS; o++) {
        vb_search_stats ignored;
        failing = 0;
        run_alone(o, wanted, &ignored);
        for (size_t threads = 1; threads <= THREADS; threads += THREADS - 1) {
            int refused = 1;
            for (failing = 1; refused; failing++) {
                wrong |= check_once(o, threads, &refused);
                total += refused;
            }
        }
    }
    vb_job_free(NULL);
    printf("%d operations, %d failures, %s\n", OPERATIONS, total, wrong ? "WRONG" : "right");
    return wrong;
}
