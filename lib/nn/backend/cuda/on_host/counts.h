/* What a program asked of the card: at its end a line of JSON on standard error, where the environment
 * variable PM_CUDA_COUNTS is set. With "dry" nothing is computed, but only counted. */
#ifndef CUDA_ON_HOST_COUNTS_H
#define CUDA_ON_HOST_COUNTS_H

#include <cstdint>

struct Transfers {
    uint64_t calls, bytes;
};

struct Counts {
    uint64_t launches, products;      /* of kernels; of matrices, each a launch more */
    uint64_t waits;                   /* of the host for the card */
    Transfers up, down, within;       /* to the card, to the host, from one place of the card to another */
    double operations, product_bytes; /* of the products */
    bool dry;
};

Counts &counts();

#endif
