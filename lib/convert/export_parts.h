/* What the kinds of export share. */
#ifndef CONVERT_EXPORT_PARTS_H
#define CONVERT_EXPORT_PARTS_H

#include "arrays/array_writer.h"
#include "core/name_table.h"

typedef struct ExportRequest {
    char *const *inputs; /* several where they are image stores */
    size_t count;
    const char *output;
    const ArrayTarget *target;
} ExportRequest;

bool export_tensors(const ExportRequest *request, Error *error);

/* `tensor` is what a record of this kind of stream holds. */
bool export_items(const ExportRequest *request, const char *tensor, Error *error);

/* Of image stores. */
bool export_images(const ExportRequest *request, Error *error);

/* NAME.keys.tsv, where `output` is NAME and an ending; to be freed. */
char *export_keys_path(const char *output);

/* Writes the arrays, and beside them the keys, a line each, as NAME.keys.tsv, where the output is NAME and an
 * ending. Keys of other arrays never stand beside them. */
bool export_with_keys(const ExportRequest *request, const OutputArray *arrays, size_t count,
                      ArraySupply supply, const NameTable *keys, Error *error);

/* "…: changed while it was read" */
bool changed_error(const char *input, Error *error);

#endif
