/* Models as streams of named tensors (formats/models.md). */
#ifndef MODEL_MODEL_FILE_H
#define MODEL_MODEL_FILE_H

#include "nn/parameters.h"
#include "stream/reader.h"
#include "stream/writer.h"

/* Which tensors of a file are taken, and under which name. */
typedef struct ModelFilter {
    const char *transfer; /* NULL or "full": all; or a list of items, user, text, image and globs */
    const char *prefix;   /* put before each name of the file; NULL: none */
    const char *keep;     /* prefixes, "|" between them, of tensors that are kept as passengers; NULL: none */
    bool only_missing;    /* tensors that another file has given are passed over */
    const char *aside;    /* prefix of tensors that only become passengers of aside_set; NULL: none */
    ParameterSet *aside_set;
} ModelFilter;

/* What was found in a file. */
typedef struct ModelFound {
    size_t loaded, kept, left, aside;
    size_t passed; /* that another file had given */
} ModelFound;

/* Reads the tensors of an open stream of kind model or encoder into the parameters of the same names. A
 * transfer that matches no parameter, a tensor of another shape, and a value that is not finite are errors.
 */
bool model_file_read(StreamReader *reader, ParameterSet *set, const ModelFilter *filter, ModelFound *found,
                     Error *error);

/* An error that names the parameters without a value from a file, if there are any. */
bool model_file_check_complete(const ParameterSet *set, const char *name, Error *error);

/* Writes the parameters in f32, in the order of the set, then the passengers as they came. */
bool model_file_write(StreamWriter *writer, const ParameterSet *set, Error *error);

#endif
