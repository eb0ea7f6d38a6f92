/* Items and their texts, tokenized by all threads and kept in order. */
#ifndef TEXT_TEXT_BATCH_H
#define TEXT_TEXT_BATCH_H

#include "text/tokenizer.h"

typedef struct TextRules {
    const Tokenizer *tokenizer;
    size_t max_tokens;
    bool keep_case;
    bool parse_special;
} TextRules;

typedef struct TextItem {
    const char *name; /* any bytes, NUL behind them */
    size_t name_size;
    const int32_t *ids;
    size_t count;
    bool cut; /* there were more ids than max_tokens */
} TextItem;

typedef struct TextBatch TextBatch;

TextBatch *text_batch_create(const TextRules *rules);
void text_batch_destroy(TextBatch *batch);

/* Copies an item with its text, well-formed UTF-8. False when the batch is full with it. */
bool text_batch_add(TextBatch *batch, const char *name, size_t name_size, const char *text, size_t text_size);

/* Tokenizes what was added. The message of the first item that fails names it. */
bool text_batch_encode(TextBatch *batch, Error *error);

size_t text_batch_count(const TextBatch *batch);
TextItem text_batch_item(const TextBatch *batch, size_t i);

/* Empties the batch for the next items. */
void text_batch_reset(TextBatch *batch);

#endif
