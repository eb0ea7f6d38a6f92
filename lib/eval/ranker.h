/* What ranks items for users, from files: a model's user encoder and item vectors; or, for what needs no
 * model, the items alone. */
#ifndef EVAL_RANKER_H
#define EVAL_RANKER_H

#include "data/catalogue.h"
#include "eval/scorer.h"
#include "model/lineage.h"

/* The entries of --items, --catalog and --max-seq-len in a tool's options. */
#define OPTION_ITEM_VECTORS(path)                                                                            \
    {                                                                                                        \
        .name = "items", .kind = OPTION_PATH, .value = &(path), .argument = "ITEMS.pmt",                     \
        .help = "item vectors (pm-fuse)"                                                                     \
    }
#define OPTION_CATALOG(path)                                                                                 \
    {                                                                                                        \
        .name = "catalog", .kind = OPTION_PATH, .value = &(path), .argument = "ITEMS.tsv",                   \
        .help = "the items of a baseline, in place of --items"                                               \
    }
#define OPTION_MAX_INPUTS(number)                                                                            \
    {                                                                                                        \
        .name = "max-seq-len", .kind = OPTION_INTEGER, .value = &(number), .argument = "L",                  \
        .maximum = 65536, .help = "most inputs, the last; 0: the model's, or 20"                             \
    }

/* Of the items there is one, a stream of vectors or a catalogue; a model (NULL: none) needs vectors. */
typedef struct RankerFiles {
    const char *model, *items, *catalog;
    const char *device; /* of the user encoder and the scores: backend_find */
    bool any_model;     /* vectors that another model is known to have made will do */
} RankerFiles;

typedef struct Ranker {
    RankerFiles files;
    Settings settings; /* the model's, or the default ones */
    Lineage model;
    Recommender *recommender; /* with the user encoder alone; NULL: no model */
    FeatureStore vectors;
    Catalogue catalogue;
    float *padding; /* the padding item's vector */
    Tape *tape;
} Ranker;

/* Reads the files; on failure, too, the ranker is to be given to ranker_close. */
bool ranker_open(Ranker *ranker, const RankerFiles *files, Error *error);
void ranker_close(Ranker *ranker);

const NameTable *ranker_item_names(const Ranker *ranker);

/* The most inputs of a user: `asked`, or the model's where that is 0. More than the model has positions for
 * are an error: 0. */
uint32_t ranker_max_seq_len(const Ranker *ranker, int64_t asked, Error *error);

/* A scorer of items with numbers: rows[number] is the item in the stream of vectors. */
Scorer ranker_scorer(const Ranker *ranker, const uint32_t *rows);

#endif
