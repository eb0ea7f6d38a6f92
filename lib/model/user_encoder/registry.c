#include "model/user_encoder/user_encoder.h"

#include <stdio.h>
#include <string.h>

extern const UserEncoderKind user_encoder_sasrec, user_encoder_grurec, user_encoder_nextit;

static const UserEncoderKind *const kinds[] = {
    &user_encoder_sasrec,
    &user_encoder_grurec,
    &user_encoder_nextit,
};

const UserEncoderKind *user_encoder_find(const char *name, Error *error) {
    char names[256] = "";
    for (size_t i = 0, used = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!strcmp(kinds[i]->name, name)) return kinds[i];
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", kinds[i]->name);
    }
    error_set(error, "there is no user encoder '%s'; known are %s", name, names);
    return NULL;
}
