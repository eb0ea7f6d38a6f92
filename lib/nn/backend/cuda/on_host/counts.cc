#include "counts.h"

#include <cstdio>
#include <cstdlib>

static void print_counts() {
    const Counts &c = counts();
    std::fprintf(
        stderr,
        "{\"launches\": %llu, \"products\": %llu, \"waits\": %llu, \"uploaded\": %llu, \"downloaded\": %llu, "
        "\"copied\": %llu, \"gflop\": %.6g, \"product_bytes\": %.9g}\n",
        static_cast<unsigned long long>(c.launches), static_cast<unsigned long long>(c.products),
        static_cast<unsigned long long>(c.waits), static_cast<unsigned long long>(c.uploaded),
        static_cast<unsigned long long>(c.downloaded), static_cast<unsigned long long>(c.copied),
        c.operations * 1e-9, c.product_bytes);
}

Counts &counts() {
    static Counts *all;
    if (!all) {
        all = new Counts();
        if (std::getenv("PM_CUDA_COUNTS")) std::atexit(print_counts);
    }
    return *all;
}
