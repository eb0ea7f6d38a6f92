#include "core/registry.h"

#include <stdio.h>
#include <string.h>

const void *registry_find(const void *const *parts, size_t count, const char *what, const char *name,
                          size_t length, Error *error) {
    char names[512] = "";
    for (size_t i = 0, used = 0; i < count; i++) {
        const char *known = *(const char *const *)parts[i];
        if (strlen(known) == length && !memcmp(known, name, length)) return parts[i];
        const int wrote = snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", known);
        if (used + (size_t)wrote < sizeof names) used += (size_t)wrote;
    }
    error_set(error, "there is no %s '%.*s'; known are %s", what, (int)length, name, names);
    return NULL;
}
