/* peak.c - multiply-adds that never leave the registers, as fast as this CPU can: what kernels are compared with.
 *
 * In assembly, for compilers move such accumulators around. Each loop has chains enough to hide the latency of its
 * instruction. It is one statement from the first register that is set to the last turn: what a register held before
 * may be a denormal, over which some CPUs take a hundred times as long, and a counter in the SSE encoding beside wide
 * registers in use costs others a hundred cycles a turn. The factors are ones and the accumulators start as zeros, so
 * sums stay ordinary numbers (a float32 rests at 2^24). The registers 16 to 31 of AVX-512 are not declared as
 * clobbered, for this unit is compiled without AVX-512 and has no other use for them. */
#include "../vecblade.h"
#include "cpu.h"

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__aarch64__))

/* `turns`, at least 1, of a `step` for each of the registers. First `fill` sets the factors, registers 0 and 1, to
 * repeats of %1, the 8 bytes of `ones`, and `zero` sets each of the registers to 0; `turn` counts %0 down, and `after`
 * follows the last. */
#define LIMIT(name, registers, ones, fill, zero, step, turn, after, ...) \
    static void name(uint64_t turns) \
    { \
        __asm__ volatile(fill "\n\t.irp r," registers "\n\t" zero "\n\t.endr\n1:\n\t.irp r," registers "\n\t" step \
                              "\n\t.endr\n\t" turn "\n\t" after \
                         : "+r"(turns) \
                         : "r"((uint64_t)(ones)) \
                         : "cc", __VA_ARGS__); \
    }

/* 1 in each element. Of bits, every other one. */
#define ONES_F64 0x3ff0000000000000
#define ONES_F32 0x3f8000003f800000
#define ONES_BF16 0x3f803f803f803f80
#define ONES_I8 0x0101010101010101
#define ONES_B1 0x5555555555555555

/* How a loop is run, and what one turn of it does. */
struct limit {
    vb_type type;
    unsigned needs;
    double each; /* multiply-adds */
    void (*run)(uint64_t turns);
};

/* Loads of so many bytes, a multiple of 512, `times` over. */
#define READS(name, load, after, ...) \
    static void name(const char *block, size_t bytes, size_t times) \
    { \
        for (; times; times--) \
            for (size_t i = 0; i < bytes; i += 512) \
                __asm__ volatile(".irp i,0,64,128,192,256,320,384,448\n\t" load "\n\t.endr" ::"r"(block + i) \
                                 : "memory", __VA_ARGS__); \
        __asm__ volatile(after ::: "memory"); \
    }

#ifdef __x86_64__

READS(wide_reads, "vmovups \\i(%0), %%zmm0", "vzeroupper", "xmm0")
READS(narrow_reads, "vmovups \\i(%0), %%ymm0\n\tvmovups \\i+32(%0), %%ymm1", "vzeroupper", "xmm0", "xmm1")

int vb_peak_read(const char *block, size_t bytes, size_t times)
{
    const unsigned features = vb_cpu_features();
    if (features & VB_CPU_AVX512)
        wide_reads(block, bytes, times);
    else if (features & VB_CPU_AVX2)
        narrow_reads(block, bytes, times);
    return !!(features & (VB_CPU_AVX512 | VB_CPU_AVX2));
}

#define WIDE(name, ones, step) \
    LIMIT(name, "8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31", ones, \
          "vmovq %1, %%xmm0\n\tvpbroadcastq %%xmm0, %%zmm0\n\tvmovdqa64 %%zmm0, %%zmm1", \
          "vpxorq %%zmm\\r, %%zmm\\r, %%zmm\\r", step, "dec %0\n\tjnz 1b", "vzeroupper", "xmm0", "xmm1", "xmm2", \
          "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")
#define NARROW(name, ones, step) \
    LIMIT(name, "4,5,6,7,8,9,10,11,12,13,14,15", ones, \
          "vmovq %1, %%xmm0\n\tvpbroadcastq %%xmm0, %%ymm0\n\tvmovdqa %%ymm0, %%ymm1", \
          "vpxor %%ymm\\r, %%ymm\\r, %%ymm\\r", step, "dec %0\n\tjnz 1b", "vzeroupper", "xmm0", "xmm1", "xmm4", \
          "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

WIDE(wide_f64, ONES_F64, "vfmadd231pd %%zmm0, %%zmm1, %%zmm\\r")
WIDE(wide_f32, ONES_F32, "vfmadd231ps %%zmm0, %%zmm1, %%zmm\\r")
WIDE(wide_bf16, ONES_BF16, "vdpbf16ps %%zmm0, %%zmm1, %%zmm\\r")
WIDE(wide_i8, ONES_I8, "vpdpbusd %%zmm0, %%zmm1, %%zmm\\r")
WIDE(wide_b1, ONES_B1, "vpandd %%zmm0, %%zmm1, %%zmm2\n\tvpopcntd %%zmm2, %%zmm2\n\tvpaddd %%zmm2, %%zmm\\r, %%zmm\\r")
NARROW(narrow_f64, ONES_F64, "vfmadd231pd %%ymm0, %%ymm1, %%ymm\\r")
NARROW(narrow_f32, ONES_F32, "vfmadd231ps %%ymm0, %%ymm1, %%ymm\\r")

static const struct limit limits[] = {
    {VB_F64, VB_CPU_AVX512, 24 * 8, wide_f64},
    {VB_F32, VB_CPU_AVX512, 24 * 16, wide_f32},
    {VB_BF16, VB_CPU_AVX512 | VB_CPU_BF16, 24 * 32, wide_bf16},
    {VB_I8, VB_CPU_AVX512 | VB_CPU_VNNI, 24 * 64, wide_i8},
    {VB_B1, VB_CPU_AVX512 | VB_CPU_POPCNT, 24 * 512, wide_b1},
    {VB_F64, VB_CPU_AVX2, 12 * 4, narrow_f64},
    {VB_F32, VB_CPU_AVX2, 12 * 8, narrow_f32},
};

#else

#define NEON(name, ones, step) \
    LIMIT(name, "8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31", ones, \
          "dup v0.2d, %1\n\tdup v1.2d, %1", "movi v\\r\\().2d, #0", step, "subs %0, %0, #1\n\tb.ne 1b", "", "v0", \
          "v1", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", \
          "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31")

READS(neon_reads, "ldp q0, q1, [%0, #\\i]\n\tldp q2, q3, [%0, #\\i+32]", "", "v0", "v1", "v2", "v3")

int vb_peak_read(const char *block, size_t bytes, size_t times)
{
    neon_reads(block, bytes, times);
    return 1;
}

NEON(neon_f64, ONES_F64, "fmla v\\r\\().2d, v0.2d, v1.2d")
NEON(neon_f32, ONES_F32, "fmla v\\r\\().4s, v0.4s, v1.4s")
/* sdot v<r>.4s, v0.16b, v1.16b, which assemblers take only with an extension. */
NEON(neon_i8, ONES_I8, ".inst 0x4e819400 + \\r")

static const struct limit limits[] = {
    {VB_F64, VB_CPU_NEON, 24 * 2, neon_f64},
    {VB_F32, VB_CPU_NEON, 24 * 4, neon_f32},
    {VB_I8, VB_CPU_NEON | VB_CPU_DOTPROD, 24 * 16, neon_i8},
};

#endif

int vb_peak(vb_type type, double wanted)
{
    const unsigned features = vb_cpu_features();
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i].type == type && !(limits[i].needs & ~features)) {
            const double turns = wanted / limits[i].each;
            limits[i].run(turns > 1 ? turns < 1e18 ? (uint64_t)turns : (uint64_t)1e18 : 1);
            return 1;
        }
    return 0;
}

#else

int vb_peak(vb_type type, double wanted)
{
    (void)type;
    (void)wanted;
    return 0;
}

int vb_peak_read(const char *block, size_t bytes, size_t times)
{
    (void)block;
    (void)bytes;
    (void)times;
    return 0;
}

#endif
