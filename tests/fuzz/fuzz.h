/* A fuzz target is a file of this folder with one function, which libFuzzer calls with made-up bytes;
 * replay.c calls it with those of files. It must return whatever the bytes are, with nothing left in memory.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Writes the bytes to a file of this name in a folder of this process, for parsers that open files by
 * themselves, and returns its path, which is valid until the next call with that name. The folder goes at
 * exit. */
const char *fuzz_file(const char *name, const uint8_t *bytes, size_t size);

/* The folder of these files. */
const char *fuzz_folder(void);

/* Where a second part of the bytes begins: behind the first NUL, or at the end. */
size_t fuzz_second_part(const uint8_t *bytes, size_t size);

#endif
