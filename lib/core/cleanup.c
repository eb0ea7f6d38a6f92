#include "core/cleanup.h"

#include "core/memory.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* A handler may see the list at any moment, so it changes by one store at a time. */
typedef struct Unfinished {
    const char *volatile path;
    struct Unfinished *volatile next;
} Unfinished;

static Unfinished *volatile unfinished;
static void (*failure)(void);

static void remove_files(void) {
    for (const Unfinished *file = unfinished; file; file = file->next)
        if (file->path) unlink(file->path);
}

static void remove_and_die(int signal_number) {
    remove_files();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void watch_signal(int signal_number) {
    struct sigaction now, ours = {.sa_handler = remove_and_die, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigfillset(&ours.sa_mask);
    if (!sigaction(signal_number, NULL, &now) && now.sa_handler == SIG_DFL)
        sigaction(signal_number, &ours, NULL);
}

static bool ends_the_program(int signal_number) {
    static const int others[] = {SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU,
                                 SIGCHLD, SIGCONT, SIGURG,  SIGWINCH};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (signal_number == others[i]) return false;
    return true;
}

void cleanup_start(void) {
    static bool started;
    if (started) return;
    started = true;
    atexit(remove_files);
    for (int i = 1; i <= SIGRTMAX; i++)
        if (ends_the_program(i)) watch_signal(i);
}

void cleanup_add(const char *path) {
    Unfinished *file = unfinished;
    while (file && file->path)
        file = file->next;
    if (file) {
        file->path = path;
        return;
    }
    file = memory_need(1, sizeof *file);
    file->path = path;
    file->next = unfinished;
    unfinished = file;
}

void cleanup_forget(const char *path) {
    for (Unfinished *file = unfinished; file; file = file->next)
        if (file->path == path) file->path = NULL;
}

void cleanup_at_failure(void (*run)(void)) {
    failure = run;
}

_Noreturn void cleanup_and_fail(void) {
    remove_files();
    if (failure) failure();
    _exit(1);
}
