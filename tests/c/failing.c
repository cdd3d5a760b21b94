/* failing.c - an allocator that fails on request, for LD_PRELOAD (glibc).
 *
 * It counts, and fails, only what is asked for from the code at addresses [low, high): the C core's. */
#include <stddef.h>
#include <stdint.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

static uintptr_t low, high;
static int64_t asked, failing, held; /* since failing_from(): allocations, the first that fails; not freed yet */

void failing_watch(uintptr_t from, uintptr_t to)
{
    low = from;
    high = to;
}

/* Allocation number `first` fails, and `count` - 1 after it; 0: none does. */
static int64_t width;
void failing_from(int64_t first, int64_t count)
{
    __atomic_store_n(&asked, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&width, count, __ATOMIC_SEQ_CST);
    __atomic_store_n(&failing, first, __ATOMIC_SEQ_CST);
}

int64_t failing_asked(void) { return __atomic_load_n(&asked, __ATOMIC_SEQ_CST); }
int64_t failing_held(void) { return __atomic_load_n(&held, __ATOMIC_SEQ_CST); }

static int watched(void *caller) { return (uintptr_t)caller >= low && (uintptr_t)caller < high; }

static int fails(void)
{
    const int64_t number = __atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST);
    return failing && number >= failing && number < failing + width;
}

static void *counted(void *memory)
{
    if (memory)
        __atomic_add_fetch(&held, 1, __ATOMIC_SEQ_CST);
    return memory;
}

void *malloc(size_t size)
{
    if (!watched(__builtin_return_address(0)))
        return __libc_malloc(size);
    return fails() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    if (!watched(__builtin_return_address(0)))
        return __libc_calloc(count, size);
    return fails() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *memory, size_t size)
{
    if (!watched(__builtin_return_address(0)))
        return __libc_realloc(memory, size);
    if (fails())
        return NULL;
    return memory ? __libc_realloc(memory, size) : counted(__libc_malloc(size));
}

void free(void *memory)
{
    if (memory && watched(__builtin_return_address(0)))
        __atomic_sub_fetch(&held, 1, __ATOMIC_SEQ_CST);
    __libc_free(memory);
}
