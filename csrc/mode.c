#include "mode.h"

void vb_in_mode(uint64_t mode, void (*function)(void *), void *argument)
{
    void (*volatile call)(void *) = function;
    const uint64_t before = vb_mode_get();

    vb_mode_set((before & ~(uint64_t)VB_MODE_BITS) | (mode & VB_MODE_BITS));
    call(argument);
    vb_mode_set((vb_mode_get() & ~(uint64_t)VB_MODE_BITS) | (before & VB_MODE_BITS));
}

void vb_in_standard_mode(void (*function)(void *), void *argument) { vb_in_mode(VB_MODE_STANDARD, function, argument); }
