/* cpu.h - what this CPU and its operating system can run. */
#ifndef VB_CPU_H
#define VB_CPU_H

/* Feature bits. A level needs some of them (registry.c). */
enum {
    VB_CPU_AVX2 = 1,   /* AVX2, FMA and F16C: Haswell and later, Zen */
    VB_CPU_AVX512 = 2, /* AVX-512 F, VL, DQ, BW: Skylake-X and later, Zen 4 and later */
    VB_CPU_NEON = 4,
    VB_CPU_VNNI = 8,     /* AVX-512 VNNI: Cascade Lake and later, Zen 4 and later */
    VB_CPU_BF16 = 16,    /* AVX-512 BF16: Cooper Lake, Sapphire Rapids and later, Zen 4 and later */
    VB_CPU_POPCNT = 32,  /* AVX-512 VPOPCNTDQ: Ice Lake and later, Zen 4 and later */
    VB_CPU_DOTPROD = 64, /* Arm's dot products of bytes: Cortex-A76, Neoverse N1, Apple M1 and later */
};

/* Not cached: ask once. */
unsigned vb_cpu_features(void);

#endif
