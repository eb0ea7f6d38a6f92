/* Signals that ask a long piece of work to come to a good end: what is done is put away first. */
#ifndef CORE_INTERRUPT_H
#define CORE_INTERRUPT_H

#include <stdbool.h>

/* From now on the first SIGINT or SIGTERM is only noted; a second one ends the program as before. What is
 * ignored stays so. */
void interrupt_watch(void);

bool interrupt_noted(void);

/* What was noted, for messages: "SIGTERM". */
const char *interrupt_name(void);

/* The work is done: signals do again what they did before, and one that was noted does it now. */
void interrupt_release(void);

/* Ends the program as the noted signal would have. */
_Noreturn void interrupt_end(void);

#endif
