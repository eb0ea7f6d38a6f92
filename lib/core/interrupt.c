#include "core/interrupt.h"

#include <signal.h>
#include <stdlib.h>

static const int signals[] = {SIGINT, SIGTERM};
enum { SIGNALS = sizeof signals / sizeof *signals };

static struct sigaction before[SIGNALS];
static volatile sig_atomic_t noted;

static void give_back(void) {
    for (int i = 0; i < SIGNALS; i++)
        if (before[i].sa_handler != SIG_IGN) sigaction(signals[i], &before[i], NULL);
}

static void note(int signal_number) {
    noted = signal_number;
    give_back();
}

void interrupt_watch(void) {
    struct sigaction ours = {.sa_handler = note, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigfillset(&ours.sa_mask);
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], NULL, &before[i]);
    for (int i = 0; i < SIGNALS; i++)
        if (before[i].sa_handler != SIG_IGN) sigaction(signals[i], &ours, NULL);
}

bool interrupt_noted(void) {
    return noted;
}

void interrupt_release(void) {
    give_back();
    if (noted) interrupt_end();
}

const char *interrupt_name(void) {
    return noted == SIGINT ? "SIGINT" : "SIGTERM";
}

_Noreturn void interrupt_end(void) {
    raise(noted);
    exit(128 + noted);
}
