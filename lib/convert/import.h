/* Foreign files to tensor streams: what pm-import does. */
#ifndef CONVERT_IMPORT_H
#define CONVERT_IMPORT_H

#include "core/dtype.h"
#include "core/error.h"

#include <jansson.h>

typedef struct ImportRequest {
    const char *file;            /* what is imported */
    const char *output;          /* NULL: standard output */
    const char *items;           /* items.tsv, of an import by item */
    const char *array, *mask;    /* names in the file; no mask is NULL */
    const char *modality;        /* "text", "image"; NULL: of a mask or a name that says "text" is text */
    const char *config;          /* of an encoder its config.json, of a model its settings; NULL for none */
    const char *select, *rename; /* of a model or encoder, see tensor_choice.h; NULL for none */
    bool keep_dtype;             /* or else floats become `dtype` */
    DType dtype;
    const char *tool;
    json_t *options; /* for the provenance */
} ImportRequest;

/* A record an item, in the order of items.tsv. */
bool import_hidden(const ImportRequest *request, Error *error);
bool import_tokens(const ImportRequest *request, Error *error);
bool import_pixels(const ImportRequest *request, Error *error);
bool import_vectors(const ImportRequest *request, Error *error);

/* A record a tensor. */
bool import_encoder(const ImportRequest *request, Error *error);
bool import_model(const ImportRequest *request, Error *error);

#endif
