/* limits.c - multiply-adds that never leave the registers, as fast as this CPU can: what kernels are compared with.
 *
 * In assembly, for compilers move such accumulators around. Each loop has chains enough to hide the latency of its
 * instruction, in registers that start as zeros: a product of zeros takes as long as any. The registers 16 to 31 of
 * AVX-512 are not declared as clobbered, for this unit is compiled without AVX-512 and has no other use for them. */
#include "vecblade.h"

#include "cpu.h"

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__aarch64__))

/* `step` for each of the registers, until `wanted` multiply-adds are done, of which each step does `each`. */
#define LIMIT(name, registers, chains, each, step, after, ...) \
    static void name(double wanted) \
    { \
        for (double done = 0; done < wanted; done += (double)(each) * (chains)) \
            __asm__ volatile(".irp r," registers "\n\t" step "\n\t.endr" ::: "memory", __VA_ARGS__); \
        __asm__ volatile(after ::: "memory"); \
    }

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

int vb_limit_read(const char *block, size_t bytes, size_t times)
{
    const unsigned features = vb_cpu_features();
    if (features & VB_CPU_AVX512)
        wide_reads(block, bytes, times);
    else if (features & VB_CPU_AVX2)
        narrow_reads(block, bytes, times);
    return !!(features & (VB_CPU_AVX512 | VB_CPU_AVX2));
}

#define WIDE(name, each, step) \
    LIMIT(name, "8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31", 24, each, step, "vzeroupper", \
          "xmm0", "xmm1", "xmm2", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")
#define NARROW(name, each, step) \
    LIMIT(name, "4,5,6,7,8,9,10,11,12,13,14,15", 12, each, step, "vzeroupper", "xmm0", "xmm1", "xmm4", "xmm5", "xmm6", \
          "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

WIDE(wide_f64, 8, "vfmadd231pd %%zmm0, %%zmm1, %%zmm\\r")
WIDE(wide_f32, 16, "vfmadd231ps %%zmm0, %%zmm1, %%zmm\\r")
WIDE(wide_bf16, 32, "vdpbf16ps %%zmm0, %%zmm1, %%zmm\\r")
WIDE(wide_i8, 64, "vpdpbusd %%zmm0, %%zmm1, %%zmm\\r")
WIDE(wide_b1, 512, "vpandd %%zmm0, %%zmm1, %%zmm2\n\tvpopcntd %%zmm2, %%zmm2\n\tvpaddd %%zmm2, %%zmm\\r, %%zmm\\r")
NARROW(narrow_f64, 4, "vfmadd231pd %%ymm0, %%ymm1, %%ymm\\r")
NARROW(narrow_f32, 8, "vfmadd231ps %%ymm0, %%ymm1, %%ymm\\r")

static const struct {
    vb_type type;
    unsigned needs;
    void (*run)(double wanted);
} limits[] = {
    {VB_F64, VB_CPU_AVX512, wide_f64},
    {VB_F32, VB_CPU_AVX512, wide_f32},
    {VB_BF16, VB_CPU_AVX512 | VB_CPU_BF16, wide_bf16},
    {VB_I8, VB_CPU_AVX512 | VB_CPU_VNNI, wide_i8},
    {VB_B1, VB_CPU_AVX512 | VB_CPU_POPCNT, wide_b1},
    {VB_F64, VB_CPU_AVX2, narrow_f64},
    {VB_F32, VB_CPU_AVX2, narrow_f32},
};

#else

#define NEON(name, each, step) \
    LIMIT(name, "8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31", 24, each, step, "", "v0", \
          "v1", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", \
          "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31")

READS(neon_reads, "ldp q0, q1, [%0, #\\i]\n\tldp q2, q3, [%0, #\\i+32]", "", "v0", "v1", "v2", "v3")

int vb_limit_read(const char *block, size_t bytes, size_t times)
{
    neon_reads(block, bytes, times);
    return 1;
}

NEON(neon_f64, 2, "fmla v\\r\\().2d, v0.2d, v1.2d")
NEON(neon_f32, 4, "fmla v\\r\\().4s, v0.4s, v1.4s")
/* sdot v<r>.4s, v0.16b, v1.16b, which assemblers take only with an extension. */
NEON(neon_i8, 16, ".inst 0x4e819400 + \\r")

static const struct {
    vb_type type;
    unsigned needs;
    void (*run)(double wanted);
} limits[] = {
    {VB_F64, VB_CPU_NEON, neon_f64},
    {VB_F32, VB_CPU_NEON, neon_f32},
    {VB_I8, VB_CPU_NEON | VB_CPU_DOTPROD, neon_i8},
};

#endif

int vb_limit(vb_type type, double wanted)
{
    const unsigned features = vb_cpu_features();
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i].type == type && !(limits[i].needs & ~features)) {
            limits[i].run(wanted);
            return 1;
        }
    return 0;
}

#else

int vb_limit(vb_type type, double wanted)
{
    (void)type;
    (void)wanted;
    return 0;
}

int vb_limit_read(const char *block, size_t bytes, size_t times)
{
    (void)block;
    (void)bytes;
    (void)times;
    return 0;
}

#endif
