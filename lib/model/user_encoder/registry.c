#include "model/user_encoder/user_encoder.h"

#include "core/registry.h"

#include <string.h>

extern const UserEncoderKind user_encoder_sasrec, user_encoder_grurec, user_encoder_nextit;

static const void *const kinds[] = {
    &user_encoder_sasrec,
    &user_encoder_grurec,
    &user_encoder_nextit,
};

const UserEncoderKind *user_encoder_find(const char *name, Error *error) {
    return registry_find(kinds, sizeof kinds / sizeof *kinds, "user encoder", name, strlen(name), error);
}
