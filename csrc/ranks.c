#include "ranks.h"

enum { GROUPS = 64, FEW_WANTED = 24 };

/* The k-th smallest (from 1) of n numbers, k <= FEW_WANTED: the smallest so far, in order. */
static float kth_of_few(const float *x, size_t n, size_t k)
{
    float least[FEW_WANTED];
    size_t held = 0;

    for (size_t j = 0; j < n; j++) {
        const float one = x[j];
        size_t i;
        if (held == k && !(one < least[k - 1]))
            continue;
        for (i = held < k ? held++ : k - 1; i > 0 && least[i - 1] > one; i--)
            least[i] = least[i - 1];
        least[i] = one;
    }
    return least[k - 1];
}

static void sort(float *x, size_t n)
{
    for (size_t j = 1; j < n; j++) {
        const float one = x[j];
        size_t i = j;
        for (; i > 0 && x[i - 1] > one; i--)
            x[i] = x[i - 1];
        x[i] = one;
    }
}

/* The k-th smallest (from 1) of n numbers, which change places: by halves, or sorted where that does not get on. */
static float kth_smallest(float *x, size_t n, size_t k)
{
    size_t from = 0, to = n;

    for (int turns = 0; to - from > 16 && turns < 24; turns++) {
        const float a = x[from], b = x[from + (to - from) / 2], c = x[to - 1];
        const float low = a < b ? a : b, high = a < b ? b : a, pivot = c < low ? low : c > high ? high : c;
        size_t i = from, j = to - 1;
        for (;;) {
            while (x[i] < pivot)
                i++;
            while (x[j] > pivot)
                j--;
            if (i >= j)
                break;
            const float swap = x[i];
            x[i++] = x[j];
            x[j--] = swap;
        }
        /* x[from .. i) <= pivot <= x(j .. to), and what is between is the pivot. */
        if (k - 1 < i && i < to)
            to = i;
        else if (k - 1 > j && j >= from)
            from = j + 1;
        else
            break;
    }
    sort(x + from, to - from);
    return x[k - 1];
}

/* Of few, the smallest of each of some groups are looked at: seldom is more than one of the k in a group. */
float vb_bar_among(const float *ranks, const float *doubts, size_t n, size_t k, float *work)
{
    size_t i = GROUPS;

    if (k > FEW_WANTED || n < 2 * GROUPS) {
        for (size_t j = 0; j < n; j++)
            work[j] = ranks[j] + doubts[j];
        return k > FEW_WANTED ? kth_smallest(work, n, k) : kth_of_few(work, n, k);
    }
    for (size_t j = 0; j < GROUPS; j++)
        work[j] = ranks[j] + doubts[j];
    for (; i + GROUPS <= n; i += GROUPS)
        for (size_t j = 0; j < GROUPS; j++) {
            const float x = ranks[i + j] + doubts[i + j];
            work[j] = x < work[j] ? x : work[j];
        }
    return kth_of_few(work, GROUPS, k);
}

size_t vb_rows_up_to(const float *ranks, float limit, size_t n, const int64_t *ids, int64_t *out)
{
    enum { PIECE = 32 };
    size_t count = 0;

    for (size_t j = 0; j < n; j += PIECE) {
        const size_t end = vb_min(j + PIECE, n);
        int any = 0;
        for (size_t i = j; i < end; i++)
            any |= !(ranks[i] > limit);
        for (size_t i = j; any && i < end; i++)
            if (!(ranks[i] > limit))
                out[count++] = ids[i];
    }
    return count;
}
