/* What the kinds of export share. */
#ifndef CONVERT_EXPORT_PARTS_H
#define CONVERT_EXPORT_PARTS_H

#include "arrays/array_writer.h"
#include "core/name_table.h"

typedef bool ArrayWrite(const char *path, const OutputArray *arrays, size_t count, ArraySupply supply,
                        Error *error);

bool export_tensors(const char *input, const char *output, ArrayWrite *write, Error *error);

/* `tensor` is what a record of this kind of stream holds. */
bool export_items(const char *input, const char *output, const char *tensor, ArrayWrite *write, Error *error);

/* Of an image store. */
bool export_images(const char *input, const char *output, ArrayWrite *write, Error *error);

/* Writes the keys, a line each, to NAME.keys.tsv, where `output` is NAME and an ending. */
bool export_keys(const char *output, const NameTable *keys, Error *error);

/* "…: changed while it was read" */
bool changed_error(const char *input, Error *error);

#endif
