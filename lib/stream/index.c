#include "stream/index.h"

#include "core/memory.h"
#include "stream/content_hash.h"
#include "stream/index_layout.h"
#include "stream/msgpack_json.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t index_hash(const void *bytes, size_t size) {
    return XXH3_64bits(bytes, size);
}

static bool read_at(int file, uint64_t at, void *bytes, size_t size, Error *error) {
    unsigned char *to = bytes;
    while (size) {
        const ssize_t got = pread(file, to, size, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return error_set_errno(error, "cannot be read");
        if (!got) return error_set(error, "it was cut while it was read");
        to += got;
        at += (uint64_t)got;
        size -= (size_t)got;
    }
    return true;
}

static bool damaged(Error *error, const char *what) {
    return error_set(error, "its index is damaged (%s); `pm-cat --index - < OLD -o NEW` makes another", what);
}

/* Do the parts add up, within what lies before the index's end? */
static bool check_head(const StoredHead *head, uint64_t size, uint64_t end) {
    const uint64_t parts = sizeof *head + sizeof(StoredTail), room = size - parts;
    if (head->magic != INDEX_MAGIC || (uint64_t)head->size + 8 != size) return false;
    if (head->frames < 1 || head->frames > room / sizeof(StoredFrame)) return false;
    if (head->keys && head->keys != head->records) return false;
    if (head->keys > room / sizeof(StoredKey) || head->end_size > room) return false;
    if (head->frames * sizeof(StoredFrame) + head->keys * sizeof(StoredKey) + head->end_size != room)
        return false;
    return head->length >= 1 && head->length <= end - size && head->plain <= INT64_MAX &&
           head->records <= INT64_MAX;
}

/* Frames follow each other and fill the segment. */
static bool check_frames(const StoredHead *head, const StoredFrame *frames) {
    if (frames[0].offset || frames[0].plain || frames[0].first) return false;
    for (uint64_t i = 0; i < head->frames; i++) {
        const bool last = i + 1 == head->frames;
        const uint64_t offset = last ? head->length : frames[i + 1].offset,
                       plain = last ? head->plain : frames[i + 1].plain,
                       first = last ? head->records : frames[i + 1].first;
        if (frames[i].offset >= offset || frames[i].plain > plain || frames[i].first > first) return false;
    }
    return true;
}

/* Adds a segment before those that are there; what belongs to the whole stream is set by number_all. */
static void add_segment(StreamIndex *index, const StoredHead *head, const unsigned char *body,
                        uint64_t start) {
    const StoredFrame *stored = (const StoredFrame *)body;
    const size_t count = head->frames;
    index->frames = memory_resize(index->frames, index->frame_count + count, sizeof *index->frames);
    index->segments = memory_resize(index->segments, index->segment_count + 1, sizeof *index->segments);
    for (size_t i = 0; i < count; i++) { /* backwards, as the segments come */
        const StoredFrame *frame = &stored[count - 1 - i], *next = i ? frame + 1 : NULL;
        index->frames[index->frame_count + i] = (IndexFrame){
            .at = start + frame->offset,
            .size = (next ? next->offset : head->length) - frame->offset,
            .plain = (next ? next->plain : head->plain) - frame->plain,
            .records = (next ? next->first : head->records) - frame->first,
            .hash = frame->hash,
            .segment = index->segment_count,
        };
    }
    index->frame_count += count;
    IndexSegment segment = {.records = head->records, .keys = head->keys, .end_size = head->end_size};
    segment.keys_at = start + head->length + sizeof *head + count * sizeof *stored + head->end_size;
    segment.end = memory_need(head->end_size, 1);
    memcpy(segment.end, body + count * sizeof *stored, head->end_size);
    index->segments[index->segment_count++] = segment;
}

static bool begins_frame(int file, uint64_t at) {
    uint32_t magic;
    Error ignored;
    return read_at(file, at, &magic, sizeof magic, &ignored) && magic == FRAME_MAGIC;
}

/* The index that ends at `end`; *start is where its segment begins. *there = false when there is none. */
static bool load_segment(StreamIndex *index, uint64_t end, uint64_t *start, bool *there, Error *error) {
    StoredTail tail;
    StoredHead head;
    *there = false;
    if (end < sizeof head + sizeof tail) return true;
    if (!read_at(index->file, end - sizeof tail, &tail, sizeof tail, error)) return false;
    if (memcmp(tail.word, INDEX_WORD, sizeof tail.word)) return true;
    *there = true;
    if (tail.size < sizeof head + sizeof tail || tail.size > end) return damaged(error, "its size");
    if (!read_at(index->file, end - tail.size, &head, sizeof head, error)) return false;
    if (!check_head(&head, tail.size, end)) return damaged(error, "its counts do not agree");
    const size_t size = head.frames * sizeof(StoredFrame) + head.end_size;
    unsigned char *bytes = memory_allocate(sizeof head + size, 1, error);
    if (!bytes) return false;
    memcpy(bytes, &head, sizeof head);
    bool fine = read_at(index->file, end - tail.size + sizeof head, bytes + sizeof head, size, error);
    if (fine && index_hash(bytes, sizeof head + size) != tail.check)
        fine = damaged(error, "its hash is wrong");
    if (fine && !check_frames(&head, (const StoredFrame *)(bytes + sizeof head)))
        fine = damaged(error, "its frames do not follow each other");
    *start = end - tail.size - head.length;
    if (fine && !begins_frame(index->file, *start)) fine = damaged(error, "its segment's length");
    if (fine) add_segment(index, &head, bytes + sizeof head, *start);
    free(bytes);
    return fine;
}

/* Turns around what was read backwards, and counts over all segments. */
static void number_all(StreamIndex *index) {
    for (size_t i = 0, j = index->frame_count - 1; i < j; i++, j--) {
        const IndexFrame frame = index->frames[i];
        index->frames[i] = index->frames[j];
        index->frames[j] = frame;
    }
    for (size_t i = 0, j = index->segment_count - 1; i < j; i++, j--) {
        const IndexSegment segment = index->segments[i];
        index->segments[i] = index->segments[j];
        index->segments[j] = segment;
    }
    uint64_t start = 0;
    for (size_t i = 0; i < index->frame_count; i++) {
        IndexFrame *frame = &index->frames[i];
        frame->segment = index->segment_count - 1 - frame->segment;
        frame->start = start;
        frame->first = index->records;
        start += frame->plain;
        index->records += frame->records;
        if (i && frame->segment == frame[-1].segment) continue;
        index->segments[frame->segment].first_frame = i;
        index->segments[frame->segment].first = frame->first;
    }
}

bool stream_index_load(int file, StreamIndex **index, Error *error) {
    struct stat status;
    *index = NULL;
    if (fstat(file, &status)) return error_set_errno(error, "cannot be read");
    StreamIndex *loaded = memory_need(1, sizeof *loaded);
    loaded->file = file;
    uint64_t end = (uint64_t)status.st_size;
    bool fine = true, there = end > 0;
    while (fine && there && end)
        fine = load_segment(loaded, end, &end, &there, error);
    if (fine && there) {
        number_all(loaded);
        *index = loaded;
    } else {
        stream_index_free(loaded);
    }
    return fine;
}

void stream_index_free(StreamIndex *index) {
    if (!index) return;
    for (size_t i = 0; i < index->segment_count; i++)
        free(index->segments[i].end);
    free(index->segments);
    free(index->frames);
    free(index);
}

size_t stream_index_frame(const StreamIndex *index, uint64_t number) {
    size_t low = 0, high = index->frame_count; /* the last frame with fewer records before it */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (index->frames[middle].first < number)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static json_t *content_of_segment(const IndexSegment *segment, Error *error) {
    json_t *end = json_from_msgpack_bytes(segment->end, segment->end_size, error);
    json_t *content = end ? content_of_end(end) : NULL;
    if (end && !content) error_set(error, "no hash in it");
    json_decref(end);
    return content;
}

json_t *stream_index_content(const StreamIndex *index, Error *error) {
    json_t *content = NULL;
    for (size_t i = 0; i < index->segment_count; i++) {
        Error reason;
        json_t *next = content_of_segment(&index->segments[i], &reason);
        if (!next) {
            json_decref(content);
            damaged(error, reason.message);
            return NULL;
        }
        content = content_extend(content, next);
    }
    return content;
}

bool stream_index_has_keys(const StreamIndex *index) {
    for (size_t i = 0; i < index->segment_count; i++)
        if (index->segments[i].records && !index->segments[i].keys) return false;
    return true;
}

static bool read_keys(const StreamIndex *index, const IndexSegment *segment, uint64_t first, size_t count,
                      StoredKey *keys, Error *error) {
    return read_at(index->file, segment->keys_at + first * sizeof *keys, keys, count * sizeof *keys, error);
}

/* Keys `low` to `high` − 1 of a segment: those before are smaller than what is looked for, those behind are
 * not; `below` and `above` are hashes that are not larger and not smaller than theirs. */
typedef struct KeyRange {
    uint64_t low, high, below, above;
} KeyRange;

/* Where a hash should stand, as hashes are spread evenly. */
static uint64_t guess_place(const KeyRange *range, uint64_t hash) {
    if (range->above <= range->below) return range->low;
    const double part = (double)(hash - range->below) / (double)(range->above - range->below);
    const uint64_t place = range->low + (uint64_t)(part * (double)(range->high - range->low));
    return place < range->high ? place : range->high - 1;
}

/* The first key that is not smaller. Every other step halves what is left, however the hashes are spread. */
static bool find_place(const StreamIndex *index, const IndexSegment *segment, uint64_t hash, uint64_t *place,
                       Error *error) {
    enum { AT_ONCE = 256 };
    StoredKey keys[AT_ONCE];
    KeyRange range = {0, segment->keys, 0, UINT64_MAX};
    for (bool guess = true; range.low < range.high; guess = !guess) {
        const uint64_t middle = guess ? guess_place(&range, hash) : range.low + (range.high - range.low) / 2;
        const uint64_t start = middle - range.low < AT_ONCE / 2 ? range.low : middle - AT_ONCE / 2;
        const size_t count = range.high - start < AT_ONCE ? (size_t)(range.high - start) : AT_ONCE;
        if (!read_keys(index, segment, start, count, keys, error)) return false;
        if (keys[0].hash >= hash) {
            range.high = start;
            range.above = keys[0].hash;
        } else if (keys[count - 1].hash < hash) {
            range.low = start + count;
            range.below = keys[count - 1].hash;
        } else {
            for (range.low = start; keys[range.low - start].hash < hash;)
                range.low++;
            break;
        }
    }
    *place = range.low;
    return true;
}

static bool find_in_segment(const StreamIndex *index, const IndexSegment *segment, uint64_t hash,
                            uint64_t *numbers, size_t room, size_t *count, Error *error) {
    uint64_t low;
    StoredKey key;
    if (!find_place(index, segment, hash, &low, error)) return false;
    for (; low < segment->keys && *count < room; low++) {
        if (!read_keys(index, segment, low, 1, &key, error)) return false;
        if (key.hash != hash) break;
        if (key.number >= segment->records) return damaged(error, "a key of a record that is not there");
        numbers[(*count)++] = segment->first + key.number + 1;
    }
    return true;
}

bool stream_index_find(const StreamIndex *index, const void *key, size_t size, uint64_t *numbers, size_t room,
                       size_t *count, Error *error) {
    *count = 0;
    for (size_t i = 0; i < index->segment_count; i++)
        if (!find_in_segment(index, &index->segments[i], index_hash(key, size), numbers, room, count, error))
            return false;
    return true;
}

void index_key_sum_add(IndexKeySum *sum, uint64_t hash, uint32_t number) {
    const uint64_t mixed = (hash ^ (number + UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xbf58476d1ce4e5b9);
    sum->sum += hash;
    sum->mixed += mixed ^ (mixed >> 29);
}

bool stream_index_check_keys(const StreamIndex *index, size_t number, const IndexKeySum *want, Error *error) {
    enum { BLOCK = 4096 };
    const IndexSegment *segment = &index->segments[number];
    StoredKey keys[BLOCK], before = {0};
    IndexKeySum sum = {0};
    for (uint64_t i = 0; i < segment->keys; i += BLOCK) {
        const size_t count = segment->keys - i < BLOCK ? (size_t)(segment->keys - i) : BLOCK;
        if (!read_at(index->file, segment->keys_at + i * sizeof *keys, keys, count * sizeof *keys, error))
            return false;
        for (size_t j = 0; j < count; j++) {
            if ((i || j) && stored_key_compare(&before, &keys[j]) >= 0)
                return damaged(error, "its keys are not sorted");
            before = keys[j];
            index_key_sum_add(&sum, keys[j].hash, keys[j].number);
        }
    }
    const bool same = sum.sum == want->sum && sum.mixed == want->mixed;
    return same || !segment->keys || damaged(error, "its keys are not those of the records");
}
