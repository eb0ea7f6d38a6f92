/* Whether streams and models belong together, as the hashes in their provenance tell (formats/stream.md).
 * What names no maker (an import, another program's stream) is taken as it is. */
#ifndef MODEL_LINEAGE_H
#define MODEL_LINEAGE_H

#include "core/options.h"
#include "model/modality.h"
#include "stream/reader.h"

/* The option that insists. */
#define OPTION_ANY_MODEL(flag)                                                                               \
    {                                                                                                        \
        .name = "any-model", .kind = OPTION_FLAG, .value = &(flag), .unrecorded = true,                      \
        .help = "also take streams that another model made"                                                  \
    }

/* A stream that was read to its end. */
typedef struct Lineage {
    const char *name; /* of the file, for messages */
    const json_t *header, *content;
} Lineage;

/* A lineage that outlives its reader; lineage_free. */
Lineage lineage_keep(const StreamReader *reader);
void lineage_free(Lineage *lineage);

/* Item vectors were made with the model, or are (or were made as) those that it was trained over. */
bool lineage_check_items(const Lineage *items, const Lineage *model, Error *error);

/* Hidden states stand where the model's own blocks or projections go on: they were made with it, or by the
 * encoder that it was trained above, after no more blocks than were frozen. */
bool lineage_check_hidden(const Lineage *hidden, const Lineage *model, Modality modality, Error *error);

/* Hidden states were made with this encoder. */
bool lineage_check_encoder(const Lineage *hidden, const Lineage *encoder, Error *error);

#endif
