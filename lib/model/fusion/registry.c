#include "model/fusion/fusion.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

extern const FusionKind fusion_merge_attention, fusion_co_attention, fusion_sum, fusion_concat, fusion_film,
    fusion_gated, fusion_text_only, fusion_image_only;

static const FusionKind *const kinds[] = {
    &fusion_merge_attention, &fusion_co_attention, &fusion_sum,        &fusion_concat, &fusion_film,
    &fusion_gated,           &fusion_text_only,    &fusion_image_only,
};

const FusionKind *fusion_find(const char *name, Error *error) {
    char names[256] = "";
    for (size_t i = 0, used = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!strcmp(kinds[i]->name, name)) return kinds[i];
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", kinds[i]->name);
    }
    error_set(error, "there is no fusion '%s'; known are %s", name, names);
    return NULL;
}

bool fusion_check_heads(const Settings *settings, Error *error) {
    return settings->dim % settings->fusion_heads == 0 ||
           error_set(error, "--dim %" PRId64 " must be a multiple of --fusion-heads %" PRId64, settings->dim,
                     settings->fusion_heads);
}
