#include "core/parallel.h"

#include "core/processor_quota.h"

#include <limits.h>
#include <omp.h>
#include <stdlib.h>
#include <unistd.h>

/* What the environment asks for, or the processors that the process may run on and has the time of. */
static int usual_threads(void) {
    static int asked = -1; /* before anything of ours was set */
    if (asked < 0) asked = getenv("OMP_NUM_THREADS") ? omp_get_max_threads() : 0;
    if (asked) return asked;
    const int processors = omp_get_num_procs(),
              quota = processor_quota("/proc/self/cgroup", "/sys/fs/cgroup");
    return quota && quota < processors ? quota : processors;
}

void parallel_set_threads(int threads) {
    const int usual = usual_threads();
    omp_set_dynamic(0);
    omp_set_num_threads(threads > 0 ? threads : usual);
}

int parallel_threads(void) {
    return omp_get_max_threads();
}

void parallel_wait_briefly(char **argv) {
    char path[PATH_MAX]; /* not /proc/self/exe itself, which would become the program's name in ps */
    if (omp_get_max_threads() == 1 || getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) return;
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) return;
    path[length] = 0;
    if (!setenv("GOMP_SPINCOUNT", "300", 1)) execv(path, argv);
}

bool parallel_start_thread(pthread_t *thread, void *(*run)(void *context), void *context) {
    enum { STACK_BYTES = 1 << 20 };
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    const bool fine = !pthread_create(thread, &attributes, run, context);
    pthread_attr_destroy(&attributes);
    return fine;
}
