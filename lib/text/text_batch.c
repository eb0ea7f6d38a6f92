#include "text/text_batch.h"

#include "core/arena.h"
#include "core/memory.h"
#include "text/lowercase.h"

#include <string.h>

/* A full batch keeps every thread busy for a while and is small beside the tokenizer. */
enum { FULL_COUNT = 4096, FULL_BYTES = 4 << 20 };

typedef struct Entry {
    char *name, *text; /* in the arena */
    size_t name_size, text_size;
    TokenIds ids; /* kept from batch to batch */
    bool cut;
} Entry;

struct TextBatch {
    TextRules rules;
    Arena *texts;
    Entry entries[FULL_COUNT];
    size_t count;
};

TextBatch *text_batch_create(const TextRules *rules) {
    TextBatch *batch = memory_need(1, sizeof *batch);
    batch->rules = *rules;
    batch->texts = arena_create();
    return batch;
}

void text_batch_destroy(TextBatch *batch) {
    if (!batch) return;
    for (size_t i = 0; i < FULL_COUNT; i++)
        free(batch->entries[i].ids.ids);
    arena_destroy(batch->texts);
    free(batch);
}

static char *copy(TextBatch *batch, const char *bytes, size_t size) {
    char *kept = arena_take(batch->texts, size + 1, 1);
    memcpy(kept, bytes, size);
    kept[size] = 0;
    return kept;
}

bool text_batch_add(TextBatch *batch, const char *name, size_t name_size, const char *text,
                    size_t text_size) {
    Entry *entry = &batch->entries[batch->count++];
    entry->name = copy(batch, name, name_size);
    entry->name_size = name_size;
    entry->text = copy(batch, text, text_size);
    entry->text_size = text_size;
    return batch->count < FULL_COUNT && arena_used(batch->texts) < FULL_BYTES;
}

static bool encode_entry(const TextRules *rules, Entry *entry, Error *error) {
    size_t size = entry->text_size;
    char *lower = rules->keep_case ? NULL : lowercase(entry->text, size, &size);
    const bool fine = tokenizer_encode(rules->tokenizer, lower ? lower : entry->text, size, rules->max_tokens,
                                       rules->parse_special, &entry->ids, &entry->cut, error);
    free(lower);
    return fine || error_prefix(error, "item %s: ", entry->name);
}

bool text_batch_encode(TextBatch *batch, Error *error) {
    size_t failed = SIZE_MAX;
#pragma omp parallel for schedule(dynamic, 16)
    for (size_t i = 0; i < batch->count; i++) {
        Error reason;
        if (encode_entry(&batch->rules, &batch->entries[i], &reason)) continue;
#pragma omp critical
        if (i < failed) {
            failed = i;
            *error = reason;
        }
    }
    return failed == SIZE_MAX;
}

size_t text_batch_count(const TextBatch *batch) {
    return batch->count;
}

TextItem text_batch_item(const TextBatch *batch, size_t i) {
    const Entry *entry = &batch->entries[i];
    return (TextItem){entry->name, entry->name_size, entry->ids.ids, entry->ids.count, entry->cut};
}

void text_batch_reset(TextBatch *batch) {
    arena_reset(batch->texts);
    batch->count = 0;
}
