#include "stream/record_spill.h"

#include "core/growing_memory.h"
#include "core/memory.h"

#include <string.h>

struct RecordSpill {
    GrowingMemory memory;
    unsigned char *packed, *copy; /* of the record that is put, and of the one that was got */
    size_t packed_capacity, copy_capacity;
};

/* A record is this, what its tensors are, its key and a NUL, and for each tensor its name, a NUL, and its
 * data. */
typedef struct Head {
    size_t size; /* of all */
    const char *stream;
    uint64_t number;
    size_t key_size, count;
} Head;

typedef struct TensorHead {
    DType dtype;
    int dimensions;
    uint64_t shape[TENSOR_MAX_DIMENSIONS];
} TensorHead;

RecordSpill *record_spill_create(size_t memory_limit) {
    RecordSpill *spill = memory_need(1, sizeof *spill);
    spill->memory = growing_memory_start(memory_limit);
    return spill;
}

void record_spill_destroy(RecordSpill *spill) {
    if (!spill) return;
    growing_memory_free(&spill->memory);
    free(spill->packed);
    free(spill->copy);
    free(spill);
}

static unsigned char *append(unsigned char *to, const void *bytes, size_t size) {
    if (size) memcpy(to, bytes, size);
    return to + size;
}

static size_t packed_size(const Record *record) {
    size_t size = sizeof(Head) + record->count * sizeof(TensorHead) + record->key_size + 1;
    for (size_t i = 0; i < record->count; i++)
        size += strlen(record->tensors[i].name) + 1 + record_tensor_bytes(&record->tensors[i]);
    return size;
}

bool record_spill_put(RecordSpill *spill, const Record *record, uint64_t *place, Error *error) {
    const Head head = {packed_size(record), record->stream, record->number, record->key_size, record->count};
    spill->packed = memory_grow(spill->packed, &spill->packed_capacity, head.size, 1);
    unsigned char *at = append(spill->packed, &head, sizeof head);
    for (size_t i = 0; i < record->count; i++) {
        TensorHead tensor = {record->tensors[i].dtype, record->tensors[i].dimensions, {0}};
        memcpy(tensor.shape, record->tensors[i].shape, (size_t)tensor.dimensions * sizeof *tensor.shape);
        at = append(at, &tensor, sizeof tensor);
    }
    at = append(append(at, record->key, record->key_size), "", 1);
    for (size_t i = 0; i < record->count; i++) {
        const RecordTensor *tensor = &record->tensors[i];
        at = append(at, tensor->name, strlen(tensor->name) + 1);
        at = append(at, tensor->data, record_tensor_bytes(tensor));
    }
    *place = spill->memory.size;
    return growing_memory_append(&spill->memory, spill->packed, head.size, error);
}

static void unpack(const unsigned char *bytes, Record *record) {
    const Head *head = (const void *)bytes;
    const TensorHead *tensors = (const void *)(head + 1);
    const char *at = (const void *)(tensors + head->count);
    *record = (Record){.key = at,
                       .key_size = head->key_size,
                       .count = head->count,
                       .stream = head->stream,
                       .number = head->number};
    at += head->key_size + 1;
    for (size_t i = 0; i < head->count; i++) {
        RecordTensor *tensor = &record->tensors[i];
        *tensor = (RecordTensor){.name = at, .dtype = tensors[i].dtype, .dimensions = tensors[i].dimensions};
        memcpy(tensor->shape, tensors[i].shape, sizeof tensor->shape);
        tensor->data = at + strlen(at) + 1;
        at = (const char *)tensor->data + record_tensor_bytes(tensor);
    }
}

bool record_spill_get(RecordSpill *spill, uint64_t place, Record *record, Error *error) {
    Head head;
    if (!growing_memory_read(&spill->memory, place, &head, sizeof head, error)) return false;
    spill->copy = memory_grow(spill->copy, &spill->copy_capacity, head.size, 1);
    if (!growing_memory_read(&spill->memory, place, spill->copy, head.size, error)) return false;
    unpack(spill->copy, record);
    return true;
}
