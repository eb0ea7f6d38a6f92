/* Ranks that were started with another program, other options or other files would compute nonsense, or wait
 * for each other forever: they are told apart at the start. To be called by all ranks. */
#ifndef CORE_RANKS_AGREE_H
#define CORE_RANKS_AGREE_H

#include "core/ranks.h"

#include <jansson.h>

/* Whether all run the same program, to the byte. */
bool ranks_agree_on_program(const Ranks *ranks, Error *error);

/* Whether all have the same values under the same names, which are called as the options are. */
bool ranks_agree(const Ranks *ranks, const json_t *own, Error *error);

#endif
