#include "data/image_list.h"

#include "core/memory.h"
#include "data/image_file.h"
#include "data/item_numbers.h"
#include "data/lines.h"

#include <inttypes.h>
#include <string.h>

struct ImageList {
    char *name;
    ItemNumbers items;
    char **paths; /* of each */
    size_t capacity;
};

static bool add_line(ImageList *list, const Line *line, Error *error) {
    const char *tab = memchr(line->bytes, '\t', line->size);
    size_t number;
    if (!tab || tab == line->bytes || !tab[1] ||
        strlen(tab + 1) != (size_t)(line->bytes + line->size - tab - 1))
        return error_set(error, "a line is: item TAB path of its image");
    if (!item_numbers_add(&list->items, line->bytes, (size_t)(tab - line->bytes), &number))
        return error_set(error, "item %s stands twice", item_numbers_name(&list->items, number));
    list->paths = memory_grow(list->paths, &list->capacity, number + 1, sizeof *list->paths);
    list->paths[number] = memory_copy_text(tab + 1, strlen(tab + 1));
    return true;
}

static bool read_list(ImageList *list, LineReader *reader, Error *error) {
    Line line;
    int status;
    while ((status = line_reader_next(reader, &line, error)) > 0)
        if (!add_line(list, &line, error))
            return error_prefix(error, "%s:%" PRIu64 ": ", list->name, line.number);
    return status == 0;
}

ImageList *image_list_open(const char *path, NameTable *names, Error *error) {
    LineReader *reader = line_reader_open(path, error);
    if (!reader) return NULL;
    ImageList *list = memory_need(1, sizeof *list);
    const char *name = line_reader_name(reader);
    list->name = memory_copy_text(name, strlen(name));
    list->items = item_numbers_start(names);
    const bool fine = read_list(list, reader, error);
    item_numbers_cut(&list->items);
    line_reader_close(reader);
    if (fine) return list;
    image_list_close(list);
    return NULL;
}

void image_list_close(ImageList *list) {
    if (!list) return;
    for (size_t i = 0; list->paths && i < list->items.count; i++)
        free(list->paths[i]);
    item_numbers_free(&list->items);
    free(list->paths);
    free(list->name);
    free(list);
}

static int find(const void *context, const char *item, size_t size, Error *error) {
    (void)error;
    return item_numbers_find_name(&((const ImageList *)context)->items, item, size) != SIZE_MAX;
}

static bool load(const void *context, const char *item, size_t size, const ImageSink *sink, Error *warning,
                 Error *error) {
    const ImageList *list = context;
    return image_file_decode(list->paths[item_numbers_find_name(&list->items, item, size)], sink, warning,
                             error);
}

ImageSource image_list_source(const ImageList *list) {
    return (ImageSource){.context = list, .name = list->name, .find = find, .load = load};
}
