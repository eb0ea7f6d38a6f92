/* What every program does before anything else, so that no failure is silent or leaves something behind. */
#ifndef CORE_START_H
#define CORE_START_H

/* Names the program in messages; gives closed standard descriptors a place, watches for signals, and lets
 * libraries that run out of memory end the program with a message. `name` must live as long as the program.
 */
void start_program(const char *name);

#endif
