/* The bytes of a text file, which may be compressed by gzip or zstd; its first bytes say so, not its name. */
#ifndef DATA_TEXT_INPUT_H
#define DATA_TEXT_INPUT_H

#include "core/error.h"

#include <stddef.h>

typedef struct TextInput TextInput;

/* "-" or NULL is standard input. */
TextInput *text_input_open(const char *path, Error *error);
void text_input_close(TextInput *input);

/* The next bytes, at most `room`; *got is 0 at the end, and only there. A message does not name the file. */
bool text_input_read(TextInput *input, void *bytes, size_t room, size_t *got, Error *error);

#endif
