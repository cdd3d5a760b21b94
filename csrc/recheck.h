/* recheck.h - pairs that a float32 tile is not sure of, in float64 tiles of the same rows.
 *
 * What such a tile makes is no canonical value, but its error is known. Where the value, give or take that error, rounds to one
 * float32, that is what the canonical value rounds to: it stands, and nobody can tell which of the two was computed. So an element of
 * a matrix still depends on its two rows alone, though which way is taken depends on how many pairs of a tile are in doubt.
 */
#ifndef VB_RECHECK_H
#define VB_RECHECK_H

#include "tiles.h"

/* Room for the columns of a block, and for the rows of a group, in float64: they are made when first asked for. */
size_t vb_recheck_lay_out(const vb_tiling *tiling, size_t width, char *base, vb_wide_columns *columns,
                          vb_wide_rows *rows);

/* Tries the pairs whose bits are set in unsure[r], of row r of the group with panel p (n columns, `first` on): the bits of those that
 * it could settle are cleared, and their values, float32, are in place. */
void vb_recheck(const vb_tiling *tiling, vb_group *group, vb_columns *columns, size_t p, size_t first, size_t n,
                uint64_t *unsure, char *values, ptrdiff_t pitch);

#endif
