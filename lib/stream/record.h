/* One record of a stream: a key and its tensors. formats/stream.md is the specification. */
#ifndef STREAM_RECORD_H
#define STREAM_RECORD_H

#include "core/dtype.h"
#include "core/error.h"

enum { RECORD_MAX_KEY = 65536, RECORD_MAX_NAME = 256, RECORD_MAX_TENSORS = 16, TENSOR_MAX_DIMENSIONS = 8 };

typedef struct RecordTensor {
    const char *name;
    DType dtype;
    int dimensions;
    uint64_t shape[TENSOR_MAX_DIMENSIONS];
    const void *data; /* row-major, little-endian, not aligned */
} RecordTensor;

typedef struct Record {
    const char *key; /* an item's or a tensor's name: any bytes, NUL behind them */
    size_t key_size;
    size_t count;
    RecordTensor tensors[RECORD_MAX_TENSORS];
    const char *stream; /* of a record that was read: where it stands, for messages */
    uint64_t number;    /* from 1 */
} Record;

enum { RECORD_WHERE_TEXT = 512 };

/* For messages: "text.pmt: record 12 ('v17')", strange bytes of the key escaped. */
void record_where(const Record *record, char where[RECORD_WHERE_TEXT]);

/* Within the limits of formats/stream.md? If not, the message says what is wrong, but not where. */
bool record_check(const Record *record, Error *error);

uint64_t record_tensor_elements(const RecordTensor *tensor);
size_t record_tensor_bytes(const RecordTensor *tensor);

enum { RECORD_TENSOR_TEXT = 192 };

/* For messages: "f32 [3,768]". */
void record_tensor_describe(const RecordTensor *tensor, char text[RECORD_TENSOR_TEXT]);

/* NULL when the record has no tensor of this name. */
const RecordTensor *record_find(const Record *record, const char *name);

/* The tensor `name` if its dtype is a float one (or, for wanted = DTYPE_I32, DTYPE_U8 …, exactly that) and it
 * has `dimensions` dimensions; otherwise NULL and a message that names the record, the tensor and what was
 * expected. */
const RecordTensor *record_need_float(const Record *record, const char *name, int dimensions, Error *error);
const RecordTensor *record_need(const Record *record, const char *name, DType wanted, int dimensions,
                                Error *error);

/* A tensor for a record to be written; shape values follow, `dimensions` of them, as uint64_t. */
RecordTensor record_tensor(const char *name, DType dtype, const void *data, int dimensions, ...);

#endif
