/* The items that may be recommended. */
#ifndef EVAL_CANDIDATE_LIST_H
#define EVAL_CANDIDATE_LIST_H

#include "core/error.h"
#include "core/name_table.h"

#include <stddef.h>
#include <stdint.h>

/* Those of `names` that the file `only` names (NULL: all) and the file `without` does not (NULL: none), as
 * numbers from 1, rising; to be freed. A line of the files is an item, and what follows a TAB is passed over.
 * An item that is not among the names, and no item left, are errors. */
uint32_t *candidate_list(const NameTable *names, const char *only, const char *without, size_t *count,
                         Error *error);

#endif
