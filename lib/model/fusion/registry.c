#include "model/fusion/fusion.h"

#include "core/registry.h"

#include <inttypes.h>
#include <string.h>

extern const FusionKind fusion_merge_attention, fusion_co_attention, fusion_sum, fusion_concat, fusion_film,
    fusion_gated, fusion_text_only, fusion_image_only;

static const void *const kinds[] = {
    &fusion_merge_attention, &fusion_co_attention, &fusion_sum,        &fusion_concat, &fusion_film,
    &fusion_gated,           &fusion_text_only,    &fusion_image_only,
};

const FusionKind *fusion_find(const char *name, Error *error) {
    return registry_find(kinds, sizeof kinds / sizeof *kinds, "fusion", name, strlen(name), error);
}

bool fusion_check_heads(const Settings *settings, Error *error) {
    return settings->dim % settings->fusion_heads == 0 ||
           error_set(error, "--dim %" PRId64 " must be a multiple of --fusion-heads %" PRId64, settings->dim,
                     settings->fusion_heads);
}
