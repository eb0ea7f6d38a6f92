#include "text/bpe_merge.h"

#include "core/memory.h"
#include "core/name_table.h"
#include "text/tokenizer_kind.h"

#include <string.h>

struct BpeMerges {
    NameTable *pairs; /* two ids as 8 bytes; the number of a pair is its rank */
    int32_t *merged;  /* the id that each becomes */
    size_t capacity;
};

typedef struct Pair {
    int32_t left, right;
} Pair;

static bool add_merge(BpeMerges *merges, const json_t *vocabulary, char *line, Error *error) {
    char *space = strchr(line, ' ');
    if (!space || space == line || !space[1] || strchr(space + 1, ' '))
        return error_set(error, "a line is two pieces with a space between them");
    *space = 0;
    const json_t *left = json_object_get(vocabulary, line), *right = json_object_get(vocabulary, space + 1);
    memmove(space, space + 1, strlen(space + 1) + 1);
    const json_t *merged = json_object_get(vocabulary, line);
    if (!left || !right || !merged)
        return error_set(error, "%s or a part of it is not in the vocabulary", line);
    const Pair pair = {(int32_t)json_integer_value(left), (int32_t)json_integer_value(right)};
    const size_t rank = name_table_add(merges->pairs, (const char *)&pair, sizeof pair, NULL);
    merges->merged = memory_grow(merges->merged, &merges->capacity, rank + 1, sizeof *merges->merged);
    merges->merged[rank] = (int32_t)json_integer_value(merged);
    return true;
}

BpeMerges *bpe_merges_read(const char *path, const json_t *vocabulary, ContentHash *hash, Error *error) {
    size_t size, number = 0;
    char *bytes = (char *)tokenizer_read_file(path, &size, hash, error);
    if (!bytes) return NULL;
    BpeMerges *merges = memory_need(1, sizeof *merges);
    merges->pairs = name_table_create();
    bool fine = true;
    for (char *rest = bytes, *line; fine && (line = strsep(&rest, "\n"));) {
        line[strcspn(line, "\r")] = 0;
        if (number++ == 0 && !strncmp(line, "#version", 8)) continue;
        if (*line && !add_merge(merges, vocabulary, line, error))
            fine = error_prefix(error, "%s:%zu: ", path, number);
    }
    free(bytes);
    if (fine) return merges;
    bpe_merges_free(merges);
    return NULL;
}

void bpe_merges_free(BpeMerges *merges) {
    if (!merges) return;
    name_table_destroy(merges->pairs);
    free(merges->merged);
    free(merges);
}

/* A merge that was possible when it was noted: it still is when left and right are what they were. */
typedef struct Candidate {
    size_t rank, at;
    Pair pair;
} Candidate;

typedef struct Heap {
    Candidate *candidates;
    size_t count, capacity;
} Heap;

static bool is_earlier(const Candidate *a, const Candidate *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void heap_push(Heap *heap, Candidate candidate) {
    heap->candidates = memory_grow(heap->candidates, &heap->capacity, heap->count + 1, sizeof candidate);
    size_t place = heap->count++;
    for (; place && is_earlier(&candidate, &heap->candidates[(place - 1) / 2]); place = (place - 1) / 2)
        heap->candidates[place] = heap->candidates[(place - 1) / 2];
    heap->candidates[place] = candidate;
}

static Candidate heap_pop(Heap *heap) {
    const Candidate top = heap->candidates[0], moved = heap->candidates[--heap->count];
    size_t place = 0;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child + 1 < heap->count && is_earlier(&heap->candidates[child + 1], &heap->candidates[child]))
            child++;
        if (child >= heap->count || !is_earlier(&heap->candidates[child], &moved)) break;
        heap->candidates[place] = heap->candidates[child];
        place = child;
    }
    heap->candidates[place] = moved;
    return top;
}

static void note_pair(const BpeMerges *merges, Heap *heap, const int32_t *ids, size_t at, size_t right) {
    const Pair pair = {ids[at], ids[right]};
    const size_t rank = name_table_find(merges->pairs, (const char *)&pair, sizeof pair);
    if (rank != SIZE_MAX) heap_push(heap, (Candidate){rank, at, pair});
}

enum { GONE = -1 }; /* the id of what was merged into its left neighbour */

void bpe_merge(const BpeMerges *merges, TokenIds *word) {
    const size_t count = word->count;
    int32_t *ids = word->ids;
    if (count < 2) return;
    size_t *next = memory_need(count, sizeof *next), *previous = memory_need(count, sizeof *previous);
    Heap heap = {0};
    for (size_t i = 0; i < count; i++) {
        next[i] = i + 1;
        previous[i] = i - 1; /* SIZE_MAX before the first */
        if (i + 1 < count) note_pair(merges, &heap, ids, i, i + 1);
    }
    while (heap.count) {
        const Candidate candidate = heap_pop(&heap);
        const size_t at = candidate.at, right = next[at];
        if (ids[at] != candidate.pair.left || right >= count || ids[right] != candidate.pair.right) continue;
        ids[at] = merges->merged[candidate.rank];
        ids[right] = GONE;
        next[at] = next[right];
        if (next[at] < count) {
            previous[next[at]] = at;
            note_pair(merges, &heap, ids, at, next[at]);
        }
        if (previous[at] != SIZE_MAX) note_pair(merges, &heap, ids, previous[at], at);
    }
    word->count = 0;
    for (size_t i = 0; i < count; i = next[i])
        word->ids[word->count++] = ids[i];
    free(heap.candidates);
    free(next);
    free(previous);
}
