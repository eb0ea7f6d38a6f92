#include "data/batch.h"

#include "core/memory.h"

#include <string.h>

static void order_as_read(Batches *batches) {
    for (uint32_t user = 0; user < batches->behaviours->user_count; user++)
        batches->order[user] = user;
}

bool batches_create(Batches *batches, const Behaviours *behaviours, Split split, uint32_t batch_size,
                    Error *error) {
    *batches = (Batches){.behaviours = behaviours, .split = split, .batch_size = batch_size};
    batches->order = memory_allocate(behaviours->user_count, sizeof *batches->order, error);
    if (!batches->order) return false;
    order_as_read(batches);
    return true;
}

void batches_free(Batches *batches) {
    free(batches->order);
    *batches = (Batches){0};
}

/* Users of every batch but perhaps the last. */
static size_t full_size(const Batches *batches) {
    return batches->batch_size ? batches->batch_size : batches->behaviours->user_count;
}

size_t batches_count(const Batches *batches) {
    const size_t size = full_size(batches);
    return (batches->behaviours->user_count + size - 1) / size;
}

void batches_shuffle(Batches *batches, Random *random) {
    if (!batches->batch_size) return;
    order_as_read(batches);
    random_shuffle(random, batches->order, batches->behaviours->user_count);
}

static Sequence row_of(const Batches *batches, uint32_t user) {
    return batches->split == SPLIT_TRAIN ? split_row(batches->behaviours, SPLIT_TRAIN, user)
                                         : split_input(batches->behaviours, batches->split, user);
}

static void add_rows(Batch *batch, const Batches *batches) {
    batch->offsets = memory_grow(batch->offsets, &batch->user_capacity, (size_t)batch->user_count + 1,
                                 sizeof *batch->offsets);
    batch->offsets[0] = batch->position_count = batch->longest = batch->step_count = 0;
    for (uint32_t i = 0; i < batch->user_count; i++) {
        const Sequence row = row_of(batches, batch->users[i]);
        const size_t end = batch->position_count + row.count;
        batch->items = memory_grow(batch->items, &batch->position_capacity, end, sizeof *batch->items);
        memcpy(batch->items + batch->position_count, row.items, row.count * sizeof *row.items);
        batch->offsets[i + 1] = batch->position_count = end;
        if (row.count > batch->longest) batch->longest = row.count;
        if (row.count) batch->step_count += row.count - 1;
    }
}

static void find_distinct(Batch *batch, uint32_t item_count) {
    if (batch->seen_count <= item_count) {
        free(batch->seen);
        batch->seen_count = (size_t)item_count + 1;
        batch->seen = memory_need(batch->seen_count, sizeof *batch->seen);
    }
    batch->indices =
        memory_grow(batch->indices, &batch->index_capacity, batch->position_count, sizeof *batch->indices);
    const size_t most = batch->position_count < item_count ? batch->position_count : item_count;
    batch->distinct = memory_grow(batch->distinct, &batch->distinct_capacity, most, sizeof *batch->distinct);
    batch->distinct_count = 0;
    for (size_t i = 0; i < batch->position_count; i++) {
        uint32_t *seen = &batch->seen[batch->items[i]];
        if (!*seen) {
            batch->distinct[batch->distinct_count] = batch->items[i];
            *seen = ++batch->distinct_count;
        }
        batch->indices[i] = *seen - 1;
    }
    for (uint32_t i = 0; i < batch->distinct_count; i++)
        batch->seen[batch->distinct[i]] = 0;
}

void batch_fill(Batch *batch, const Batches *batches, size_t number) {
    const size_t first = number * full_size(batches);
    const size_t left = batches->behaviours->user_count - first;
    batch->users = batches->order + first;
    batch->user_count = (uint32_t)(left < full_size(batches) ? left : full_size(batches));
    add_rows(batch, batches);
    find_distinct(batch, batches->behaviours->item_count);
}

void batch_free(Batch *batch) {
    free(batch->offsets);
    free(batch->items);
    free(batch->indices);
    free(batch->distinct);
    free(batch->seen);
    *batch = (Batch){0};
}

void batch_pad(const Batch *batch, const uint32_t *values, uint32_t padding, size_t width, uint32_t *out) {
    for (size_t b = 0; b < batch->user_count; b++, out += width) {
        const size_t end = batch->offsets[b + 1], length = end - batch->offsets[b];
        const size_t taken = length < width ? length : width;
        for (size_t i = 0; i < width - taken; i++)
            out[i] = padding;
        memcpy(out + width - taken, values + end - taken, taken * sizeof *values);
    }
}
