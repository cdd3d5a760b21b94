/* guide.c - tells libFuzzer which blocks of the core an input runs.
 *
 * gcc calls a function at every block (-fsanitize-coverage=trace-pc); libFuzzer has counters of bytes instead. So each
 * block gets a counter, by a hash of its address. Linked into the extension module, in which the names stay. */
#include <stdint.h>

enum { COUNTERS = 1 << 15 };

static uint8_t counters[COUNTERS];
static uintptr_t places[COUNTERS][2]; /* an address, and flags, for each: there have to be some */

void __sanitizer_cov_8bit_counters_init(uint8_t *from, uint8_t *to) __attribute__((weak));
void __sanitizer_cov_pcs_init(const uintptr_t *from, const uintptr_t *to) __attribute__((weak));

__attribute__((visibility("hidden"))) void __sanitizer_cov_trace_pc(void)
{
    const uintptr_t block = (uintptr_t)__builtin_return_address(0) - (uintptr_t)counters;
    counters[(block ^ block >> 15) % COUNTERS]++;
}

__attribute__((constructor)) static void tell(void)
{
    if (!__sanitizer_cov_8bit_counters_init || !__sanitizer_cov_pcs_init)
        return; /* not under a fuzzer */
    for (uintptr_t i = 0; i < COUNTERS; i++)
        places[i][0] = (uintptr_t)&counters[i];
    __sanitizer_cov_8bit_counters_init(counters, counters + COUNTERS);
    __sanitizer_cov_pcs_init(places[0], places[COUNTERS]);
}
