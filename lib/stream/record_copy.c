#include "stream/record_copy.h"

#include "core/memory.h"

static const void *put(char **at, const void *bytes, size_t size) {
    char *start = *at;
    if (size) memcpy(start, bytes, size);
    *at += size;
    return start;
}

Record *record_copy(const Record *record, Error *error) {
    size_t size = sizeof *record + record->key_size + 1;
    for (size_t i = 0; i < record->count; i++)
        size += record_tensor_bytes(&record->tensors[i]) + strlen(record->tensors[i].name) + 1;
    Record *copy = memory_allocate(size, 1, error);
    if (!copy) return NULL;
    *copy = *record;
    char *at = (char *)(copy + 1);
    for (size_t i = 0; i < record->count; i++)
        copy->tensors[i].data = put(&at, record->tensors[i].data, record_tensor_bytes(&record->tensors[i]));
    for (size_t i = 0; i < record->count; i++)
        copy->tensors[i].name = put(&at, record->tensors[i].name, strlen(record->tensors[i].name) + 1);
    copy->key = put(&at, record->key, record->key_size); /* the block is zeroed: NUL is behind it */
    return copy;
}

void record_free(Record *record) {
    free(record);
}
