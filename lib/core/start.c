#include "core/start.h"

#include "core/bus_error.h"
#include "core/cleanup.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/signal_stack.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

/* A descriptor that the caller closed would become that of some file of ours, and messages would go into it.
 * Opened the wrong way round, so that using it fails as it should. */
static void hold_standard_descriptors(void) {
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            return;
}

void start_program(const char *name) {
    log_open(name, LOG_NORMAL);
    hold_standard_descriptors();
    json_set_alloc_funcs(memory_take, free); /* else its failures would go unseen, and lose keys */
    memory_watch_new();
    signal_stack_use();
    cleanup_start();
    bus_error_watch();
}
