/* What pm-fuse does: the last hidden states of texts and images in, one vector an item out. */
#ifndef MODEL_FUSE_STREAM_H
#define MODEL_FUSE_STREAM_H

#include "core/options.h"
#include "model/modality.h"

typedef struct FuseRequest {
    const char *model;
    const char *hidden[MODALITIES]; /* as far as the model's tower reads them; NULL where not */
    bool any_model;                 /* hidden states that another model is known to have made will do */
    const char *output;             /* "-" or NULL: standard output */
    const char *device;             /* backend_find */
    const char *compute;            /* "f32" or "bf16": the matrix products */
} FuseRequest;

/* An item that only one of two streams has is left out and counted. Memory does not grow with the number of
 * items that both streams hold in the same order. */
bool fuse_stream(const FuseRequest *request, const Program *program, Error *error);

#endif
