/* NICL and its ablations (PMMRec): the first token of an item's text or image, told from those of other
 * users' items, belongs to the first token of its other modality and to the next item. */
#include "model/objective/objective.h"

#include <string.h>

/* Which pairs count, beside an item's own text and image and its text with images of others. */
typedef struct Variant {
    bool next_item;     /* positives: text and image of the next item */
    bool same_modality; /* negatives: texts of others for a text */
} Variant;

/* A list of candidates for each anchor or group, as it is filled. */
typedef struct Lists {
    size_t *offsets, count;
    uint32_t *candidates;
} Lists;

static Lists lists_create(Tape *tape, size_t count, size_t most) {
    Lists lists = {arena_take(tape->arena, count + 1, sizeof(size_t)), 0,
                   arena_take(tape->arena, most, sizeof(uint32_t))};
    lists.offsets[0] = 0;
    return lists;
}

static void lists_add(Lists *lists, size_t candidate) {
    lists->candidates[lists->offsets[lists->count + 1]++] = (uint32_t)candidate;
}

static void lists_begin(Lists *lists) {
    lists->offsets[lists->count + 1] = lists->offsets[lists->count];
}

static void lists_end(Lists *lists) {
    lists->count++;
}

static Segments lists_segments(const Lists *lists) {
    return (Segments){lists->count, lists->offsets};
}

/* The candidates are the other modality of each distinct item, and behind those the anchors' own, where they
 * are needed. An item counts as often as it stands in rows of other users. */
static float *count_candidates(Tape *tape, const TrainingRows *rows, Variant variant) {
    const size_t distinct = rows->distinct;
    float *weights = arena_take_zeroed(tape->arena, 2 * distinct, sizeof *weights);
    for (size_t p = 0; p < segments_rows(rows->rows); p++)
        weights[rows->items[p]] += 1;
    if (variant.same_modality) memcpy(weights + distinct, weights, distinct * sizeof *weights);
    return weights;
}

/* Of this rank's users; the anchors are the positions of their rows. */
static ContrastivePairs pair(Tape *tape, const ObjectiveInput *input, Variant variant) {
    const TrainingRows *rows = input->rows;
    const size_t first = objective_first_user(input), last = objective_end_user(input);
    const size_t start = rows->rows.offsets[first], positions = rows->rows.offsets[last] - start;
    const size_t distinct = rows->distinct;
    uint32_t *groups = arena_take(tape->arena, positions, sizeof *groups);
    Lists grouped = lists_create(tape, last - first, 2 * positions);
    Lists excluded = lists_create(tape, positions, 4 * positions);
    Lists positives = lists_create(tape, positions, 3 * positions);
    for (size_t user = first; user < last; user++) {
        const size_t end = rows->rows.offsets[user + 1];
        lists_begin(&grouped);
        for (size_t p = rows->rows.offsets[user]; p < end; p++) {
            const size_t item = rows->items[p], has_next = p + 1 < end, next = rows->items[p + has_next];
            groups[p - start] = (uint32_t)(user - first);
            lists_begin(&excluded), lists_begin(&positives);
            lists_add(&positives, item);
            if (variant.next_item && has_next) {
                lists_add(&positives, next);
                lists_add(&positives, distinct + next);
            }
            for (size_t same = 0; same < (variant.same_modality ? 2 : 1); same++) {
                lists_add(&grouped, same * distinct + item);
                lists_add(&excluded, same * distinct + item);
                lists_add(&excluded, same * distinct + next);
            }
            lists_end(&excluded), lists_end(&positives);
        }
        lists_end(&grouped);
    }
    return (ContrastivePairs){count_candidates(tape, rows, variant),
                              groups,
                              lists_segments(&grouped),
                              grouped.candidates,
                              lists_segments(&excluded),
                              excluded.candidates,
                              lists_segments(&positives),
                              positives.candidates};
}

/* The loss of the items in one modality against candidates of the other. */
static Tensor *one_way(Tape *tape, const ObjectiveInput *input, Variant variant,
                       const ContrastivePairs *pairs, Tensor *own, Tensor *other) {
    const TrainingRows *rows = input->rows;
    const size_t start = rows->rows.offsets[objective_first_user(input)];
    const size_t positions = rows->rows.offsets[objective_end_user(input)] - start;
    Tensor *anchors = gather_rows(tape, own, rows->items + start, positions), *candidates = other;
    if (variant.next_item || variant.same_modality) {
        size_t *offsets = arena_take(tape->arena, 2, sizeof *offsets);
        offsets[0] = 0, offsets[1] = rows->distinct;
        const Segments all = {1, offsets};
        candidates = join_segments(tape, other, all, own, all, &(Segments){0});
    }
    return contrastive_loss(tape, anchors, candidates, input->settings->temperature, pairs);
}

/* The first token of each of the batch's items, of which these are this rank's. */
static Tensor *first_tokens(Tape *tape, const ObjectiveInput *input, Tensor *tokens, Segments segments) {
    const BatchShares *shares = input->shares;
    const size_t own =
        shares ? segments_length(shares->items, (size_t)shares->ranks->rank) : input->rows->distinct;
    Tensor *first = normalise_rows(tape, segment_first(tape, tokens, (Segments){own, segments.offsets}));
    return shares ? objective_gather(tape, input, first, shares->items) : first;
}

static Tensor *contrast(Tape *tape, const ObjectiveInput *input, Variant variant) {
    const ItemTokens *tokens = input->tokens;
    const size_t positions = segments_rows(input->rows->rows);
    if (!positions) return NULL;
    Tensor *text = first_tokens(tape, input, tokens->text, tokens->text_segments);
    Tensor *image = first_tokens(tape, input, tokens->image, tokens->image_segments);
    const ContrastivePairs pairs = pair(tape, input, variant);
    Tensor *const losses[] = {one_way(tape, input, variant, &pairs, text, image),
                              one_way(tape, input, variant, &pairs, image, text)};
    Tensor *mean = weighted_sum(tape, losses, (const double[]){0.5, 0.5}, 2);
    return objective_share(tape, mean, pairs.excluded.count, positions);
}

#define KIND(kind, ...)                                                                                      \
    static Tensor *kind##_loss(const void *module, Tape *tape, const ObjectiveInput *input) {                \
        (void)module;                                                                                        \
        return contrast(tape, input, (Variant){__VA_ARGS__});                                                \
    }                                                                                                        \
    const ObjectiveKind objective_##kind = {.name = #kind, .needs_text_and_image = true, .loss = kind##_loss}

KIND(nicl, .next_item = true, .same_modality = true);
KIND(ncl, .next_item = true);
KIND(icl, .same_modality = true);
KIND(vcl, false);
