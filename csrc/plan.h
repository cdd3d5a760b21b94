/* plan.h - which way of searching is likely to be fastest. */
#ifndef VB_PLAN_H
#define VB_PLAN_H

#include "codes.h"

/* tiles: whether the rows can be met by tiles. */
/* wanted: the number of rows per query; tiles: whether the corpus can be met by tiles. */
vb_plan vb_choose_plan(const vb_request *request, size_t wanted, int tiles);

#endif
