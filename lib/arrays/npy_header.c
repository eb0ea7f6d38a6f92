#include "arrays/npy_header.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

/* What is left of the header's text. */
typedef struct Literal {
    const char *at, *end;
} Literal;

static void skip_spaces(Literal *literal) {
    while (literal->at < literal->end && isspace((unsigned char)*literal->at))
        literal->at++;
}

static bool take(Literal *literal, const char *word) {
    skip_spaces(literal);
    const size_t length = strlen(word);
    if ((size_t)(literal->end - literal->at) < length || memcmp(literal->at, word, length)) return false;
    literal->at += length;
    return true;
}

static bool take_string(Literal *literal, char *text, size_t size) {
    const char quote = take(literal, "'") ? '\'' : take(literal, "\"") ? '"' : 0;
    const char *close = quote ? memchr(literal->at, quote, (size_t)(literal->end - literal->at)) : NULL;
    if (!close || (size_t)(close - literal->at) >= size) return false;
    const size_t length = (size_t)(close - literal->at);
    memcpy(text, literal->at, length);
    text[length] = 0;
    literal->at = close + 1;
    return true;
}

static bool take_size(Literal *literal, uint64_t *size) {
    skip_spaces(literal);
    const char *start = literal->at;
    for (*size = 0; literal->at < literal->end && isdigit((unsigned char)*literal->at); literal->at++)
        if (__builtin_mul_overflow(*size, 10, size) ||
            __builtin_add_overflow(*size, (uint64_t)(*literal->at - '0'), size))
            return false;
    const bool any = literal->at > start;
    take(literal, "L"); /* as Python 2 wrote it */
    return any;
}

static bool take_shape(Literal *literal, NpyHeader *header, Error *error) {
    if (!take(literal, "(")) return error_set(error, "the shape in the .npy header is no tuple");
    for (header->dimensions = 0; !take(literal, ")");) {
        if (header->dimensions == TENSOR_MAX_DIMENSIONS)
            return error_set(error, "more than %d dimensions", TENSOR_MAX_DIMENSIONS);
        if (!take_size(literal, &header->shape[header->dimensions++]))
            return error_set(error, "the shape in the .npy header is no tuple of sizes");
        if (take(literal, ",")) continue;
        if (!take(literal, ")")) return error_set(error, "the shape in the .npy header is broken");
        break;
    }
    return true;
}

static bool take_type(Literal *literal, NpyHeader *header, Error *error) {
    static const struct {
        const char *name;
        ElementType type;
    } types[] = {{"f8", ELEMENT_F64}, {"f4", ELEMENT_F32}, {"f2", ELEMENT_F16}, {"i8", ELEMENT_I64},
                 {"i4", ELEMENT_I32}, {"i2", ELEMENT_I16}, {"i1", ELEMENT_I8},  {"u8", ELEMENT_U64},
                 {"u4", ELEMENT_U32}, {"u2", ELEMENT_U16}, {"u1", ELEMENT_U8},  {"b1", ELEMENT_BOOL}};
    char text[32];
    if (!take_string(literal, text, sizeof text))
        return error_set(error, "its elements are records; only plain numbers are supported");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (text[0] && strchr("<>|=", text[0]) && !strcmp(text + 1, types[i].name)) {
            header->type = types[i].type;
            header->big_endian = text[0] == '>';
            return true;
        }
    return error_set(error, "its elements are of type '%s'; only plain numbers are supported%s", text,
                     strchr(text, 'O') ? ", and pickled objects are never loaded" : "");
}

static bool take_entry(Literal *literal, NpyHeader *header, unsigned *seen, Error *error) {
    char key[32];
    if (!take_string(literal, key, sizeof key) || !take(literal, ":"))
        return error_set(error, "the .npy header is broken");
    if (!strcmp(key, "descr")) {
        *seen |= 1;
        return take_type(literal, header, error);
    }
    if (!strcmp(key, "shape")) {
        *seen |= 2;
        return take_shape(literal, header, error);
    }
    if (strcmp(key, "fortran_order")) return error_set(error, "unknown key '%s' in the .npy header", key);
    *seen |= 4;
    header->column_major = take(literal, "True");
    return header->column_major || take(literal, "False") ||
           error_set(error, "fortran_order is no truth value");
}

static bool parse_text(Literal literal, NpyHeader *header, Error *error) {
    unsigned seen = 0;
    if (!take(&literal, "{")) return error_set(error, "the .npy header is broken");
    while (!take(&literal, "}")) {
        if (!take_entry(&literal, header, &seen, error)) return false;
        if (!take(&literal, ",") && (skip_spaces(&literal), literal.at == literal.end || *literal.at != '}'))
            return error_set(error, "the .npy header is broken");
    }
    skip_spaces(&literal);
    return (seen == 7 && literal.at == literal.end) || error_set(error, "the .npy header is broken");
}

bool npy_header_parse(const unsigned char *bytes, size_t size, NpyHeader *header, Error *error) {
    *header = (NpyHeader){0};
    if (size < 12 || memcmp(bytes, "\x93NUMPY", 6)) return error_set(error, "not a .npy file, or cut short");
    const bool first_version = bytes[6] == 1;
    if (bytes[6] < 1 || bytes[6] > 3) return error_set(error, "version %d of .npy is not known", bytes[6]);
    uint32_t length = 0;
    memcpy(&length, bytes + 8, first_version ? 2 : 4);
    const size_t start = first_version ? 10 : 12;
    if (length > NPY_HEADER_LIMIT - start)
        return error_set(error, "a .npy header of %" PRIu32 " bytes; the limit is %d", length,
                         NPY_HEADER_LIMIT);
    if (length > size - start) return error_set(error, "cut short in its .npy header");
    header->size = start + length;
    return parse_text((Literal){(const char *)bytes + start, (const char *)bytes + header->size}, header,
                      error);
}

size_t npy_header_write(DType dtype, int dimensions, const uint64_t *shape, char header[NPY_HEADER_LIMIT]) {
    static const char *const types[DTYPE_COUNT] = {"<f4", "<f2", "<f4", "<i4", "<i8", "|u1", "|i1", "|b1"};
    enum { START = 10 };
    char *text = header + START;
    const size_t limit = NPY_HEADER_LIMIT - START;
    size_t used =
        (size_t)snprintf(text, limit, "{'descr': '%s', 'fortran_order': False, 'shape': (", types[dtype]);
    for (int i = 0; i < dimensions; i++)
        used += (size_t)snprintf(text + used, limit - used, "%" PRIu64 "%s", shape[i],
                                 i + 1 < dimensions ? ", "
                                 : dimensions == 1  ? ","
                                                    : "");
    used += (size_t)snprintf(text + used, limit - used, "), }");
    const size_t size = (START + used + 1 + 63) / 64 * 64, length = size - START;
    memset(text + used, ' ', length - used);
    text[length - 1] = '\n';
    memcpy(header, "\x93NUMPY\1\0", 8);
    header[8] = (char)(length & 0xff);
    header[9] = (char)(length >> 8);
    return size;
}
