/* live.h - which rows of some panels a search has to look at: a bit for each. */
#ifndef VB_LIVE_H
#define VB_LIVE_H

#include "kernels/contract.h"

/* Bits of the rows start to start + n that may be found (where NULL: all of them); returns how many there are. */
size_t vb_live_rows(const vb_where *where, size_t start, size_t n, uint32_t *live);

/* Clear the bits of rows that come after `most` equal ones, which go before them. run: how many equal rows there have been, at the
 * end of the panels before; bytes: from panel to panel. Returns how many rows are left. */
size_t vb_drop_repeats(const char *panels, size_t bytes, size_t n, size_t most, size_t *run, uint32_t *live);

#endif
