/* metrics.h - from sums to the values that users see, and what a bar says of the sums. */
#ifndef VB_METRICS_H
#define VB_METRICS_H

#include "apart.h"
#include "kernels/contract.h"
#include "numbers.h"

/* A metric of integer rows of d elements that are not zero, and whose geometry is the angle: from their sums alone. */
double vb_integer_angle(vb_metric metric, size_t d, double dot, double aa, double xx);

/* row /= |row|, d numbers in place; all NaN if the row has no direction (zero, infinite, NaN). */
void vb_unit(double *row, size_t d);

/* The metric's value that a score (epilogues.h) stands for, of rows of d elements; and the largest score of a row that
 * is at least as close as a threshold. */
double vb_score_value(vb_metric metric, size_t d, double score);
double vb_score_bar(vb_metric metric, size_t d, double threshold);

/* What the sums of a row with a score of at most `bar` satisfy: where the geometry is the square, the squared distance;
 * where it is the angle, the similarity. Looser than the rounding of the epilogues; of an angle also than that of the
 * sums, for beyond the edge a score is no function of them. */
double vb_most_square(vb_metric metric, double bar);
/* The same of rows that are multiplied by `scale`; slack: what more an unscaled squared distance may have. */
double vb_most_scaled_square(vb_metric metric, double bar, double slack, double scale);
double vb_least_cosine(vb_metric metric, size_t d, double bar);

#endif
