/* Where the handlers of signals run. oneDNN's products in f32 keep their data where the stack pointer points,
 * in the heap, and what the kernel lays down there for a handler would overwrite what lies before. */
#ifndef CORE_SIGNAL_STACK_H
#define CORE_SIGNAL_STACK_H

/* From now on handlers with SA_ONSTACK run on a stack of their own, and in the first thread: all others,
 * those of libraries too, are started without the signals that come from outside. */
void signal_stack_use(void);

#endif
