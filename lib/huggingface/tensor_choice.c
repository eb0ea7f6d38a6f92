#include "huggingface/tensor_choice.h"

#include "core/log.h"
#include "core/memory.h"
#include "huggingface/encoder_shapes.h"
#include "huggingface/name_rules.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>

static void leave(TensorChoices *choices, const char *name, const char *group, size_t group_size) {
    bool added;
    const size_t number = name_table_add(choices->left, group, group_size, &added);
    choices->left_counts =
        memory_grow(choices->left_counts, &choices->left_capacity, number + 1, sizeof *choices->left_counts);
    if (added) choices->left_counts[number] = 0;
    choices->left_counts[number]++;
    choices->left_total++;
    log_detail("left: %s", name);
}

/* What a left tensor is called in a report: its last word for position_ids, otherwise the first word of its
 * name behind `prefix`. */
static void leave_grouped(TensorChoices *choices, const char *name, const char *prefix) {
    const size_t length = strlen(prefix);
    const char *rest = strncmp(name, prefix, length) ? name : name + length;
    if (is_position_ids(name))
        leave(choices, name, "position_ids", strlen("position_ids"));
    else
        leave(choices, name, rest, strcspn(rest, "."));
}

static bool take(TensorChoices *choices, const char *name, const Array *array, Error *error) {
    bool added;
    const size_t number = name_table_add(choices->taken_names, name, strlen(name), &added);
    if (!added)
        return error_set(error, "%s: two tensors would be called %s", array_file_path(choices->file), name);
    choices->taken[number] = (TensorChoice){name_table_name(choices->taken_names, number, NULL), array};
    choices->taken_count = number + 1;
    return true;
}

static bool add_candidate(TensorChoices *choices, const Array *array, const char *name, Error *error) {
    bool added;
    const size_t number = name_table_add(choices->names, name, strlen(name), &added);
    if (!added)
        return error_set(error, "%s: --rename gives two tensors the name %s", array_file_path(choices->file),
                         name);
    choices->arrays[number] = array;
    return true;
}

bool tensor_choices_start(TensorChoices *choices, const ArrayFile *file, const char *select,
                          const char *rename, Error *error) {
    const size_t count = array_file_count(file);
    *choices = (TensorChoices){.file = file,
                               .names = name_table_create(),
                               .taken_names = name_table_create(),
                               .left = name_table_create(),
                               .arrays = memory_need(count, sizeof *choices->arrays),
                               .taken = memory_need(count, sizeof *choices->taken)};
    for (size_t i = 0; i < count; i++) {
        const Array *array = array_file_get(file, i);
        if (select && fnmatch(select, array->name, FNM_EXTMATCH)) {
            leave(choices, array->name, "unselected", strlen("unselected"));
            continue;
        }
        char *name = name_rules_apply(rename, array->name, error);
        const bool fine = name && add_candidate(choices, array, name, error);
        free(name);
        if (!fine) return false;
    }
    return name_table_count(choices->names) > 0 ||
           error_set(error, "%s: no tensor of it is called %s", array_file_path(file),
                     select ? select : "anything");
}

void tensor_choices_free(TensorChoices *choices) {
    name_table_destroy(choices->names);
    name_table_destroy(choices->taken_names);
    name_table_destroy(choices->left);
    free(choices->arrays);
    free(choices->taken);
    free(choices->left_counts);
    *choices = (TensorChoices){0};
}

static const char *candidate_name(const NameTable *names, size_t index) {
    return name_table_name(names, index, NULL);
}

/* What stands before `anchor` in the one name that ends in it and begins with `part`; to be freed. NULL
 * without a message when there is no such name. */
static char *find_prefix(const NameTable *names, const char *part, const char *anchor, Error *error) {
    char *found = NULL;
    error->message[0] = 0;
    for (size_t i = 0; i < name_table_count(names); i++) {
        const char *name = candidate_name(names, i);
        const size_t length = strlen(name), tail = strlen(anchor);
        if (length < tail || strcmp(name + length - tail, anchor) || strncmp(name, part, strlen(part)))
            continue;
        if (length > tail && name[length - tail - 1] != '.') continue;
        if (found) {
            error_set(error, "two encoders in it, under '%s' and '%.*s'; take one with --select", found,
                      (int)(length - tail), name);
            free(found);
            return NULL;
        }
        found = memory_copy_text(name, length - tail);
    }
    return found;
}

/* The candidate called prefix + name, or as older BERT checkpoints call layer norms; SIZE_MAX without one. */
static size_t find_tensor(const NameTable *names, const char *prefix, const char *name) {
    char *full = memory_format("%s%s", prefix, name);
    size_t number = name_table_find(names, full, strlen(full));
    static const char *const older[][2] = {{"LayerNorm.weight", "LayerNorm.gamma"},
                                           {"LayerNorm.bias", "LayerNorm.beta"}};
    for (size_t i = 0; i < 2 && number == SIZE_MAX; i++) {
        char *end = full + strlen(full) - strlen(older[i][0]);
        if (end < full || strcmp(end, older[i][0])) continue;
        const size_t kept = (size_t)(end - full);
        free(full);
        full = memory_format("%s%.*s%s", prefix, (int)(kept - strlen(prefix)), name, older[i][1]);
        number = name_table_find(names, full, strlen(full));
        break;
    }
    free(full);
    return number;
}

static bool check_tensor(const char *path, const Array *array, const EncoderShape *wanted, Error *error) {
    bool same = array->dimensions == wanted->dimensions && element_is_float(array->type);
    for (int i = 0; i < array->dimensions && same; i++)
        same = array->shape[i] == wanted->shape[i];
    if (same) return true;
    Array expected = {.type = ELEMENT_F32, .dimensions = wanted->dimensions};
    memcpy(expected.shape, wanted->shape, sizeof wanted->shape);
    char got_text[ARRAY_TEXT], want_text[ARRAY_TEXT];
    return error_set(error, "%s: %s is %s where the encoder's configuration means %s", path, array->name,
                     array_describe(array, got_text), array_describe(&expected, want_text));
}

static bool take_encoder(TensorChoices *choices, const char *prefix, const EncoderShape *wanted, size_t count,
                         Error *error) {
    const char *path = array_file_path(choices->file);
    bool *used = memory_need(name_table_count(choices->names), sizeof *used);
    bool fine = true;
    for (size_t i = 0; i < count && fine; i++) {
        const size_t number = find_tensor(choices->names, prefix, wanted[i].name);
        if (number == SIZE_MAX) {
            fine = error_set(error,
                             "%s: the encoder's tensor %s%s is missing; does the configuration belong to it?",
                             path, prefix, wanted[i].name);
            break;
        }
        used[number] = true;
        fine = check_tensor(path, choices->arrays[number], &wanted[i], error) &&
               take(choices, wanted[i].name, choices->arrays[number], error);
    }
    for (size_t i = 0; i < name_table_count(choices->names) && fine; i++)
        if (!used[i]) leave_grouped(choices, candidate_name(choices->names, i), prefix);
    free(used);
    return fine;
}

bool tensor_choices_encoder(TensorChoices *choices, const json_t *config, Error *error) {
    const char *path = array_file_path(choices->file), *anchor = encoder_anchor(config);
    char *prefix = find_prefix(choices->names, "", anchor, error);
    if (!prefix && error->message[0]) return error_prefix(error, "%s: ", path);
    if (!prefix)
        return error_set(error, "%s: no %s encoder in it (no tensor's name ends in %s)", path,
                         json_string_value(json_object_get(config, "architecture")), anchor);
    size_t count;
    EncoderShape *wanted = encoder_shapes(config, &count);
    const bool fine = take_encoder(choices, prefix, wanted, count, error);
    free(wanted);
    free(prefix);
    return fine;
}

bool tensor_choices_model(TensorChoices *choices, Error *error) {
    const size_t wrapped = name_wrapper_length(choices->names);
    for (size_t i = 0; i < name_table_count(choices->names); i++) {
        const char *name = candidate_name(choices->names, i) + wrapped;
        const Array *array = choices->arrays[i];
        if (is_position_ids(name) && !element_is_float(array->type))
            leave_grouped(choices, name, "");
        else if (!take(choices, name, array, error))
            return false;
    }
    return true;
}

bool tensor_choices_check_encoder(const TensorChoices *choices, const char *part, const json_t *config,
                                  Error *error) {
    const char *path = array_file_path(choices->file);
    char *prefix = find_prefix(choices->taken_names, part, encoder_anchor(config), error);
    if (!prefix && error->message[0]) return error_prefix(error, "%s: ", path);
    if (!prefix)
        return error_set(error, "%s: the configuration describes a %s encoder, but under %s* there is none",
                         path, json_string_value(json_object_get(config, "architecture")), part);
    size_t count;
    EncoderShape *wanted = encoder_shapes(config, &count);
    bool fine = true;
    for (size_t i = 0; i < count && fine; i++) {
        const size_t number = find_tensor(choices->taken_names, prefix, wanted[i].name);
        if (number != SIZE_MAX) fine = check_tensor(path, choices->taken[number].array, &wanted[i], error);
    }
    free(wanted);
    free(prefix);
    return fine;
}

const char *tensor_choices_describe_left(const TensorChoices *choices, char text[CHOICES_TEXT]) {
    if (!choices->left_total) return strcpy(text, "none");
    size_t used = (size_t)snprintf(text, CHOICES_TEXT, "%zu:", choices->left_total);
    for (size_t i = 0; i < name_table_count(choices->left); i++) {
        if (i == 8 || used > CHOICES_TEXT - 80) {
            snprintf(text + used, CHOICES_TEXT - used, ", …");
            break;
        }
        used += (size_t)snprintf(text + used, CHOICES_TEXT - used, "%s %zu %.50s", i ? "," : "",
                                 choices->left_counts[i], candidate_name(choices->left, i));
    }
    return text;
}
