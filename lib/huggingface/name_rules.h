/* The names of foreign tensors: renaming, and what stands before all of them. */
#ifndef HUGGINGFACE_NAME_RULES_H
#define HUGGINGFACE_NAME_RULES_H

#include "core/error.h"
#include "core/name_table.h"

/* The name under the rules FROM=TO,… of --rename (NULL: none); to be freed. NULL with a message for rules
 * that are none. */
char *name_rules_apply(const char *rules, const char *name, Error *error);

/* The length of the "module.", "model." and "_orig_mod." that every name begins with. */
size_t name_wrapper_length(const NameTable *names);

/* Whether it names Hugging Face's buffer of position numbers. */
bool is_position_ids(const char *name);

#endif
