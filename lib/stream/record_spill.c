#include "stream/record_spill.h"

#include "core/growing_memory.h"
#include "core/memory.h"

struct RecordSpill {
    GrowingMemory memory;
    unsigned char *copy;
    size_t capacity;
};

/* A record is this, its key and a NUL, and for each tensor its name, a NUL, and its data. The pointers in it
 * mean nothing. */
typedef struct Head {
    Record record;
    size_t size; /* of all */
} Head;

RecordSpill *record_spill_create(size_t memory_limit) {
    RecordSpill *spill = memory_need(1, sizeof *spill);
    spill->memory = growing_memory_start(memory_limit);
    return spill;
}

void record_spill_destroy(RecordSpill *spill) {
    if (!spill) return;
    growing_memory_free(&spill->memory);
    free(spill->copy);
    free(spill);
}

bool record_spill_put(RecordSpill *spill, const Record *record, uint64_t *place, Error *error) {
    GrowingMemory *memory = &spill->memory;
    Head head = {*record, sizeof head + record->key_size + 1};
    *place = memory->size;
    for (size_t i = 0; i < record->count; i++)
        head.size += strlen(record->tensors[i].name) + 1 + record_tensor_bytes(&record->tensors[i]);
    bool fine = growing_memory_append(memory, &head, sizeof head, error) &&
                growing_memory_append(memory, record->key, record->key_size, error) &&
                growing_memory_append(memory, "", 1, error);
    for (size_t i = 0; fine && i < record->count; i++) {
        const RecordTensor *tensor = &record->tensors[i];
        fine = growing_memory_append(memory, tensor->name, strlen(tensor->name) + 1, error) &&
               growing_memory_append(memory, tensor->data, record_tensor_bytes(tensor), error);
    }
    return fine;
}

bool record_spill_get(RecordSpill *spill, uint64_t place, Record *record, Error *error) {
    Head head;
    if (!growing_memory_read(&spill->memory, place, &head, sizeof head, error)) return false;
    spill->copy = memory_grow(spill->copy, &spill->capacity, head.size, 1);
    if (!growing_memory_read(&spill->memory, place, spill->copy, head.size, error)) return false;
    *record = head.record;
    char *at = (char *)spill->copy + sizeof head;
    record->key = at;
    at += record->key_size + 1;
    for (size_t i = 0; i < record->count; i++) {
        record->tensors[i].name = at;
        at += strlen(at) + 1;
        record->tensors[i].data = at;
        at += record_tensor_bytes(&record->tensors[i]);
    }
    return true;
}
