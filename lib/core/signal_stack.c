#include "core/signal_stack.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stddef.h>

void signal_stack_use(void) {
    static alignas(64) char bytes[1 << 16];
    sigaltstack(&(stack_t){.ss_sp = bytes, .ss_size = sizeof bytes}, NULL);
}

/* All but those that a thread's own faults raise. */
static void signals_from_outside(sigset_t *set) {
    static const int faults[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    sigfillset(set);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(set, faults[i]);
}

/* A sanitizer's, which must know of all threads; NULL in other builds. */
int __interceptor_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)
    __attribute__((weak));

/* In the C library's place, for OpenMP starts threads at any time. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context) {
    const __typeof__(&pthread_create) create =
        __interceptor_pthread_create ? __interceptor_pthread_create
                                     : (__typeof__(&pthread_create))dlsym(RTLD_NEXT, "pthread_create");
    sigset_t blocked, before;
    signals_from_outside(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    const int status = create(thread, attributes, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}
