/* check_limits.c - the loops of limits.c, whatever the registers hold when they begin.
 *
 * All vector registers are filled with denormals, of float64 and float32 alike. The flags that the processor keeps
 * then tell whether a loop has met one (or has left the numbers): on x86 in MXCSR. Exit status 1 if so. */
#include <stdio.h>

#include "kernels/cpu.h"
#include "vecblade.h"

#if defined(__GNUC__) && defined(__x86_64__)

#define FILL(how, registers, ...) \
    __asm__ volatile(".irp r," registers "\n\t" how "\n\t.endr" ::"r"(0x0000000100000001) : __VA_ARGS__)
#define LOW "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"
#define CLOBBERED \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", \
        "xmm13", "xmm14", "xmm15"

static void poison(void)
{
    if (vb_cpu_features() & VB_CPU_AVX512) {
        FILL("vpbroadcastq %0, %%zmm\\r", LOW, CLOBBERED);
        FILL("vpbroadcastq %0, %%zmm\\r", "16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31", "cc");
    } else {
        FILL("vmovq %0, %%xmm\\r\n\tvpbroadcastq %%xmm\\r, %%ymm\\r", LOW, CLOBBERED);
    }
}

/* The exceptions that have occurred, but for inexact results; they are cleared. */
static unsigned flags(void)
{
    unsigned all, none;
    __asm__ volatile("stmxcsr %0" : "=m"(all));
    none = all & ~0x3fu;
    __asm__ volatile("ldmxcsr %0" ::"m"(none));
    return all & 0x1f;
}

#else

static void poison(void) {}
static unsigned flags(void) { return 0; }

#endif

int main(void)
{
    static const double wanted[] = {0, 1, 1e6};
    int ran = 0, failed = 0;
    for (int type = 0; type < VB_TYPES; type++)
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
            flags();
            poison();
            const int known = vb_peak((vb_type)type, wanted[i]);
            const unsigned raised = flags();
            ran += known;
            failed += raised != 0;
            if (raised)
                printf("type %d, %g multiply-adds: exceptions 0x%x\n", type, wanted[i], raised);
        }
    printf("%d calls, %s\n", ran, failed ? "wrong" : "right");
    return failed != 0;
}
