/* f32 → bf16, to the nearest, for the operands of products, and back. */
#ifndef NN_ROUNDING_H
#define NN_ROUNDING_H

#include <stddef.h>
#include <stdint.h>

void round_row(size_t count, const float *from, uint16_t *to);

/* bf16 → f32. */
void widen_row(size_t count, const uint16_t *from, float *to);

/* As round_row over large arrays, by all threads. */
void round_all(size_t count, const float *from, uint16_t *to);

#endif
