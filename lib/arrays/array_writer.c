#include "arrays/array_writer.h"

#include <string.h>

const ArrayTarget *array_target_find(const char *path, Error *error) {
    static const ArrayTarget *const targets[] = {&safetensors_target, &npz_target, &npy_target};
    const char *ending = strrchr(path, '.');
    for (size_t i = 0; ending && i < sizeof targets / sizeof *targets; i++)
        if (!strcmp(ending, targets[i]->ending)) return targets[i];
    error_set(error, "%s: the name must end in .safetensors, .npz or .npy, which says what is written", path);
    return NULL;
}
