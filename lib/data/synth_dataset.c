#include "data/synth_dataset.h"

#include "core/file.h"
#include "core/memory.h"
#include "core/progress.h"
#include "data/synth_behaviours.h"
#include "data/synth_image.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_in(const char *folder, const char *name) {
    char *path = memory_format("%s/%s", folder, name);
    return path;
}

static bool make_folder(const char *path, Error *error) {
    struct stat status;
    if (!mkdir(path, 0777)) return true;
    if (errno == EEXIST && !stat(path, &status) && S_ISDIR(status.st_mode)) return true;
    return error_set_errno(error, "cannot create the folder %s", path);
}

static bool remove_old(const char *path, Error *error) {
    return !unlink(path) || errno == ENOENT || error_set_errno(error, "cannot replace %s", path);
}

static bool write_images(const char *folder, const SynthCatalogue *catalogue, int size, Error *error) {
    uint8_t *pixels = memory_allocate((size_t)size * (size_t)size, 3, error);
    bool fine = pixels;
    Progress progress;
    progress_start(&progress, "images", catalogue->count);
    for (size_t i = 0; fine && i < catalogue->count; i++) {
        char name[SYNTH_NAME_SIZE + 4];
        synth_item_name(catalogue, i, name);
        char *path = memory_format("%s/%s.jpg", folder, name);
        synth_image_render(catalogue, i, size, pixels);
        fine = synth_image_write(path, pixels, size, error);
        free(path);
        progress_update(&progress, i + 1);
    }
    progress_finish(&progress);
    free(pixels);
    return fine;
}

static void write_items(FILE *file, const SynthCatalogue *catalogue, size_t count) {
    char name[SYNTH_NAME_SIZE], text[SYNTH_TEXT_SIZE];
    for (size_t i = 0; i < count; i++) {
        synth_item_name(catalogue, i, name);
        synth_item_text(catalogue, i, text);
        fprintf(file, "%s\t%s\n", name, text);
    }
}

static void write_users(FILE *file, const SynthCatalogue *catalogue, size_t count) {
    SynthBehaviours *behaviours = synth_behaviours_create(catalogue);
    uint32_t items[SYNTH_LONGEST];
    char name[SYNTH_NAME_SIZE];
    for (size_t user = 0; user < count && !ferror(file); user++) {
        const size_t length = synth_user_items(behaviours, user, items);
        synth_user_name(catalogue, user, name);
        fputs(name, file);
        for (size_t i = 0; i < length; i++) {
            synth_item_name(catalogue, items[i], name);
            fprintf(file, "%c%s", i ? ' ' : '\t', name);
        }
        putc('\n', file);
    }
    synth_behaviours_destroy(behaviours);
}

/* The special tokens stand in XLM-R's order, so that one small encoder fits these words and plain bytes. */
static void write_vocabulary(FILE *file, const SynthCatalogue *catalogue, size_t count) {
    (void)catalogue, (void)count;
    fputs("[CLS]\n[PAD]\n[SEP]\n[UNK]\n[MASK]\n", file);
    for (size_t i = 0; synth_word(i); i++)
        fprintf(file, "%s\n", synth_word(i));
}

typedef void Writer(FILE *file, const SynthCatalogue *catalogue, size_t count);

static bool write_file(const char *path, Writer *writer, const SynthCatalogue *catalogue, size_t count,
                       Error *error) {
    OutputFile *file = output_file_open(path, error);
    if (!file) return false;
    writer(output_file_stream(file), catalogue, count);
    return output_file_commit(file, error);
}

bool synth_dataset_write(const char *folder, const SynthCatalogue *catalogue, size_t users, int image_size,
                         Error *error) {
    char *images = path_in(folder, "images"), *vocabulary = path_in(folder, "vocab.txt");
    char *items_path = path_in(folder, "items.tsv"), *users_path = path_in(folder, "users.tsv");
    const bool fine = make_folder(folder, error) && make_folder(images, error) &&
                      remove_old(items_path, error) && remove_old(users_path, error) &&
                      write_images(images, catalogue, image_size, error) &&
                      write_file(vocabulary, write_vocabulary, catalogue, 0, error) &&
                      write_file(items_path, write_items, catalogue, catalogue->count, error) &&
                      write_file(users_path, write_users, catalogue, users, error);
    free(images);
    free(vocabulary);
    free(items_path);
    free(users_path);
    return fine;
}
