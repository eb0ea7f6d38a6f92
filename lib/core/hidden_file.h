/* The hidden file beside a target, .NAME. and 16 hexadecimal digits, that an output is until it is complete.
 * Its writer holds it locked (flock): one that nobody holds was left by a program that was killed. */
#ifndef CORE_HIDDEN_FILE_H
#define CORE_HIDDEN_FILE_H

#include <stdbool.h>

/* A name that nobody else has; to be freed. */
char *hidden_file_name(const char *target);

/* Locks a file until its descriptor is closed. False when somebody else removes it or has done so, which can
 * only be where it had its name before it was locked. */
bool hidden_file_lock(int descriptor);

/* Removes those of the target that nobody holds. Where locks or the folder's names cannot be had, none. */
void hidden_files_remove_left(const char *target);

#endif
