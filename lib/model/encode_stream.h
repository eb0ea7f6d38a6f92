/* What pm-encode-text and pm-encode-image do: items in, hidden states after K blocks out, window by window.
 */
#ifndef MODEL_ENCODE_STREAM_H
#define MODEL_ENCODE_STREAM_H

#include "core/dtype.h"
#include "core/options.h"
#include "model/modality.h"
#include "stream/shard.h"

typedef struct EncodeRequest {
    Modality modality;
    const char *encoder, *model; /* one of them: where the blocks come from */
    char *const *inputs;         /* one, or image stores; none is standard input */
    size_t input_count;
    const char *output;  /* "-" or NULL: standard output */
    bool resume;         /* go on where a killed run with it stopped, and leave what one can go on with */
    bool any_model;      /* hidden states that another model is known to have made will do */
    Shard shard;         /* of the input; {0} is all of it */
    int64_t blocks;      /* after how many to stop; −1: after the last */
    DType dtype;         /* of the hidden states that are written: f32, bf16, i8 */
    int level;           /* of compression: stream_writer_set_level */
    const char *device;  /* backend_find */
    const char *compute; /* "f32" or "bf16": the matrix products */
} EncodeRequest;

/* Tokens, pixels, an image store or hidden states → hidden states. Memory does not grow with the number of
 * items. States that are not finite are an error that names the item and the block where they arise. */
bool encode_stream(const EncodeRequest *request, const Program *program, Error *error);

#endif
