#include "core/bus_error.h"

#include "core/cleanup.h"
#include "core/log.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct sigaction before;

/* Says which file is mapped at the address; false when none is. The signal comes from reading memory, never
 * from within malloc or stdio, so that both may be used. */
static bool report_file(uintptr_t address) {
    FILE *maps = fopen("/proc/self/maps", "re");
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;
    while (maps && !found && getline(&line, &capacity, maps) > 0) {
        uintptr_t first, end;
        int path = 0;
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &first, &end, &path) < 2 || address < first ||
            address >= end || line[path] != '/')
            continue;
        line[strcspn(line, "\n")] = 0;
        log_error("%s: the file became shorter while it was in use, or its disk cannot read it", line + path);
        found = true;
    }
    free(line);
    if (maps) fclose(maps);
    return found;
}

/* Of several threads that meet the hole at once, one reports it. */
static void fail(int signal_number, siginfo_t *information, void *context) {
    (void)context;
    static bool reported;
    while (__atomic_test_and_set(&reported, __ATOMIC_SEQ_CST))
        pause();
    if (report_file((uintptr_t)information->si_addr)) cleanup_and_fail();
    sigaction(signal_number, &before, NULL); /* no file's: what would have happened happens on return */
    __atomic_clear(&reported, __ATOMIC_SEQ_CST);
}

void bus_error_watch(void) {
    struct sigaction action = {.sa_sigaction = fail, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &before);
}
