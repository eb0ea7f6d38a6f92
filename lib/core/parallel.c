#include "core/parallel.h"

#include <omp.h>

void parallel_set_threads(int threads) {
    omp_set_dynamic(0);
    omp_set_num_threads(threads > 0 ? threads : omp_get_num_procs());
}

int parallel_threads(void) {
    return omp_get_max_threads();
}
