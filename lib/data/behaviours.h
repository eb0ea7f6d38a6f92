/* users.tsv: user TAB items, oldest first (formats/behaviours.md), as sequences of numbered items. */
#ifndef DATA_BEHAVIOURS_H
#define DATA_BEHAVIOURS_H

#include "core/error.h"
#include "core/name_table.h"
#include "core/options.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* What to do with an item of a kept interaction that is not among the given items. Under REFUSE those of
 * dropped users and of interactions before the last L + 3 may be unknown, since nothing depends on them. */
typedef enum UnknownItems { UNKNOWN_ITEMS_REFUSE, UNKNOWN_ITEMS_DROP } UnknownItems;

/* The entry of --unknown-items in a tool's options. */
#define OPTION_UNKNOWN_ITEMS(unknown)                                                                        \
    {                                                                                                        \
        .name = "unknown-items", .kind = OPTION_CHOICE, .value = &(unknown), .argument = "WHAT",             \
        .choices = "error|drop", .help = "unknown items of users: error, drop"                               \
    }

typedef struct BehavioursOptions {
    uint32_t min_seq_len; /* at least 3: an input, a validation target and a test target; keep_all: 1 */
    uint32_t max_seq_len; /* L, at least 1 */
    UnknownItems unknown;
    const bool *left_out; /* [items]: names that stand for none (NULL: all do); not with keep_all */
    bool keep_all;        /* whole histories, to predict what comes after them: behaviours_reader_open */
} BehavioursOptions;

/* What was read, and what of it was dropped and why. */
typedef struct BehavioursCounts {
    uint64_t users_read, users_short; /* short: fewer than min_seq_len interactions */
    uint64_t interactions_read;
    uint64_t interactions_unknown; /* of items that are not among the given ones */
    uint64_t interactions_short;   /* of the users that are too short */
    uint64_t interactions_old;     /* before a user's last L + 3 */
} BehavioursCounts;

/* Users are numbered from 0 in the order of the file, kept items from 1 in the order of the given ones; 0 is
 * padding. Items that no kept interaction names come after, item_count + 1 … known_count, so that an array
 * over all items begins with that over the kept ones. */
typedef struct Behaviours {
    uint32_t user_count, item_count, known_count;
    size_t *offsets;        /* [user_count + 1], into sequences */
    uint32_t *sequences;    /* each user's last L + 3 interactions (keep_all: all), oldest first */
    uint32_t *item_rows;    /* [known_count + 1]: where item number i stands among the given names, from 0 */
    uint32_t *item_numbers; /* [given names]: the other way round; 0 for those that are left out */
    BehavioursCounts counts;
    NameTable *names;     /* of all users, also the dropped ones */
    uint32_t *user_names; /* [user_count], into names */
    BehavioursOptions options;
    char *source;    /* the file, for messages */
    json_t *content; /* for provenance */
} Behaviours;

/* Reads `path` ("-" or NULL: standard input). `items` are the item names in the order of items.tsv or of a
 * stream; neither they nor options->left_out are needed afterwards. An unknown item (unless dropped), a user
 * that stands twice, a malformed line, and a file that leaves no user are errors. On failure there is nothing
 * to free. */
bool behaviours_read(Behaviours *behaviours, const char *path, const NameTable *items,
                     const BehavioursOptions *options, Error *error);
void behaviours_free(Behaviours *behaviours);

/* Reads users a block at a time, with options.keep_all: what is in memory does not grow with the file. All
 * given items are kept, item i under the number i + 1; a user may stand in any number of lines. */
typedef struct BehavioursReader BehavioursReader;
BehavioursReader *behaviours_reader_open(const char *path, const NameTable *items,
                                         const BehavioursOptions *options, Error *error);
void behaviours_reader_close(BehavioursReader *reader);

/* The next users, at most `most`; none (user_count 0) at the end of the file. On failure there is nothing to
 * free. */
bool behaviours_reader_next(BehavioursReader *reader, size_t most, Behaviours *behaviours, Error *error);

/* The user's name, any bytes, NUL behind them; `size` may be NULL. */
const char *behaviours_user_name(const Behaviours *behaviours, size_t user, size_t *size);

/* What was kept and what was dropped, in one line of at most `size` bytes. */
void behaviours_describe(const Behaviours *behaviours, char *text, size_t size);

#endif
