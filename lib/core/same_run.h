/* Whether what a run left unfinished is of the run that goes on with it. */
#ifndef CORE_SAME_RUN_H
#define CORE_SAME_RUN_H

#include "core/error.h"

#include <jansson.h>

/* Both are objects of all that the bytes of the result follow from, under the names of the options that say
 * so, or "input" for the operand: settings, and contents of files as objects. If not, the message names the
 * first difference and ends with the way out, such as "or --restart to begin anew". */
bool same_run(const json_t *theirs, const json_t *ours, const char *way_out, Error *error);

#endif
