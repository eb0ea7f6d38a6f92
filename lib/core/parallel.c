#include "core/parallel.h"

#include <limits.h>
#include <omp.h>
#include <stdlib.h>
#include <unistd.h>

void parallel_set_threads(int threads) {
    omp_set_dynamic(0);
    omp_set_num_threads(threads > 0 ? threads : omp_get_num_procs());
}

int parallel_threads(void) {
    return omp_get_max_threads();
}

void parallel_wait_passively(char **argv) {
    char path[PATH_MAX]; /* not /proc/self/exe itself, which would become the program's name in ps */
    if (omp_get_max_threads() == 1 || getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) return;
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) return;
    path[length] = 0;
    if (!setenv("OMP_WAIT_POLICY", "passive", 1)) execv(path, argv);
}
