/* Weights in several files: a JSON index whose "weight_map" says in which file beside it each tensor lies. */
#include "arrays/array_format.h"
#include "core/memory.h"
#include "core/name_table.h"

#include <stdio.h>
#include <unistd.h>

typedef struct Shards {
    NameTable *names; /* of the files */
    ArrayFile **files;
    size_t capacity;
    struct Place {
        size_t shard;
        const Array *array;
    } * places; /* by array */
    size_t place_capacity;
} Shards;

static bool is_name(const char *name) {
    return array_name_is_printable(name, strlen(name)) && !strchr(name, '/');
}

/* The path of a file beside the index; to be freed. */
static char *beside(const ArrayFile *index, const char *name) {
    const char *path = array_file_path(index), *slash = strrchr(path, '/');
    char *sibling = memory_format("%.*s%s", slash ? (int)(slash - path) + 1 : 0, path, name);
    return sibling;
}

static bool open_shard(ArrayFile *index, const char *name, size_t *number, Error *error) {
    Shards *shards = array_file_state(index);
    const char *path = array_file_path(index);
    bool added;
    if (!is_name(name)) return error_set(error, "%s: a shard is no name of a file beside it", path);
    *number = name_table_add(shards->names, name, strlen(name), &added);
    if (!added) return true;
    shards->files = memory_grow(shards->files, &shards->capacity, *number + 1, sizeof *shards->files);
    shards->files[*number] = NULL;
    char *shard_path = beside(index, name);
    shards->files[*number] = array_file_open_shard(shard_path, error);
    free(shard_path);
    return shards->files[*number] != NULL || error_prefix(error, "%s names ", path);
}

static bool add_place(ArrayFile *index, const char *name, const json_t *shard_name, Error *error) {
    Shards *shards = array_file_state(index);
    size_t shard = 0;
    if (!array_name_check(index, name, strlen(name), error)) return false;
    if (!json_is_string(shard_name))
        return error_set(error, "%s: the place of %.200s is no file name", array_file_path(index), name);
    if (!open_shard(index, json_string_value(shard_name), &shard, error)) return false;
    const Array *array = array_file_need(shards->files[shard], name, error);
    if (!array || !array_file_add(index, name, strlen(name), array->type, (size_t)array->dimensions,
                                  array->shape, error))
        return false;
    const size_t number = array_file_count(index) - 1;
    shards->places = memory_grow(shards->places, &shards->place_capacity, number + 1, sizeof *shards->places);
    shards->places[number] = (struct Place){shard, array};
    return true;
}

static bool is_there(const ArrayFile *index, const char *name) {
    char *path = beside(index, name);
    const bool there = !access(path, F_OK);
    free(path);
    return there;
}

/* That no shard is missing, before any is opened: an interrupted download should be named by all it lacks. */
static bool check_there(const ArrayFile *index, const json_t *weight_map, Error *error) {
    NameTable *names = name_table_create();
    const char *tensor, *first = NULL;
    json_t *value;
    size_t missing = 0;
    json_object_foreach((json_t *)weight_map, tensor, value) {
        const char *name = json_string_value(value);
        bool added = false;
        if (name) name_table_add(names, name, strlen(name), &added);
        if (!added || !is_name(name) || is_there(index, name)) continue;
        if (!missing++) first = name;
    }
    const size_t count = name_table_count(names);
    name_table_destroy(names);
    return !missing || error_set(error, "%s: %zu of its %zu shards are missing beside it, the first is %s",
                                 array_file_path(index), missing, count, first);
}

static bool sharded_open(ArrayFile *file, Error *error) {
    const FileMap *map = array_file_map(file);
    const char *path = array_file_path(file);
    Shards *shards = memory_need(1, sizeof *shards);
    shards->names = name_table_create();
    array_file_set_state(file, shards);
    json_error_t problem;
    json_t *index = json_loadb((const char *)map->bytes, map->size, JSON_REJECT_DUPLICATES, &problem);
    if (!index) return error_set(error, "%s:%d: no valid JSON (%s)", path, problem.line, problem.text);
    const json_t *weight_map = json_object_get(index, "weight_map");
    bool fine =
        json_object_size(weight_map) > 0 ||
        error_set(error, "%s: a JSON file without a \"weight_map\" of shards; weights were expected", path);
    fine = fine && check_there(file, weight_map, error);
    const char *name;
    json_t *shard_name;
    if (fine) json_object_foreach((json_t *)weight_map, name, shard_name) {
            if (!(fine = add_place(file, name, shard_name, error))) break;
        }
    json_decref(index);
    return fine;
}

static void sharded_close(void *state) {
    Shards *shards = state;
    if (!shards) return;
    for (size_t i = 0; i < name_table_count(shards->names); i++)
        array_file_close(shards->files ? shards->files[i] : NULL);
    name_table_destroy(shards->names);
    free(shards->files);
    free(shards->places);
    free(shards);
}

typedef struct ShardReader {
    ArrayReader *inner;
    size_t row_bytes;
} ShardReader;

static void *shard_reader_open(ArrayFile *file, size_t index, Error *error) {
    const Shards *shards = array_file_state(file);
    const struct Place *place = &shards->places[index];
    ArrayReader *inner = array_reader_open(shards->files[place->shard], place->array, error);
    if (!inner) return NULL;
    ShardReader *reader = memory_need(1, sizeof *reader);
    *reader =
        (ShardReader){inner, (size_t)array_row_elements(place->array) * element_size(place->array->type)};
    return reader;
}

static const void *shard_reader_next(void *reader, size_t offset, size_t size, Error *error) {
    (void)offset;
    const ShardReader *own = reader;
    return array_reader_next(own->inner, own->row_bytes ? size / own->row_bytes : 0, error);
}

static void shard_reader_close(void *reader) {
    array_reader_close(((ShardReader *)reader)->inner);
    free(reader);
}

static void hash_shards(const ArrayFile *file, ContentHash *hash) {
    const Shards *shards = array_file_state(file);
    for (size_t i = 0; i < name_table_count(shards->names); i++)
        array_file_hash(shards->files[i], hash);
}

const ArrayFormat sharded_format = {
    .open = sharded_open,
    .close = sharded_close,
    .reader_open = shard_reader_open,
    .reader_next = shard_reader_next,
    .reader_close = shard_reader_close,
    .hash_others = hash_shards,
};
