/* first_call.cpp - the header from C++, and a value before anybody has called vb_init(). */
#include <cstdio>

#include "vecblade.h"

int main()
{
    const float a[2] = {3.0f, 4.0f};
    const double value = vb_pair(VB_METRIC_DOT, VB_F32, a, a, 2);
    std::printf("%g, level %s\n", value, vb_level_active());
    return value != 25.0;
}
