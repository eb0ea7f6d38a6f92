/* The element types of foreign arrays, which are more than the stream's, and the way to the stream's. */
#ifndef ARRAYS_ELEMENT_H
#define ARRAYS_ELEMENT_H

#include "core/dtype.h"
#include "core/error.h"

typedef enum ElementType {
    ELEMENT_F64,
    ELEMENT_F32,
    ELEMENT_F16,
    ELEMENT_BF16,
    ELEMENT_I64,
    ELEMENT_I32,
    ELEMENT_I16,
    ELEMENT_I8,
    ELEMENT_U64,
    ELEMENT_U32,
    ELEMENT_U16,
    ELEMENT_U8,
    ELEMENT_BOOL,
    ELEMENT_COUNT
} ElementType;

size_t element_size(ElementType type);
const char *element_name(ElementType type);
bool element_is_float(ElementType type);

/* The dtype in which such elements travel: their own; f32 for f64; i32 for i16 and u16, i64 for u32 and u64.
 */
DType element_dtype(ElementType type);

/* `count` elements to `to`; neither needs to be aligned. A number that `to` cannot hold is an error, and so
 * is a float where an integer is wanted; a float that is not finite stays what it is. */
bool element_convert(ElementType from, const void *in, DType to, void *out, size_t count, Error *error);

/* 1 where an element is not zero. */
void element_to_mask(ElementType from, const void *in, unsigned char *mask, size_t count);

#endif
