/* How a failure travels: a function that can fail takes an `Error *` last and returns false (or NULL). The
 * message is set once, where most is known, and names the file, the record, what is wrong and what to do. */
#ifndef CORE_ERROR_H
#define CORE_ERROR_H

#include <stdbool.h>

typedef struct Error {
    char message[1024];
    bool of_machine; /* memory, descriptors or a disk failed, which says nothing about the input */
} Error;

/* Sets the message and returns false, so that `return error_set(error, …)` fails in one line. */
bool error_set(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As error_set, followed by ": " and the text of the current errno. */
bool error_set_errno(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts a prefix before the message that stands, for a caller that knows the file or the record. Returns
 * false. */
bool error_prefix(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
