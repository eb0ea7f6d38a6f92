/* The files of a command line, looked at before any work. */
#ifndef CORE_OPTION_PATHS_H
#define CORE_OPTION_PATHS_H

#include "core/options.h"

/* Whether every output can be written, and none would be written over an input that is still read, or over
 * another output. `operands` end with NULL; those that name no file are passed over. */
bool option_paths_check(const Option *options, char *const *operands, Error *error);

#endif
