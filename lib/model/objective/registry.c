#include "model/objective/objective.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const ObjectiveKind objective_dap, objective_nicl, objective_ncl, objective_icl, objective_vcl,
    objective_nid, objective_rcl;

static const ObjectiveKind *const kinds[] = {
    &objective_dap, &objective_nicl, &objective_ncl, &objective_icl,
    &objective_vcl, &objective_nid,  &objective_rcl,
};

static const ObjectiveKind *find(const char *name, size_t length, Error *error) {
    char names[256] = "";
    for (size_t i = 0, used = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strlen(kinds[i]->name) == length && !memcmp(kinds[i]->name, name, length)) return kinds[i];
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", kinds[i]->name);
    }
    error_set(error, "--objective: there is no '%.*s'; known are %s", (int)length, name, names);
    return NULL;
}

static bool add_part(ObjectiveParts *parts, const char *text, size_t length, Error *error) {
    const char *equals = memchr(text, '=', length);
    const size_t name = equals ? (size_t)(equals - text) : length;
    const ObjectiveKind *kind = find(text, name, error);
    if (!kind) return false;
    for (size_t i = 0; i < parts->count; i++)
        if (parts->kinds[i] == kind) return error_set(error, "--objective: %s stands twice", kind->name);
    if (parts->count == OBJECTIVE_MOST_PARTS)
        return error_set(error, "--objective: more than %d parts", OBJECTIVE_MOST_PARTS);
    double weight = 1;
    if (equals) {
        char *end;
        weight = strtod(equals + 1, &end);
        if (end != text + length || end == equals + 1 || !isfinite(weight) || weight <= 0)
            return error_set(error, "--objective: the weight of %s must be a number above 0, not '%.*s'",
                             kind->name, (int)(length - name - 1), equals + 1);
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
