/* PyTorch checkpoints. The zip format: NAME/data.pkl beside storages NAME/data/KEY, all stored. The older
 * one: pickles of a magic number, a version, the machine, the object and the keys of its storages, and then
 * each storage as its count of elements in 8 bytes and the elements. */
#include "arrays/array_format.h"
#include "arrays/torch_pickle.h"
#include "arrays/zip_archive.h"
#include "core/memory.h"
#include "core/name_table.h"

#include <inttypes.h>
#include <stdio.h>

enum { MAX_PICKLE = 64 << 20, EXPANSION = 1 << 20 };

/* Where a storage lies: an entry of the archive, or bytes of the file. */
typedef struct StoragePlace {
    size_t entry;
    uint64_t begin, size;
} StoragePlace;

typedef struct TorchFile {
    Pickle *pickle;
    unsigned char *pickle_bytes; /* of the zip format; the older one is read from the map */
    ZipArchive *archive;         /* NULL in the older format */
    char *prefix;                /* "NAME/" */
    NameTable *storage_keys;     /* of the older format */
    StoragePlace *storages;      /* by key */
    size_t storage_capacity;
    TorchTensor *tensors; /* by array */
    StoragePlace *places; /* by array */
    size_t tensor_capacity, place_capacity;
    unsigned char *kept; /* the storage read last, of the zip format: tensors often share one */
    size_t kept_entry;
} TorchFile;

static void torch_close(void *state) {
    TorchFile *own = state;
    if (!own) return;
    pickle_free(own->pickle);
    zip_archive_close(own->archive);
    name_table_destroy(own->storage_keys);
    free(own->pickle_bytes);
    free(own->prefix);
    free(own->storages);
    free(own->tensors);
    free(own->places);
    free(own->kept);
    free(own);
}

static bool find_zip_storage(const TorchFile *own, const TorchTensor *tensor, StoragePlace *place,
                             Error *error) {
    char *name = memory_format("%sdata/%.*s", own->prefix, (int)tensor->key_size, tensor->key);
    place->entry = tensor->key_size <= UINT16_MAX ? zip_archive_find(own->archive, name) : SIZE_MAX;
    free(name);
    if (place->entry == SIZE_MAX) return error_set(error, "its storage is missing in the archive");
    ZipEntry entry;
    if (!zip_archive_entry(own->archive, place->entry, &entry, error)) return false;
    if (!entry.stored) return error_set(error, "its storage is compressed, which PyTorch never does");
    place->size = entry.size;
    return true;
}

static bool find_legacy_storage(const TorchFile *own, const TorchTensor *tensor, StoragePlace *place,
                                Error *error) {
    const size_t number = name_table_find(own->storage_keys, tensor->key, tensor->key_size);
    if (number == SIZE_MAX) return error_set(error, "its storage is missing in the file");
    *place = own->storages[number];
    return true;
}

static bool add_tensor(ArrayFile *file, const char *name, size_t name_size, const PickleValue *value,
                       Error *error) {
    TorchFile *own = array_file_state(file);
    TorchTensor tensor;
    StoragePlace place = {0};
    uint64_t bytes;
    if (!array_name_check(file, name, name_size, error)) return false;
    const bool fine = torch_tensor_read(value, &tensor, error) &&
                      (own->archive ? find_zip_storage(own, &tensor, &place, error)
                                    : find_legacy_storage(own, &tensor, &place, error));
    if (!fine) return error_prefix(error, "%s: %.*s: ", array_file_path(file), (int)name_size, name);
    if (__builtin_mul_overflow(tensor.storage_elements, element_size(tensor.type), &bytes) ||
        bytes > place.size)
        return error_set(error, "%s: %.*s: its storage holds fewer elements than it declares",
                         array_file_path(file), (int)name_size, name);
    if (!array_file_add(file, name, name_size, tensor.type, tensor.dimensions, tensor.shape, error))
        return false;
    const size_t index = array_file_count(file) - 1;
    /* Strides of 0 make much out of little: an expanded view may not need far more memory than the file has.
     */
    if (array_bytes(array_file_get(file, index)) > array_file_map(file)->size + EXPANSION)
        return error_set(error, "%s: %.*s is larger than the whole file", array_file_path(file),
                         (int)name_size, name);
    own->tensors = memory_grow(own->tensors, &own->tensor_capacity, index + 1, sizeof *own->tensors);
    own->places = memory_grow(own->places, &own->place_capacity, index + 1, sizeof *own->places);
    own->tensors[index] = tensor;
    own->places[index] = place;
    return true;
}

static void pass_over_others(ArrayFile *file, const PickleValue *root, const PickleValue *dict) {
    for (size_t i = 0; i + 1 < pickle_count(root) && root != dict; i += 2) {
        const PickleValue *key = pickle_item(root, i);
        if (key->kind == PICKLE_STRING && pickle_item(root, i + 1) != dict)
            array_file_pass_over(file, key->text.bytes, key->text.size);
    }
}

static bool add_tensors(ArrayFile *file, const PickleValue *root, Error *error) {
    const PickleValue *dict = torch_state_dict(root, error);
    if (!dict) return error_prefix(error, "%s: ", array_file_path(file));
    for (size_t i = 0; i + 1 < pickle_count(dict); i += 2) {
        const PickleValue *key = pickle_item(dict, i), *value = pickle_item(dict, i + 1);
        if (key->kind != PICKLE_STRING)
            return error_set(error, "%s: a name in the state dict is no string", array_file_path(file));
        const char *name = key->text.bytes;
        if (!torch_is_tensor(value))
            array_file_pass_over(file, name, key->text.size);
        else if (!add_tensor(file, name, key->text.size, value, error))
            return false;
    }
    pass_over_others(file, root, dict);
    return true;
}

/* The one entry NAME/data.pkl; NAME is whatever the file was called when it was saved. */
static size_t find_data_pickle(TorchFile *own) {
    for (size_t i = 0; i < zip_archive_count(own->archive); i++) {
        const char *name = zip_archive_name(own->archive, i);
        const size_t length = name ? strlen(name) : 0, tail = strlen("data.pkl");
        if (length < tail || strcmp(name + length - tail, "data.pkl")) continue;
        if (length > tail && name[length - tail - 1] != '/') continue;
        own->prefix = memory_copy_text(name, length - tail);
        return i;
    }
    return SIZE_MAX;
}

static size_t find_beside(const TorchFile *own, const char *name) {
    char *path = memory_format("%s%s", own->prefix, name);
    const size_t entry = zip_archive_find(own->archive, path);
    free(path);
    return entry;
}

/* torch.jit.save writes a program: its pickle means something only together with the code beside it. */
static bool check_not_script(const ArrayFile *file, const TorchFile *own, Error *error) {
    return find_beside(own, "constants.pkl") == SIZE_MAX ||
           error_set(
               error,
               "%s: a TorchScript program (torch.jit.save); load it in PyTorch and save its state_dict() "
               "with torch.save",
               array_file_path(file));
}

static bool check_byte_order(const ArrayFile *file, TorchFile *own, Error *error) {
    const size_t entry = find_beside(own, "byteorder");
    if (entry == SIZE_MAX) return true; /* as before PyTorch 2.1 */
    size_t size;
    unsigned char *order = zip_archive_read(own->archive, entry, 16, &size, error);
    const bool little = order && !strcmp((char *)order, "little");
    if (order && !little) error_set(error, "%s: written on a big-endian machine", array_file_path(file));
    free(order);
    return little;
}

static bool torch_zip_open(ArrayFile *file, Error *error) {
    TorchFile *own = memory_need(1, sizeof *own);
    array_file_set_state(file, own);
    own->archive = zip_archive_open(array_file_path(file), error);
    if (!own->archive) return false;
    const size_t index = find_data_pickle(own);
    ZipEntry entry;
    size_t size;
    if (index == SIZE_MAX) return error_set(error, "%s: no data.pkl in it", array_file_path(file));
    if (!check_not_script(file, own, error) || !check_byte_order(file, own, error)) return false;
    if (!zip_archive_entry(own->archive, index, &entry, error))
        return error_prefix(error, "%s: ", array_file_path(file));
    if (!entry.stored)
        return error_set(error, "%s: %s is compressed, which PyTorch never does", array_file_path(file),
                         entry.name);
    own->pickle_bytes = zip_archive_read(own->archive, index, MAX_PICKLE, &size, error);
    if (!own->pickle_bytes) return false;
    own->pickle = pickle_parse(own->pickle_bytes, size, NULL, error);
    if (!own->pickle) return error_prefix(error, "%s: data.pkl: ", array_file_path(file));
    return add_tensors(file, pickle_root(own->pickle), error);
}

/* The next pickle of the older format. */
static Pickle *next_pickle(const ArrayFile *file, size_t *at, Error *error) {
    const FileMap *map = array_file_map(file);
    const size_t left = map->size - *at;
    size_t used;
    Pickle *pickle = pickle_parse(map->bytes + *at, left < MAX_PICKLE ? left : MAX_PICKLE, &used, error);
    if (!pickle)
        error_prefix(error, "%s: ", array_file_path(file));
    else
        *at += used;
    return pickle;
}

static bool skip_pickles(const ArrayFile *file, size_t count, size_t *at, Error *error) {
    for (size_t i = 0; i < count; i++) {
        Pickle *pickle = next_pickle(file, at, error);
        if (!pickle) return false;
        pickle_free(pickle);
    }
    return true;
}

/* One storage: its number of elements and the elements, whose size its users tell. */
static bool place_storage(const ArrayFile *file, TorchFile *own, const PickleValue *key, size_t element,
                          size_t *at, Error *error) {
    const FileMap *map = array_file_map(file);
    int64_t elements = 0;
    uint64_t bytes;
    bool added;
    if (map->size - *at < sizeof elements)
        return error_set(error, "%s: cut short: storages are missing at the end", array_file_path(file));
    memcpy(&elements, map->bytes + *at, sizeof elements);
    *at += sizeof elements;
    if (elements < 0 || __builtin_mul_overflow((uint64_t)elements, element, &bytes) ||
        bytes > map->size - *at)
        return error_set(error,
                         "%s: a storage of %" PRId64 " elements where %zu bytes are left; is it cut short?",
                         array_file_path(file), elements, map->size - *at);
    const size_t number = name_table_add(own->storage_keys, key->text.bytes, key->text.size, &added);
    if (!added) return error_set(error, "%s: a storage is there twice", array_file_path(file));
    own->storages = memory_grow(own->storages, &own->storage_capacity, number + 1, sizeof *own->storages);
    own->storages[number] = (StoragePlace){.begin = *at, .size = bytes};
    *at += bytes;
    return true;
}

/* The element size of every storage that the object refers to, by key. */
typedef struct StorageTypes {
    NameTable *keys;
    size_t *sizes, capacity;
    Error *error;
    bool fine;
} StorageTypes;

static void note_storage(const PickleValue *value, void *context) {
    StorageTypes *types = context;
    TorchTensor tensor;
    bool added;
    if (!types->fine || !(types->fine = torch_storage_read(value, &tensor, types->error))) return;
    const size_t size = element_size(tensor.type);
    const size_t number = name_table_add(types->keys, tensor.key, tensor.key_size, &added);
    if (added) {
        types->sizes = memory_grow(types->sizes, &types->capacity, number + 1, sizeof *types->sizes);
        types->sizes[number] = size;
    } else if (types->sizes[number] != size) {
        types->fine = error_set(types->error, "a storage has two types");
    }
}

static bool place_storages(const ArrayFile *file, TorchFile *own, const PickleValue *keys, size_t at,
                           Error *error) {
    StorageTypes types = {.keys = name_table_create(), .error = error, .fine = true};
    pickle_each_persistent(own->pickle, note_storage, &types);
    bool fine = types.fine || error_prefix(error, "%s: ", array_file_path(file));
    if (fine && keys->kind != PICKLE_LIST)
        fine = error_set(error, "%s: the list of storages is none", array_file_path(file));
    for (size_t i = 0; fine && i < pickle_count(keys); i++) {
        const PickleValue *key = pickle_item(keys, i);
        const size_t number = key->kind == PICKLE_STRING
                                  ? name_table_find(types.keys, key->text.bytes, key->text.size)
                                  : SIZE_MAX;
        fine = number != SIZE_MAX
                   ? place_storage(file, own, key, types.sizes[number], &at, error)
                   : error_set(error, "%s: a storage to which nothing refers", array_file_path(file));
    }
    name_table_destroy(types.keys);
    free(types.sizes);
    return fine;
}

static bool torch_legacy_open(ArrayFile *file, Error *error) {
    TorchFile *own = memory_need(1, sizeof *own);
    array_file_set_state(file, own);
    own->storage_keys = name_table_create();
    size_t at = 0;
    if (!skip_pickles(file, 3, &at, error)) return false;
    own->pickle = next_pickle(file, &at, error);
    Pickle *keys = own->pickle ? next_pickle(file, &at, error) : NULL;
    if (!keys) return false;
    const bool fine = place_storages(file, own, pickle_root(keys), at, error);
    pickle_free(keys);
    return fine && add_tensors(file, pickle_root(own->pickle), error);
}

typedef struct TorchReader {
    TorchFile *file;
    unsigned char *storage; /* of the zip format */
    size_t entry;
    unsigned char *gathered; /* when the view is not contiguous */
    const unsigned char *bytes;
} TorchReader;

/* What was read last stays for the next tensor, which may share the storage. */
static void torch_reader_close(void *reader) {
    TorchReader *own = reader;
    if (own->storage) {
        free(own->file->kept);
        own->file->kept = own->storage;
        own->file->kept_entry = own->entry;
    }
    free(own->gathered);
    free(own);
}

static const unsigned char *load_storage(TorchReader *reader, const ArrayFile *file,
                                         const StoragePlace *place, Error *error) {
    TorchFile *own = reader->file;
    if (!own->archive) return array_file_map(file)->bytes + place->begin;
    reader->entry = place->entry;
    if (own->kept && own->kept_entry == place->entry) {
        reader->storage = own->kept;
        own->kept = NULL;
        return reader->storage;
    }
    size_t size;
    free(own->kept); /* before the next one, so that never two are held */
    own->kept = NULL;
    reader->storage = zip_archive_read(own->archive, place->entry, place->size, &size, error);
    return reader->storage;
}

static void *torch_reader_open(ArrayFile *file, size_t index, Error *error) {
    TorchReader *reader = memory_need(1, sizeof *reader);
    reader->file = array_file_state(file);
    const TorchTensor *tensor = &reader->file->tensors[index];
    const unsigned char *storage = load_storage(reader, file, &reader->file->places[index], error);
    bool fine = storage != NULL;
    if (fine && torch_is_contiguous(tensor)) {
        reader->bytes = storage + tensor->offset * element_size(tensor->type);
    } else if (fine) {
        reader->gathered = memory_allocate(array_bytes(array_file_get(file, index)), 1, error);
        fine = reader->gathered != NULL;
        if (fine) torch_gather(tensor, storage, reader->gathered);
        reader->bytes = reader->gathered;
    }
    if (fine) return reader;
    torch_reader_close(reader);
    return NULL;
}

static const void *torch_reader_next(void *reader, size_t offset, size_t size, Error *error) {
    (void)size, (void)error;
    return ((const TorchReader *)reader)->bytes + offset;
}

const ArrayFormat torch_zip_format = {
    .open = torch_zip_open,
    .close = torch_close,
    .reader_open = torch_reader_open,
    .reader_next = torch_reader_next,
    .reader_close = torch_reader_close,
};
const ArrayFormat torch_legacy_format = {
    .open = torch_legacy_open,
    .close = torch_close,
    .reader_open = torch_reader_open,
    .reader_next = torch_reader_next,
    .reader_close = torch_reader_close,
};
