#include "stream/msgpack_scan.h"

#include <stdbool.h>

const ScanLimits scan_map_limits = {
    .bytes = 64 << 20,
    .elements = 1 << 20,
    .text = 64 << 20,
    .data_depth = SCAN_MAX_DEPTH + 1,
    .depth = SCAN_MAX_DEPTH,
};

typedef enum ValueKind { VALUE_BAD, VALUE_PLAIN, VALUE_TEXT, VALUE_BINARY, VALUE_ARRAY, VALUE_MAP } ValueKind;

typedef struct Value {
    ValueKind kind;
    unsigned width; /* bytes of the length that follow the first byte */
    uint64_t count; /* bytes, or members */
} Value;

/* The types 0xc0 … 0xdf of the msgpack specification. Extension types do not occur in a stream. */
static Value value_of_type(unsigned char type) {
    switch (type) {
    case 0xc0: /* nil, false, true */
    case 0xc2:
    case 0xc3:
        return (Value){VALUE_PLAIN, 0, 0};
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return (Value){VALUE_BINARY, 1u << (type - 0xc4), 0};
    case 0xca:
    case 0xcb:
        return (Value){VALUE_PLAIN, 0, 4u << (type - 0xca)};
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return (Value){VALUE_PLAIN, 0, 1u << (type - 0xcc)};
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return (Value){VALUE_PLAIN, 0, 1u << (type - 0xd0)};
    case 0xd9:
    case 0xda:
    case 0xdb:
        return (Value){VALUE_TEXT, 1u << (type - 0xd9), 0};
    case 0xdc:
    case 0xdd:
        return (Value){VALUE_ARRAY, 2u << (type - 0xdc), 0};
    case 0xde:
    case 0xdf:
        return (Value){VALUE_MAP, 2u << (type - 0xde), 0};
    default:
        return (Value){VALUE_BAD, 0, 0};
    }
}

static Value value_of_byte(unsigned char byte) {
    if (byte < 0x80 || byte >= 0xe0) return (Value){VALUE_PLAIN, 0, 0};
    if (byte < 0x90) return (Value){VALUE_MAP, 0, byte & 0x0f};
    if (byte < 0xa0) return (Value){VALUE_ARRAY, 0, byte & 0x0f};
    if (byte < 0xc0) return (Value){VALUE_TEXT, 0, byte & 0x1f};
    return value_of_type(byte);
}

static bool problem(MsgpackScan *scan, const char *what) {
    scan->problem = what;
    return false;
}

static bool enter(MsgpackScan *scan, const ScanLimits *limits, const Value *value) {
    const uint64_t members = value->kind == VALUE_MAP ? 2 * value->count : value->count;
    if (scan->depth >= limits->depth) return problem(scan, "nested too deeply");
    if (limits->members && value->kind == VALUE_MAP) return problem(scan, "a map within a record");
    if (limits->members && members > limits->members[scan->depth])
        return problem(scan, "more tensors, or members of a tensor, than are allowed");
    if (members > limits->elements - scan->elements) return problem(scan, "too many values");
    if (members) scan->left[scan->depth++] = members;
    return true;
}

static bool take(MsgpackScan *scan, const ScanLimits *limits, const Value *value) {
    if (value->kind == VALUE_BAD) return problem(scan, "not a msgpack type that occurs in a stream");
    if (++scan->elements > limits->elements) return problem(scan, "too many values");
    if (scan->depth) scan->left[scan->depth - 1]--;
    if (value->kind == VALUE_ARRAY || value->kind == VALUE_MAP) {
        if (!enter(scan, limits, value)) return false;
    } else {
        const bool data = value->kind == VALUE_BINARY && scan->depth >= limits->data_depth;
        if (value->count > limits->text && !data) return problem(scan, "a text or key is too long");
        scan->body = value->count;
    }
    while (scan->depth && !scan->left[scan->depth - 1])
        scan->depth--;
    return true;
}

ScanStatus msgpack_scan(MsgpackScan *scan, const ScanLimits *limits, const unsigned char *bytes,
                        size_t size) {
    do {
        const uint64_t there = size - scan->at < scan->body ? size - scan->at : scan->body;
        scan->at += there;
        scan->body -= there;
        if (scan->body) break;
        if (scan->elements && !scan->depth) return SCAN_WHOLE;
        if (scan->at == size) break;
        Value value = value_of_byte(bytes[scan->at]);
        if (size - scan->at < 1 + value.width) break;
        for (unsigned i = 0; i < value.width; i++)
            value.count = value.count << 8 | bytes[scan->at + 1 + i];
        if (!take(scan, limits, &value)) return SCAN_BAD;
        scan->at += 1 + value.width;
    } while (scan->at + scan->body <= limits->bytes);
    if (scan->at + scan->body <= limits->bytes) return SCAN_MORE;
    scan->problem = "larger than is allowed";
    return SCAN_BAD;
}
