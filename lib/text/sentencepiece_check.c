#include "text/sentencepiece_check.h"

#include "core/memory.h"

#include <string.h>

/* A piece of a protobuf message: a length-delimited field (its bytes), or another one (no bytes). */
typedef struct Field {
    uint64_t number;
    const uint8_t *bytes;
    size_t size;
} Field;

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
enum { MODEL_NORMALIZER = 3, NORMALIZER_CHARACTER_MAP = 2 };

static bool take_varint(const uint8_t **at, const uint8_t *end, uint64_t *value) {
    *value = 0;
    for (int shift = 0; *at < end && shift < 64; shift += 7) {
        const uint8_t byte = *(*at)++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

static bool take_field(const uint8_t **at, const uint8_t *end, Field *field) {
    uint64_t tag, size = 0;
    if (!take_varint(at, end, &tag)) return false;
    *field = (Field){.number = tag >> 3};
    switch (tag & 7) {
    case WIRE_VARINT:
        return take_varint(at, end, &size);
    case WIRE_64:
        size = 8;
        break;
    case WIRE_32:
        size = 4;
        break;
    case WIRE_BYTES:
        if (!take_varint(at, end, &size)) return false;
        field->bytes = *at;
        field->size = size;
        break;
    default:
        return false;
    }
    if (size > (size_t)(end - *at)) return false;
    *at += size;
    return true;
}

/* The character map: the byte size of a trie, the trie as a Darts double array of 32-bit units, and strings
 * that its leaves point to, each ended by a NUL. */
typedef struct CharacterMap {
    const uint8_t *units;
    uint32_t unit_count;
    size_t strings_size;
    uint8_t *matches; /* for each unit the most keys that end on one way down from it; UNSEEN before */
} CharacterMap;

/* libsentencepiece has room for 32 keys that begin each other. No key of a map is near as long as MAX_KEY. */
enum { MAX_MATCHES = 32, MAX_KEY = 256, UNSEEN = 255 };

static uint32_t read_u32(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static bool walk(CharacterMap *map, uint32_t unit, int depth, uint8_t *matches, Error *error);

/* Follows a unit's every child: unit `base` ^ byte is one when its label is that byte. */
static bool walk_children(CharacterMap *map, uint32_t base, int depth, uint8_t *most, Error *error) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint8_t matches;
        const uint32_t child = base ^ byte;
        if (child >= map->unit_count) return error_set(error, "its character map points outside itself");
        if ((read_u32(map->units + 4 * (size_t)child) & 0x800000ff) != byte) continue;
        if (!walk(map, child, depth + 1, &matches, error)) return false;
        if (matches > *most) *most = matches;
    }
    return true;
}

static bool walk(CharacterMap *map, uint32_t unit, int depth, uint8_t *matches, Error *error) {
    const uint32_t value = read_u32(map->units + 4 * (size_t)unit);
    const uint32_t offset = (value >> 10) << ((value & 0x200) >> 6), base = unit ^ offset;
    const bool has_leaf = value & 0x100;
    *matches = map->matches[unit];
    if (*matches != UNSEEN) return true;
    if (depth > MAX_KEY) return error_set(error, "its character map has no end");
    uint8_t most = 0;
    if (!walk_children(map, base, depth, &most, error)) return false;
    if (has_leaf && (read_u32(map->units + 4 * (size_t)base) & 0x7fffffff) >= map->strings_size)
        return error_set(error, "its character map points outside itself");
    *matches = map->matches[unit] = (uint8_t)(most + has_leaf);
    return *matches <= MAX_MATCHES || error_set(error, "its character map has too many keys in each other");
}

static bool check_character_map(const uint8_t *bytes, size_t size, Error *error) {
    if (!size) return true;
    const size_t trie_size = size > 4 ? read_u32(bytes) : 0;
    if (trie_size < 4 || trie_size % 4 || trie_size >= size - 4 || bytes[size - 1])
        return error_set(error, "its character map is cut or damaged");
    CharacterMap map = {bytes + 4, (uint32_t)(trie_size / 4), size - 4 - trie_size, NULL};
    map.matches = memory_need(map.unit_count, 1);
    memset(map.matches, UNSEEN, map.unit_count);
    uint8_t matches;
    const bool fine = walk(&map, 0, 0, &matches, error);
    free(map.matches);
    return fine;
}

static bool check_normalizer(const uint8_t *at, size_t size, Error *error) {
    const uint8_t *const end = at + size;
    while (at < end) {
        Field field;
        if (!take_field(&at, end, &field)) return error_set(error, "it is cut or damaged");
        if (field.number == NORMALIZER_CHARACTER_MAP && !check_character_map(field.bytes, field.size, error))
            return false;
    }
    return true;
}

bool sentencepiece_check(const uint8_t *bytes, size_t size, Error *error) {
    const uint8_t *at = bytes, *const end = bytes + size;
    if (!size) return error_set(error, "the file is empty");
    while (at < end) {
        Field field;
        if (!take_field(&at, end, &field)) return error_set(error, "it is cut or damaged");
        if (field.number == MODEL_NORMALIZER && field.bytes &&
            !check_normalizer(field.bytes, field.size, error))
            return false;
    }
    return true;
}
