#include "nn/operators/operators.h"

Tensor *cut_patches(Tape *tape, const float *pixels, size_t images, size_t channels, size_t size,
                    size_t patch) {
    const size_t side = size / patch, count = images * channels * size * size;
    Tensor *y = tape_tensor(tape, images * side * side, channels * patch * patch, false);
    tape->backend->rows->cut_patches(images, channels, size, patch,
                                     tape_upload(tape, pixels, count * sizeof *pixels), y->value);
    return y;
}
