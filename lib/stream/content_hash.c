#include "stream/content_hash.h"

#include "core/memory.h"

#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct ContentHash {
    XXH3_state_t *state;
};

ContentHash *content_hash_create(void) {
    ContentHash *hash = memory_need(1, sizeof *hash);
    hash->state = XXH3_createState();
    if (!hash->state) memory_end(0, 0);
    XXH3_128bits_reset(hash->state);
    return hash;
}

void content_hash_destroy(ContentHash *hash) {
    if (!hash) return;
    XXH3_freeState(hash->state);
    free(hash);
}

void content_hash_reset(ContentHash *hash) {
    XXH3_128bits_reset(hash->state);
}

void content_hash_update(ContentHash *hash, const void *bytes, size_t size) {
    if (size) XXH3_128bits_update(hash->state, bytes, size);
}

void content_hash_text(const ContentHash *hash, char text[CONTENT_HASH_TEXT]) {
    const XXH128_hash_t value = XXH3_128bits_digest(hash->state);
    snprintf(text, CONTENT_HASH_TEXT, "xxh3:%016llx%016llx", (unsigned long long)value.high64,
             (unsigned long long)value.low64);
}

json_t *content_of_hash(const ContentHash *hash) {
    char text[CONTENT_HASH_TEXT];
    content_hash_text(hash, text);
    return json_pack("{s:s}", "hash", text);
}

json_t *content_of_end(const json_t *end) {
    json_t *hash = json_object_get(end, "hash"), *inputs = json_object_get(end, "inputs");
    if (!json_is_string(hash)) return NULL;
    json_t *content = json_pack("{s:O}", "hash", hash);
    if (inputs) json_object_set(content, "inputs", inputs);
    return content;
}

static json_t *append_inputs(const json_t *inputs, const json_t *more) {
    json_t *joined = json_is_object(inputs) ? json_copy((json_t *)inputs) : json_object();
    const char *role;
    json_t *content;
    json_object_foreach((json_t *)more, role, content) {
        const json_t *known = json_object_get(joined, role);
        if (!known || json_is_null(known))
            json_object_set(joined, role, content);
        else if (!json_is_null(content) && !json_equal(known, content))
            json_object_set_new(joined, role, content_append(known, content));
    }
    return joined;
}

json_t *content_append(const json_t *content, const json_t *next) {
    ContentHash *hash = content_hash_create();
    const json_t *texts[] = {json_object_get(content, "hash"), json_object_get(next, "hash")};
    for (int i = 0; i < 2; i++)
        content_hash_update(hash, json_string_value(texts[i]), json_string_length(texts[i]));
    json_t *joined = content_of_hash(hash);
    content_hash_destroy(hash);
    const json_t *inputs = json_object_get(content, "inputs"), *more = json_object_get(next, "inputs");
    if (inputs || more) json_object_set_new(joined, "inputs", append_inputs(inputs, more));
    return joined;
}

json_t *content_extend(json_t *content, json_t *next) {
    if (!content) return next;
    json_t *joined = content_append(content, next);
    json_decref(content);
    json_decref(next);
    return joined;
}
