#include "model/objective/objective.h"

#include "core/registry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const ObjectiveKind objective_dap, objective_nicl, objective_ncl, objective_icl, objective_vcl,
    objective_nid, objective_rcl;

static const void *const kinds[] = {
    &objective_dap, &objective_nicl, &objective_ncl, &objective_icl,
    &objective_vcl, &objective_nid,  &objective_rcl,
};

static bool add_part(ObjectiveParts *parts, const char *text, size_t length, Error *error) {
    const char *equals = memchr(text, '=', length);
    const size_t name = equals ? (size_t)(equals - text) : length;
    const ObjectiveKind *kind =
        registry_find(kinds, sizeof kinds / sizeof *kinds, "objective", text, name, error);
    if (!kind) return false;
    for (size_t i = 0; i < parts->count; i++)
        if (parts->kinds[i] == kind) return error_set(error, "%s stands twice", kind->name);
    if (parts->count == OBJECTIVE_MOST_PARTS)
        return error_set(error, "more than %d parts", OBJECTIVE_MOST_PARTS);
    double weight = 1;
    if (equals) {
        char *end;
        weight = strtod(equals + 1, &end);
        if (end != text + length || end == equals + 1 || !isfinite(weight) || weight <= 0)
            return error_set(error, "the weight of %s must be a number above 0, not '%.*s'", kind->name,
                             (int)(length - name - 1), equals + 1);
    }
    parts->kinds[parts->count] = kind;
    parts->weights[parts->count++] = weight;
    return true;
}

bool objective_parse(ObjectiveParts *parts, const char *text, Error *error) {
    *parts = (ObjectiveParts){0};
    for (;;) {
        const size_t length = strcspn(text, ",");
        if (!add_part(parts, text, length, error)) return false;
        if (!text[length]) return true;
        text += length + 1;
    }
}
