#include "data/split.h"

#include "core/memory.h"

#include <string.h>

static const char *const NAMES[] = {"train", "valid", "test", "next"};

const char *split_name(Split split) {
    return NAMES[split];
}

bool split_from_name(const char *name, Split *split) {
    for (int i = SPLIT_TRAIN; i <= SPLIT_TEST; i++) {
        if (strcmp(name, NAMES[i])) continue;
        *split = (Split)i;
        return true;
    }
    return false;
}

/* The last `most` of the user's sequence, without the last `held_out` of those. */
static Sequence last_of(const Behaviours *behaviours, size_t user, size_t most, size_t held_out) {
    const size_t start = behaviours->offsets[user], end = behaviours->offsets[user + 1];
    const size_t count = end - start < most ? end - start : most;
    return (Sequence){behaviours->sequences + end - count, count - held_out};
}

Sequence split_row(const Behaviours *behaviours, Split split, size_t user) {
    const size_t length = behaviours->options.max_seq_len;
    switch (split) {
    case SPLIT_VALID:
        return last_of(behaviours, user, length + 2, 1);
    case SPLIT_TEST:
        return last_of(behaviours, user, length + 1, 0);
    case SPLIT_NEXT:
        return last_of(behaviours, user, SIZE_MAX, 0);
    default:
        return last_of(behaviours, user, length + 3, 2);
    }
}

Sequence split_input(const Behaviours *behaviours, Split split, size_t user) {
    if (split == SPLIT_NEXT) return last_of(behaviours, user, behaviours->options.max_seq_len, 0);
    Sequence row = split_row(behaviours, split, user);
    row.count--;
    return row;
}

uint32_t split_target(const Behaviours *behaviours, Split split, size_t user) {
    const Sequence row = split_row(behaviours, split, user);
    return row.items[row.count - 1];
}

Sequence split_history(const Behaviours *behaviours, Split split, size_t user) {
    switch (split) {
    case SPLIT_VALID:
        return split_row(behaviours, SPLIT_TRAIN, user);
    case SPLIT_TEST:
        return split_row(behaviours, SPLIT_VALID, user);
    case SPLIT_NEXT:
        return split_row(behaviours, SPLIT_NEXT, user);
    default:
        return (Sequence){0};
    }
}

uint32_t *split_item_counts(const Behaviours *behaviours, Split split, Error *error) {
    uint32_t *counts = memory_allocate((size_t)behaviours->known_count + 1, sizeof *counts, error);
    if (!counts) return NULL;
    for (size_t user = 0; user < behaviours->user_count; user++) {
        const Sequence row = split_row(behaviours, split, user);
        for (size_t i = 0; i < row.count; i++)
            counts[row.items[i]]++;
    }
    return counts;
}

double *split_popularity(const Behaviours *behaviours, Error *error) {
    double *popularity = memory_allocate((size_t)behaviours->known_count + 1, sizeof *popularity, error);
    uint32_t *counts = popularity ? split_item_counts(behaviours, SPLIT_TRAIN, error) : NULL;
    if (!counts) {
        free(popularity);
        return NULL;
    }
    /* Two interactions of each user are held out. */
    const double total =
        (double)(behaviours->offsets[behaviours->user_count] - 2 * (size_t)behaviours->user_count);
    for (size_t i = 1; i <= behaviours->known_count; i++)
        popularity[i] = counts[i] / total;
    popularity[0] = 1;
    free(counts);
    return popularity;
}

bool *split_cold_targets(const Behaviours *behaviours, Split split, Error *error) {
    bool *cold = memory_allocate(behaviours->user_count, sizeof *cold, error);
    uint32_t *counts = cold ? split_item_counts(behaviours, SPLIT_TRAIN, error) : NULL;
    if (!counts) {
        free(cold);
        return NULL;
    }
    for (size_t user = 0; user < behaviours->user_count; user++)
        cold[user] = !counts[split_target(behaviours, split, user)];
    free(counts);
    return cold;
}
