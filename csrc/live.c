#include "live.h"

#include <string.h>

#include "job.h"

/* In pairs, in fours, in bytes, and their sum. */
static unsigned count_bits(uint32_t x)
{
    x -= x >> 1 & 0x55555555u;
    x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);
    return ((x + (x >> 4)) & 0x0f0f0f0fu) * 0x01010101u >> 24;
}

/* The first of the ids that is not below `row`. */
static size_t first_id(const vb_where *where, int64_t row)
{
    size_t low = 0, high = where->eligible;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (where->ids[middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t vb_live_rows(const vb_where *where, size_t start, size_t n, uint32_t *live)
{
    const size_t panels = vb_divide_up(n, VB_PANEL);
    const uint8_t *mask = where ? where->mask : NULL, ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    size_t count = 0;

    for (size_t p = 0; p < panels; p++) {
        const size_t rows = vb_min(n - p * VB_PANEL, VB_PANEL);
        live[p] = rows < VB_PANEL ? ((uint32_t)1 << rows) - 1 : UINT32_MAX;
        for (size_t r = 0; mask && r < rows; r++) {
            const uint8_t *entry = mask + start + p * VB_PANEL + r;
            if (r % 8 == 0 && r + 8 <= rows && memcmp(entry, ones, 8) == 0)
                r += 7;
            else if (!*entry)
                live[p] &= ~((uint32_t)1 << r);
        }
    }
    if (where && where->ids) {
        memset(live, 0, panels * sizeof *live);
        for (size_t i = first_id(where, (int64_t)start); i < where->eligible; i++) {
            const size_t r = (size_t)where->ids[i] - start;
            if (r >= n)
                break;
            live[r / VB_PANEL] |= (uint32_t)1 << r % VB_PANEL;
        }
    }
    for (size_t p = 0; p < panels; p++)
        count += count_bits(live[p]);
    return count;
}

size_t vb_drop_repeats(const char *panels, size_t bytes, size_t n, size_t most, size_t *run, uint32_t *live)
{
    size_t count = 0;

    VB_ASSERT(most > 0);
    for (size_t p = 0; p < n; p++) {
        const uint32_t repeats = ((const vb_panel *)(panels + p * bytes))->repeats;
        if (repeats == 0) {
            *run = live[p] >> (VB_PANEL - 1);
        } else {
            for (unsigned r = 0; r < VB_PANEL; r++) {
                const uint32_t bit = (uint32_t)1 << r;
                *run = (repeats & bit ? *run : 0) + !!(live[p] & bit);
                if (*run > most)
                    live[p] &= ~bit;
            }
        }
        count += count_bits(live[p]);
    }
    return count;
}
