#include "stream/index_builder.h"

#include "core/memory.h"
#include "stream/index.h"
#include "stream/index_layout.h"
#include "stream/key_sort.h"

#include <xxhash.h>

struct IndexBuilder {
    StoredFrame *frames;
    size_t frame_count, frame_capacity;
    StoredKey *keys;
    size_t key_count, key_capacity;
    uint64_t length, plain, records; /* of the frames so far */
};

IndexBuilder *index_builder_create(void) {
    return memory_need(1, sizeof(IndexBuilder));
}

void index_builder_destroy(IndexBuilder *builder) {
    if (!builder) return;
    free(builder->frames);
    free(builder->keys);
    free(builder);
}

void index_builder_add_frame(IndexBuilder *builder, uint64_t size, uint64_t plain, uint64_t hash,
                             uint64_t records) {
    builder->frames = memory_grow(builder->frames, &builder->frame_capacity, builder->frame_count + 1,
                                  sizeof *builder->frames);
    builder->frames[builder->frame_count++] =
        (StoredFrame){builder->length, builder->plain, builder->records, hash};
    builder->length += size;
    builder->plain += plain;
    builder->records += records;
}

/* Beyond 2³² records the keys are left out. */
void index_builder_add_key(IndexBuilder *builder, const void *key, size_t size) {
    if (builder->key_count > UINT32_MAX) return;
    builder->keys =
        memory_grow(builder->keys, &builder->key_capacity, builder->key_count + 1, sizeof *builder->keys);
    builder->keys[builder->key_count] = (StoredKey){index_hash(key, size), (uint32_t)builder->key_count};
    builder->key_count++;
}

/* A skippable frame holds less than 4 GiB. */
static uint64_t keys_that_fit(const IndexBuilder *builder, uint64_t rest) {
    const bool fit = builder->key_count == builder->records &&
                     builder->key_count <= (UINT32_MAX - rest) / sizeof(StoredKey);
    return fit ? builder->key_count : 0;
}

bool index_builder_write(IndexBuilder *builder, FILE *file, const void *end, size_t end_size) {
    const size_t frames_size = builder->frame_count * sizeof *builder->frames;
    const uint64_t rest = sizeof(StoredHead) + frames_size + end_size + sizeof(StoredTail);
    if (rest > UINT32_MAX) return true; /* without an index, then */
    const uint64_t keys = keys_that_fit(builder, rest), size = rest + keys * sizeof *builder->keys;
    const StoredHead head = {INDEX_MAGIC,
                             (uint32_t)(size - 8),
                             builder->length,
                             builder->plain,
                             builder->records,
                             builder->frame_count,
                             keys,
                             end_size};
    StoredTail tail = {.size = size, .word = INDEX_WORD};
    XXH3_state_t *state = XXH3_createState();
    if (!state) memory_end(0, 0);
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, &head, sizeof head);
    XXH3_64bits_update(state, builder->frames, frames_size);
    XXH3_64bits_update(state, end, end_size);
    tail.check = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    if (keys) key_sort(builder->keys, builder->key_count);
    const bool fine = fwrite(&head, sizeof head, 1, file) == 1 &&
                      fwrite(builder->frames, 1, frames_size, file) == frames_size &&
                      fwrite(end, 1, end_size, file) == end_size &&
                      (!keys || fwrite(builder->keys, sizeof *builder->keys, keys, file) == keys) &&
                      fwrite(&tail, sizeof tail, 1, file) == 1;
    builder->frame_count = builder->key_count = 0;
    builder->length = builder->plain = builder->records = 0;
    return fine;
}
