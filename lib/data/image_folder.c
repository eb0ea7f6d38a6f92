#include "data/image_folder.h"

#include "core/file_kind.h"
#include "core/memory.h"
#include "data/image_file.h"
#include "data/image_names.h"
#include "data/item_numbers.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Files {
    char *first, *second; /* paths in the folder; the second is NULL where there is but one, as should be */
} Files;

struct ImageFolder {
    char *path;
    ItemNumbers items; /* by the names of files without their extensions */
    Files *files;      /* of each */
    size_t capacity;
};

/* Of more than two files the first two by name stay, so that a message does not depend on the folder's order.
 */
static void add_file(ImageFolder *folder, const char *within, const char *name) {
    const size_t size = image_stem_size(name);
    if (!size) return;
    size_t number;
    const bool added = item_numbers_add(&folder->items, name, size, &number);
    folder->files = memory_grow(folder->files, &folder->capacity, number + 1, sizeof *folder->files);
    Files *files = &folder->files[number];
    if (added) *files = (Files){0};
    char *file = memory_format("%s%s", within, name);
    char **places[] = {&files->first, &files->second};
    for (int i = 0; i < 2 && file; i++)
        if (!*places[i] || strcmp(file, *places[i]) < 0) {
            char *moved = *places[i];
            *places[i] = file;
            file = moved;
        }
    free(file);
}

/* A folder that is called like an image is taken for one, and found broken. Links to folders are not
 * followed: they may lead in a circle. */
static bool is_folder(const char *path, const struct dirent *entry) {
    struct stat status;
    if (entry->d_name[0] == '.' || image_stem_size(entry->d_name)) return false;
    if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
    return !lstat(path, &status) && S_ISDIR(status.st_mode);
}

/* With errno as opendir left it. */
static bool refuse(const char *path, Error *error) {
    error_set_errno(error, "cannot read the folder %s", path);
    return file_kind_explain(path, error);
}

/* Adds the files in `within`, a path that is empty or ends in a slash, and in the folders there. */
static bool add_files(ImageFolder *folder, const char *within, int depth, Error *error) {
    enum { DEEPEST = 64 };
    char *path = memory_format("%s/%s", folder->path, within);
    DIR *directory = opendir(path);
    const struct dirent *entry;
    bool fine = directory || refuse(*within ? path : folder->path, error);
    for (errno = 0; fine && (entry = readdir(directory)); errno = 0) {
        char *below = memory_format("%s%s/", within, entry->d_name),
             *place = memory_format("%s%s", path, entry->d_name);
        if (!is_folder(place, entry))
            add_file(folder, within, entry->d_name);
        else if (depth < DEEPEST)
            fine = add_files(folder, below, depth + 1, error);
        free(below);
        free(place);
    }
    if (fine && errno) fine = error_set_errno(error, "cannot read the folder %s", path);
    if (directory) closedir(directory);
    free(path);
    return fine;
}

ImageFolder *image_folder_open(const char *path, NameTable *names, Error *error) {
    ImageFolder *folder = memory_need(1, sizeof *folder);
    folder->path = memory_copy_text(path, strlen(path));
    folder->items = item_numbers_start(names);
    const bool fine = add_files(folder, "", 0, error);
    item_numbers_cut(&folder->items);
    if (fine) return folder;
    image_folder_close(folder);
    return NULL;
}

void image_folder_close(ImageFolder *folder) {
    if (!folder) return;
    for (size_t i = 0; i < folder->items.count; i++) {
        free(folder->files[i].first);
        free(folder->files[i].second);
    }
    free(folder->files);
    item_numbers_free(&folder->items);
    free(folder->path);
    free(folder);
}

static int find(const void *context, const char *item, size_t size, Error *error) {
    const ImageFolder *folder = context;
    const size_t number = item_numbers_find_name(&folder->items, item, size);
    if (number == SIZE_MAX) return 0;
    const Files *files = &folder->files[number];
    if (!files->second) return 1;
    error_set(error, "%s: item %s has two images, %s and %s; keep one", folder->path, item, files->first,
              files->second);
    return -1;
}

static bool load(const void *context, const char *item, size_t size, const ImageSink *sink, Error *warning,
                 Error *error) {
    const ImageFolder *folder = context;
    const Files *files = &folder->files[item_numbers_find_name(&folder->items, item, size)];
    char *path = memory_format("%s/%s", folder->path, files->first);
    const bool fine = image_file_decode(path, sink, warning, error);
    free(path);
    return fine;
}

/* The name of another file that was meant: of the same number with other zeros before it, or of the same
 * characters in another normalization. */
static bool hint(const void *context, const char *item, size_t size, Error *text) {
    const ImageFolder *folder = context;
    for (size_t i = 0; i < folder->items.count; i++) {
        const char *file = folder->files[i].first, *slash = strrchr(file, '/');
        const char *other = slash ? slash + 1 : file;
        const char *how = image_names_differ(item, size, other, image_stem_size(other));
        if (!how) continue;
        error_set(text, "there is %s/%s: %s", folder->path, file, how);
        return true;
    }
    return false;
}

ImageSource image_folder_source(const ImageFolder *folder) {
    return (ImageSource){.context = folder, .name = folder->path, .find = find, .load = load, .hint = hint};
}
