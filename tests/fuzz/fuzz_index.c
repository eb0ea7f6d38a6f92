/* The index of a stream, and what is found by it. The bytes are a whole stream; the sizes and hashes of its
 * indices are put right, so that changes in them get past these. */
#include "fuzz.h"

#include "core/memory.h"
#include "stream/index_layout.h"
#include "stream/reader.h"

#include <stdlib.h>
#include <string.h>

/* Those of the index that ends at `end`; where its segment begins, or 0. */
static size_t put_right(uint8_t *bytes, size_t end) {
    StoredHead head;
    StoredTail tail;
    if (end < sizeof head + sizeof tail) return 0;
    memcpy(&tail, bytes + end - sizeof tail, sizeof tail);
    if (tail.size < sizeof head + sizeof tail || tail.size > end) return 0;
    uint8_t *start = bytes + end - tail.size;
    memcpy(&head, start, sizeof head);
    head.magic = INDEX_MAGIC;
    head.size = (uint32_t)tail.size - 8;
    memcpy(start, &head, sizeof head);
    const size_t room = tail.size - sizeof head - sizeof tail;
    if (head.frames <= room / sizeof(StoredFrame) &&
        head.end_size <= room - head.frames * sizeof(StoredFrame))
        tail.check = index_hash(start, sizeof head + head.frames * sizeof(StoredFrame) + head.end_size);
    memcpy(tail.word, INDEX_WORD, sizeof tail.word);
    memcpy(bytes + end - sizeof tail, &tail, sizeof tail);
    return head.length < end - tail.size ? end - tail.size - head.length : 0;
}

static void read_all(StreamReader *reader) {
    Error error;
    Record record;
    while (stream_reader_next(reader, &record, &error) == STREAM_RECORD)
        continue;
}

/* By key and by number, in any order. */
static void find(StreamReader *reader, const StreamIndex *index) {
    Error error;
    uint64_t numbers[4];
    size_t count;
    const uint64_t some[] = {index->records, 1, index->records / 2 + 1};
    json_decref(stream_index_content(index, &error));
    if (stream_index_has_keys(index)) stream_index_find(index, "a", 1, numbers, 4, &count, &error);
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        if (some[i] >= 1 && some[i] <= index->records &&
            stream_reader_seek(reader, some[i], index->records - some[i] + 1, &error))
            read_all(reader);
}

static void open_and_read(const char *path, bool by_index) {
    Error error;
    StreamReader *reader = stream_reader_open(path, &error);
    const StreamIndex *index = reader ? stream_reader_index(reader) : NULL;
    if (index && by_index)
        find(reader, index);
    else if (reader)
        read_all(reader);
    stream_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    uint8_t *copy = memory_need(size + 1, 1);
    if (size) memcpy(copy, bytes, size);
    for (size_t end = size; (end = put_right(copy, end));)
        continue;
    const char *path = fuzz_file("stream.pmt", copy, size);
    open_and_read(path, true);
    open_and_read(path, false);
    free(copy);
    return 0;
}
