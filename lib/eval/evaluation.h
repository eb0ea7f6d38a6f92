/* What pm-eval does: a model, or a baseline, against the behaviours of a split. */
#ifndef EVAL_EVALUATION_H
#define EVAL_EVALUATION_H

#include "core/ranks.h"
#include "data/behaviours.h"
#include "data/split.h"
#include "eval/metrics.h"

#include <jansson.h>

typedef struct EvaluationRequest {
    const Ranks *processes;            /* each ranks a share of the users, and the first one reports */
    json_t *options;                   /* all that are in force, which they must have in common */
    const char *model, *users, *items; /* a model over item vectors */
    const char *baseline, *catalog;    /* or a baseline over the items of a catalogue or a stream */
    const char *device;                /* of the model: backend_find */
    const char *candidates;
    UnknownItems unknown_items;
    Split split;
    Cutoffs cutoffs;
    const char *ranks; /* a file for user TAB rank; NULL: none */
    bool json, cold, any_model;
    int64_t max_seq_len, min_seq_len; /* of a baseline; 0 with a model: the model's own */
} EvaluationRequest;

/* Prints the figures on standard output. */
bool evaluate(const EvaluationRequest *request, Error *error);

#endif
