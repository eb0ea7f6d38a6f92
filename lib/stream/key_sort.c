#include "stream/key_sort.h"

/* By the bytes of a key from the most significant on: first all keys by the first, then those that have it in
 * common by the second, and so on. Each step swaps keys to where they belong (McIlroy, Bostic and McIlroy,
 * "Engineering Radix Sort", 1993). */
enum { BYTES = 12, HASH_BYTES = 8, VALUES = 256 };

/* So few are sorted by comparing. */
enum { FEW = 32 };

static unsigned byte_of(const StoredKey *key, int place) {
    const uint64_t bits = place < HASH_BYTES ? key->hash >> (8 * (HASH_BYTES - 1 - place))
                                             : key->number >> (8 * (BYTES - 1 - place));
    return bits & 0xff;
}

static void sort_few(StoredKey *keys, size_t count) {
    for (size_t i = 1; i < count; i++) {
        const StoredKey key = keys[i];
        size_t at = i;
        for (; at && stored_key_compare(&key, &keys[at - 1]) < 0; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

/* Those with value v of the byte come to stand from ends[v − 1] (0) to ends[v]. */
static void split_by_byte(StoredKey *keys, size_t count, int place, size_t ends[VALUES]) {
    size_t next[VALUES];
    for (size_t i = 0; i < count; i++)
        ends[byte_of(&keys[i], place)]++;
    for (unsigned value = 0; value < VALUES; value++) {
        next[value] = value ? ends[value - 1] : 0;
        ends[value] += next[value];
    }
    for (unsigned value = 0; value < VALUES; value++)
        while (next[value] < ends[value]) {
            const unsigned right = byte_of(&keys[next[value]], place);
            const StoredKey key = keys[next[value]];
            keys[next[value]] = keys[next[right]];
            keys[next[right]++] = key;
        }
}

static void sort_from(StoredKey *keys, size_t count, int place) {
    if (count <= FEW) {
        sort_few(keys, count);
        return;
    }
    size_t ends[VALUES] = {0};
    if (place == BYTES) return;
    split_by_byte(keys, count, place, ends);
    for (unsigned value = 0; value < VALUES; value++) {
        const size_t first = value ? ends[value - 1] : 0;
        sort_from(keys + first, ends[value] - first, place + 1);
    }
}

void key_sort(StoredKey *keys, size_t count) {
    sort_from(keys, count, 0);
}
