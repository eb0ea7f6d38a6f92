#include "data/image_folder.h"

#include "core/file.h"
#include "core/memory.h"
#include "data/image_decode.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* No sane poster is near it; it bounds what a hostile file can make a thread hold. */
enum { MAX_FILE = 1 << 28 };

typedef struct Files {
    char *first, *second; /* the second is NULL where there is but one, as should be */
} Files;

struct ImageFolder {
    char *path;
    NameTable *items; /* names of files without their extensions */
    Files *files;     /* of each */
    size_t capacity;
};

/* The length of the name without its extension; 0 when the extension is no image's. */
static size_t stem_size(const char *name) {
    static const char *const extensions[] = {".jpg", ".jpeg", ".png"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof extensions / sizeof *extensions; i++)
        if (!strcasecmp(dot, extensions[i])) return (size_t)(dot - name);
    return 0;
}

/* Of more than two files the first two by name stay, so that a message does not depend on the folder's order.
 */
static void add_file(ImageFolder *folder, const char *name) {
    const size_t size = stem_size(name);
    if (!size) return;
    bool added;
    const size_t number = name_table_add(folder->items, name, size, &added);
    folder->files = memory_grow(folder->files, &folder->capacity, number + 1, sizeof *folder->files);
    Files *files = &folder->files[number];
    if (added) *files = (Files){0};
    char *file = memory_copy_text(name, strlen(name));
    char **places[] = {&files->first, &files->second};
    for (int i = 0; i < 2 && file; i++)
        if (!*places[i] || strcmp(file, *places[i]) < 0) {
            char *moved = *places[i];
            *places[i] = file;
            file = moved;
        }
    free(file);
}

ImageFolder *image_folder_open(const char *path, Error *error) {
    DIR *directory = opendir(path);
    if (!directory) {
        error_set_errno(error, "cannot read the folder %s", path);
        return NULL;
    }
    ImageFolder *folder = memory_need(1, sizeof *folder);
    folder->path = memory_copy_text(path, strlen(path));
    folder->items = name_table_create();
    const struct dirent *entry;
    for (errno = 0; (entry = readdir(directory)); errno = 0)
        add_file(folder, entry->d_name);
    const bool fine = !errno || error_set_errno(error, "cannot read the folder %s", path);
    closedir(directory);
    if (fine) return folder;
    image_folder_close(folder);
    return NULL;
}

void image_folder_close(ImageFolder *folder) {
    if (!folder) return;
    for (size_t i = 0; i < name_table_count(folder->items); i++) {
        free(folder->files[i].first);
        free(folder->files[i].second);
    }
    free(folder->files);
    name_table_destroy(folder->items);
    free(folder->path);
    free(folder);
}

static int find(const void *context, const char *item, size_t size, Error *error) {
    const ImageFolder *folder = context;
    const size_t number = name_table_find(folder->items, item, size);
    if (number == SIZE_MAX) return 0;
    const Files *files = &folder->files[number];
    if (!files->second) return 1;
    error_set(error, "%s: item %s has two images, %s and %s; keep one", folder->path, item, files->first,
              files->second);
    return -1;
}

/* A pipe or a device under the name of an image must not be waited for. */
static uint8_t *read_image(const char *path, size_t *size, Error *error) {
    struct stat status;
    if (stat(path, &status)) {
        error_set_errno(error, "cannot read %s", path);
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        error_set(error, "%s: not a regular file", path);
        return NULL;
    }
    return file_read(path, MAX_FILE, size, error);
}

static bool load(const void *context, const char *item, size_t size, const ImageSink *sink, Error *warning,
                 Error *error) {
    const ImageFolder *folder = context;
    char *path =
        memory_format("%s/%s", folder->path, folder->files[name_table_find(folder->items, item, size)].first);
    size_t bytes_size;
    uint8_t *bytes = read_image(path, &bytes_size, error);
    bool fine = bytes != NULL;
    if (fine && !image_decode(bytes, bytes_size, sink, warning, error))
        fine = error_prefix(error, "%s: ", path);
    else if (fine && warning->message[0])
        error_prefix(warning, "%s: ", path);
    free(bytes);
    free(path);
    return fine;
}

ImageSource image_folder_source(const ImageFolder *folder) {
    return (ImageSource){folder, folder->path, find, load};
}
