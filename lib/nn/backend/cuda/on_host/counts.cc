#include "counts.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

static void print_count(const char *name, uint64_t count) {
    std::fprintf(stderr, "\"%s\": %llu, ", name, static_cast<unsigned long long>(count));
}

static void print_counts() {
    const Counts &c = counts();
    std::fprintf(stderr, "{");
    print_count("launches", c.launches);
    print_count("products", c.products);
    print_count("waits", c.waits);
    print_count("uploads", c.up.calls);
    print_count("uploaded", c.up.bytes);
    print_count("downloads", c.down.calls);
    print_count("downloaded", c.down.bytes);
    print_count("copies", c.within.calls);
    print_count("copied", c.within.bytes);
    std::fprintf(stderr, "\"gflop\": %.6g, \"product_bytes\": %.9g}\n", c.operations * 1e-9, c.product_bytes);
}

Counts &counts() {
    static Counts *all;
    if (!all) {
        all = new Counts();
        const char *asked = std::getenv("PM_CUDA_COUNTS");
        if (asked) std::atexit(print_counts);
        all->dry = asked && !std::strcmp(asked, "dry");
    }
    return *all;
}
