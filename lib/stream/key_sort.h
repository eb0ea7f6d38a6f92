/* The order of the keys in an index. */
#ifndef STREAM_KEY_SORT_H
#define STREAM_KEY_SORT_H

#include "stream/index_layout.h"

#include <stddef.h>

/* As stored_key_compare has them, without memory beside them. */
void key_sort(StoredKey *keys, size_t count);

#endif
