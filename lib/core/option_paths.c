#include "core/option_paths.h"

#include "core/file.h"
#include "core/output_target.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *path_of(const Option *option) {
    return option->kind == OPTION_PATH ? *(const char *const *)option->value : NULL;
}

/* Devices and pipes may serve twice. */
static bool is_same_file(const struct stat *one, const struct stat *other) {
    return S_ISREG(one->st_mode) && one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

static bool is_file(const struct stat *status, const char *path) {
    struct stat other;
    return path && !stat(path, &other) && is_same_file(status, &other);
}

/* The input that is this file, or NULL. */
static const char *find_input(const Option *options, char *const *operands, const struct stat *status) {
    for (; options->name; options++)
        if (!options->output && is_file(status, path_of(options))) return path_of(options);
    for (; *operands; operands++)
        if (is_file(status, *operands)) return *operands;
    return NULL;
}

static bool refuse_input(const Option *options, char *const *operands, const struct stat *status,
                         const char *name, Error *error) {
    const char *input = find_input(options, operands, status);
    return !input || error_set(error, "%s is %s, which is read, and would be written over", name, input);
}

static bool refuse_other_outputs(const Option *option, const OutputTarget *target, Error *error) {
    for (const Option *other = option + 1; other->name; other++) {
        OutputTarget others;
        if (!other->output || !path_of(other) || !output_target_find(&others, path_of(other), error))
            continue;
        const bool same = output_target_is_same(target, &others);
        output_target_free(&others);
        if (same)
            return error_set(error, "--%s and --%s are the same file, %s", option->name, other->name,
                             path_of(other));
    }
    return true;
}

static bool check_output(const Option *options, const Option *option, char *const *operands, Error *error) {
    const char *path = path_of(option);
    OutputTarget target;
    if (!path || !strcmp(path, "-")) return true;
    if (!output_target_find(&target, path, error)) return false;
    const bool in_place = option->output == OPTION_IS_APPENDED || target.kind != TARGET_FILE;
    bool fine = !target.exists || !in_place || refuse_input(options, operands, &target.status, path, error);
    fine = fine && refuse_other_outputs(option, &target, error);
    if (fine && !(in_place && target.exists)) fine = output_file_probe(path, error);
    output_target_free(&target);
    return fine;
}

bool option_paths_check(const Option *options, char *const *operands, Error *error) {
    struct stat standard;
    if (!fstat(STDOUT_FILENO, &standard) &&
        !refuse_input(options, operands, &standard, "standard output", error))
        return false;
    for (const Option *option = options; option->name; option++)
        if (option->output && !check_output(options, option, operands, error)) return false;
    return true;
}
