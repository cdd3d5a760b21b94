/* cpu.c - CPU features, asked of the CPU itself: the compilers' own helpers answer 0 in some
 * builds (zig), and do not ask the operating system in others. */
#include "cpu.h"

#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64)

#ifdef _MSC_VER
#include <intrin.h>
static void cpuid(int leaf, int part, unsigned r[4]) { __cpuidex((int *)r, leaf, part); }
static unsigned enabled_state(void) { return (unsigned)_xgetbv(0); }
#else
#include <cpuid.h>
static void cpuid(int leaf, int part, unsigned r[4]) { __cpuid_count(leaf, part, r[0], r[1], r[2], r[3]); }
static unsigned enabled_state(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}
#endif

enum { EAX, EBX, ECX };

static int all(unsigned value, unsigned bits) { return (value & bits) == bits; }

unsigned vb_cpu_features(void)
{
    /* Bits of XCR0: the registers that the system saves. */
    const unsigned ymm = 0x6, zmm = 0xe6;
    unsigned r[4], basic, extended, state, features = 0;

    cpuid(0, 0, r);
    if (r[0] < 7)
        return 0;
    cpuid(1, 0, r);
    basic = r[ECX];
    if (!all(basic, 1u << 27 | 1u << 28)) /* OSXSAVE, AVX */
        return 0;
    cpuid(7, 0, r);
    extended = r[EBX];
    state = enabled_state();
    if (all(state, ymm) && all(basic, 1u << 12 | 1u << 29) && all(extended, 1u << 5)) /* FMA, F16C; AVX2 */
        features |= VB_CPU_AVX2;
    if (features && all(state, zmm) && all(extended, 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31)) /* F DQ BW VL */
        features |= VB_CPU_AVX512;
    if (features & VB_CPU_AVX512 && all(r[ECX], 1u << 11))
        features |= VB_CPU_VNNI;
    if (features & VB_CPU_AVX512 && all(r[ECX], 1u << 14))
        features |= VB_CPU_POPCNT;
    if (r[EAX] >= 1) { /* how many parts leaf 7 has, beside the first */
        cpuid(7, 1, r);
        if (features & VB_CPU_AVX512 && all(r[EAX], 1u << 5))
            features |= VB_CPU_BF16;
    }
    return features;
}

#elif defined(__aarch64__) || defined(_M_ARM64)

#if defined(__linux__)
#include <sys/auxv.h>
static int has_dotprod(void) { return getauxval(AT_HWCAP) >> 20 & 1; } /* HWCAP_ASIMDDP */
#elif defined(_WIN32)
#include <windows.h>
static int has_dotprod(void) { return IsProcessorFeaturePresent(43); } /* PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE */
#elif defined(__APPLE__)
static int has_dotprod(void) { return 1; } /* every Mac with an Arm processor */
#else
static int has_dotprod(void) { return 0; }
#endif

unsigned vb_cpu_features(void) { return VB_CPU_NEON | (has_dotprod() ? VB_CPU_DOTPROD : 0u); }

#else

unsigned vb_cpu_features(void) { return 0; }

#endif
