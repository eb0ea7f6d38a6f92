/* What pm-recommend does: the best items for users, or those nearest to items. */
#ifndef EVAL_RECOMMEND_H
#define EVAL_RECOMMEND_H

#include "eval/ranker.h"

typedef struct RecommendRequest {
    RankerFiles files;
    const char *users;          /* histories; "-": standard input */
    const char *baseline;       /* instead of a model; NULL: none */
    const char *only, *without; /* files that name items; NULL: none */
    UnknownItems unknown_items;
    const char *users_out; /* a file for the users' vectors; NULL: none */
    const char *output;
    int64_t top;         /* items for each user; 0: none, for the vectors alone */
    int64_t max_seq_len; /* 0: the model's, or 20 */
    bool keep_history, json;
} RecommendRequest;

/* The whole history of a user is what is recommended after. Users are read and answered a block at a time;
 * for a baseline, which learns from them, all are read first. */
bool recommend(const RecommendRequest *request, Error *error);

/* Of the items with these names (or, one a line, of standard input where the only one is "-") those with the
 * highest cosine to them, themselves left out; takes files.items, only, without, top, output and json. */
bool recommend_similar(const RecommendRequest *request, char *const *names, size_t count, Error *error);

#endif
