/* Some users of a data set: what they met, and what a model recommends to them next. */
#ifndef REPORT_PEOPLE_H
#define REPORT_PEOPLE_H

#include "eval/top_k.h"

#include "core/error.h"
#include "core/name_table.h"

typedef struct Person {
    char *name;
    uint32_t *history;                    /* the last ones, the newest first */
    size_t history_count, history_length; /* shown, and of the whole history */
    TopK top;
} Person;

typedef struct People {
    char *by; /* the folder of the run that recommends */
    Person *list;
    size_t count;
    NameTable *names; /* item number i is name i − 1 */
} People;

enum { PERSON_SHOWN = 8 };

/* `count` users, evenly spread over the file, by the model and item vectors of a run's folder. On failure
 * there is nothing to free. */
bool people_read(People *people, const char *folder, const char *users, size_t count, Error *error);

/* {0} is allowed. */
void people_free(People *people);

#endif
