/* cpu.h - what this CPU and its operating system can run. */
#ifndef VB_CPU_H
#define VB_CPU_H

/* Feature bits. A level needs some of them (registry.c). */
enum {
    VB_CPU_AVX2 = 1,   /* AVX2 and FMA */
    VB_CPU_AVX512 = 2, /* AVX-512 F, VL, DQ, BW: Skylake-X and later, Zen 4 and later */
    VB_CPU_NEON = 4,
    VB_CPU_VNNI = 8, /* AVX-512 VNNI: Cascade Lake and later, Zen 4 and later */
};

/* Not cached: ask once. */
unsigned vb_cpu_features(void);

#endif
