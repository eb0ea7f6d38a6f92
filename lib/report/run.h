/* What a run of the pipelines left in its folder: log.jsonl, valid.json, test.json, ranks.tsv, model.pmt. */
#ifndef REPORT_RUN_H
#define REPORT_RUN_H

#include "core/error.h"
#include "core/name_table.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Epoch {
    int64_t epoch;
    double loss, hits; /* hits: HR@10 in validation; NaN where the log has none */
} Epoch;

typedef struct Run {
    char *folder;
    Epoch *epochs; /* none: nothing was trained, or not logged */
    size_t epoch_count, epoch_capacity;
    json_t *valid, *test; /* as pm-eval --json prints; NULL: not there */
    json_t *header;       /* of model.pmt; NULL: not there */
    NameTable *users;     /* of ranks.tsv; NULL: not there */
    double *ranks;        /* by number in `users` */
    size_t rank_capacity;
} Run;

/* Runs that differ by their seed: FOLDER/seed-1, FOLDER/seed-2, …; or one. */
typedef struct RunGroup {
    char *name; /* the last part of the folder */
    Run *runs;
    size_t count, capacity;
} RunGroup;

/* Reads FOLDER, or where it holds folders called seed-…, all of them. A folder with neither a log nor figures
 * is an error. On failure, too, the group is to be given to run_group_free. */
bool run_group_read(RunGroup *group, const char *folder, Error *error);
void run_group_free(RunGroup *group);

/* A metric of all runs of a group, such as "HR@10" of the test. */
typedef struct Spread {
    size_t count; /* of runs that have it */
    double mean, lowest, highest;
} Spread;
Spread run_group_spread(const RunGroup *group, bool test, const char *metric);

#endif
