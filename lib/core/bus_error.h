/* Files that are read through memory: one that is cut meanwhile, or that its disk cannot give, is a signal
 * (SIGBUS) and no error code. */
#ifndef CORE_BUS_ERROR_H
#define CORE_BUS_ERROR_H

/* From now on such a signal is a message that names the file, and exit 1. */
void bus_error_watch(void);

#endif
