/* Memory whose size was checked before it is taken. */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* count × size bytes, zeroed, to be given to free(). For sizes that come from input: NULL with a message when
 * the product overflows or the memory is not there. */
void *memory_allocate(size_t count, size_t size, Error *error);

/* The same for the program's own small bookkeeping: ends the program with a message when there is no memory.
 */
void *memory_need(size_t count, size_t size);

/* `size` bytes, not zeroed, likewise: an allocator for libraries that do not bear the want of memory. */
void *memory_take(size_t size);

/* `size` bytes aligned to 64, not zeroed, likewise, to be given to free(); in large pages if they are many.
 */
void *memory_take_aligned(size_t size);

/* Asks the system for large pages, which take fewer faults and misses, where whole ones lie in a block. */
void memory_use_large_pages(void *block, size_t size);

/* `block` resized to count × size bytes, the new part not zeroed; ends the program when there is no memory.
 */
void *memory_resize(void *block, size_t count, size_t size);

/* A copy of `size` bytes with a NUL behind them. */
char *memory_copy_text(const char *bytes, size_t size);

/* Says that there is no memory, and returns false. */
bool memory_error(Error *error, size_t count, size_t size);

/* Ends the program (exit 1, nothing left behind): so much memory was needed. 0 × 0: it is not known how much.
 */
void memory_end(size_t count, size_t size) __attribute__((noreturn));

/* What to do, for the end of such a message: "use a smaller --batch-size". */
void memory_advise(const char *what);

/* Lets C++ libraries end the program so, too. */
void memory_watch_new(void);

/* These bytes of a mapped file will be read soon; the system may read them from the disk meanwhile. */
void memory_want(const void *bytes, size_t size);

/* What printf would print, to be freed; ends the program when there is no memory. */
char *memory_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Room for at least `needed` elements of an array that doubles as it grows. */
void *memory_grow(void *block, size_t *capacity, size_t needed, size_t size);

/* The largest record of a stream that is taken into memory: half of the machine's memory, or what was set. */
uint64_t memory_record_limit(void);
void memory_set_record_limit(uint64_t bytes);

#endif
