/* limits.c - multiply-adds that never leave the registers, as fast as this CPU can: what kernels are compared with.
 *
 * limits.py compiles it with -march=native (for x86, by gcc or clang), and each peak_<type>() runs so many
 * multiply-adds (of bits: pairs) in the instructions that the type's kernels use: 0 if this CPU has none. In
 * assembly, for compilers move such accumulators around.
 */
#define REGISTERS "8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31"
enum { CHAINS = 24 };

/* `step` for every register r, until so many multiply-adds are done, of which each step does `each`. */
#define PEAK(name, each, step) \
    int name(double wanted) \
    { \
        for (double done = 0; done < wanted; done += (double)(each) * CHAINS) \
            __asm__ volatile(".irp r," REGISTERS "\n\t" step "\n\t.endr" :: \
                                 : "memory", "xmm0", "xmm1", "xmm2", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", \
                                   "xmm13", "xmm14", "xmm15"); \
        return 1; \
    }
#define NONE(name) \
    int name(double wanted) \
    { \
        (void)wanted; \
        return 0; \
    }

#ifdef __AVX512F__
PEAK(peak_f2, 16, "vfmadd231ps %%zmm0, %%zmm1, %%zmm\\r")
#else
NONE(peak_f2)
#endif
#ifdef __AVX512BF16__
PEAK(peak_bf16, 32, "vdpbf16ps %%zmm0, %%zmm1, %%zmm\\r")
#else
NONE(peak_bf16)
#endif
#ifdef __AVX512VNNI__
PEAK(peak_i1, 64, "vpdpbusd %%zmm0, %%zmm1, %%zmm\\r")
#else
NONE(peak_i1)
#endif
#ifdef __AVX512VPOPCNTDQ__
PEAK(peak_b1, 512, "vpandd %%zmm0, %%zmm1, %%zmm2\n\tvpopcntd %%zmm2, %%zmm2\n\tvpaddd %%zmm2, %%zmm\\r, %%zmm\\r")
#else
NONE(peak_b1)
#endif
