#include "data/image_stores.h"

#include "core/memory.h"
#include "stream/content_hash.h"

#include <string.h>
#include <unistd.h>

struct ImageStores {
    ImageStore **list;
    size_t count, current; /* stores; the one that is read */
};

static bool check_fit(const ImageStore *first, const ImageStore *store, Error *error) {
    if (image_store_size(store) != image_store_size(first))
        return error_set(error, "%s has images of %u pixels a side, %s of %u; they do not go together",
                         image_store_name(first), image_store_size(first), image_store_name(store),
                         image_store_size(store));
    const json_t *recipe = json_object_get(image_store_header(first), "recipe");
    const json_t *other = json_object_get(image_store_header(store), "recipe");
    return (!recipe && !other) || json_equal(recipe, other) ||
           error_set(error, "the images of %s and %s were resized in different ways; pack them alike",
                     image_store_name(first), image_store_name(store));
}

/* No item of store number `last` is in one before it. */
static bool check_items(const ImageStores *stores, size_t last, Error *error) {
    size_t size;
    const char *name = image_store_names(stores->list[last], &size), *end = name + size, *next;
    for (; name < end; name = next) {
        next = (const char *)memchr(name, '\n', (size_t)(end - name)) + 1;
        for (size_t i = 0; i < last; i++)
            if (image_store_has(stores->list[i], name, (size_t)(next - 1 - name)))
                return error_set(error, "item %.*s is in %s and in %s; an item may come once",
                                 (int)(next - 1 - name), name, image_store_name(stores->list[i]),
                                 image_store_name(stores->list[last]));
    }
    return true;
}

ImageStores *image_stores_open(char *const *paths, size_t count, Error *error) {
    ImageStores *stores = memory_need(1, sizeof *stores);
    stores->list = memory_need(count, sizeof *stores->list);
    for (; stores->count < count; stores->count++) {
        const size_t i = stores->count;
        stores->list[i] = image_store_open(paths[i], error);
        if (!stores->list[i]) break;
        if (i && (!check_fit(stores->list[0], stores->list[i], error) || !check_items(stores, i, error))) {
            image_store_close(stores->list[i]);
            break;
        }
    }
    if (stores->count == count) return stores;
    image_stores_close(stores);
    return NULL;
}

/* The paths of a list, which is one path where a file has its whole name. The first of them is to be freed,
 * and `paths`. */
static char **split(const char *list, size_t *count) {
    char *text = memory_copy_text(list, strlen(list)), *comma, **paths = NULL;
    size_t capacity = 0;
    const bool one = !access(list, F_OK);
    *count = 0;
    for (char *at = text; at; at = comma) {
        comma = one ? NULL : strchr(at, ',');
        if (comma) *comma++ = 0;
        paths = memory_grow(paths, &capacity, *count + 1, sizeof *paths);
        paths[(*count)++] = at;
    }
    return paths;
}

ImageStores *image_stores_open_list(const char *list, Error *error) {
    size_t count;
    char **paths = split(list, &count);
    ImageStores *stores = image_stores_open(paths, count, error);
    free(paths[0]);
    free(paths);
    return stores;
}

bool image_stores_are_listed(const char *list) {
    size_t count;
    char **paths = split(list, &count);
    const bool are = image_store_is_one(paths[0]);
    free(paths[0]);
    free(paths);
    return are;
}

void image_stores_close(ImageStores *stores) {
    if (!stores) return;
    for (size_t i = 0; i < stores->count; i++)
        image_store_close(stores->list[i]);
    free(stores->list);
    free(stores);
}

const ImageStore *image_stores_part(const ImageStores *stores, size_t i) {
    return i < stores->count ? stores->list[i] : NULL;
}

const char *image_stores_name(const ImageStores *stores) {
    return image_store_name(stores->list[0]);
}

size_t image_stores_count(const ImageStores *stores) {
    size_t count = 0;
    for (size_t i = 0; i < stores->count; i++)
        count += image_store_count(stores->list[i]);
    return count;
}

uint32_t image_stores_size(const ImageStores *stores) {
    return image_store_size(stores->list[0]);
}

const json_t *image_stores_header(const ImageStores *stores) {
    return image_store_header(stores->list[0]);
}

json_t *image_stores_content(const ImageStores *stores) {
    json_t *content = NULL;
    for (size_t i = 0; i < stores->count; i++)
        content = content_extend(content, image_store_content(stores->list[i]));
    return content;
}

int image_stores_next(ImageStores *stores, StoredImage *image, Error *error) {
    for (; stores->current < stores->count; stores->current++) {
        const int status = image_store_next(stores->list[stores->current], image, error);
        if (status) return status;
    }
    return 0;
}

void image_stores_skip(ImageStores *stores, size_t count) {
    image_stores_rewind(stores);
    for (; stores->current < stores->count; stores->current++) {
        ImageStore *store = stores->list[stores->current];
        image_store_skip(store, count);
        if (count < image_store_count(store)) return;
        count -= image_store_count(store);
    }
}

void image_stores_rewind(ImageStores *stores) {
    stores->current = 0;
    for (size_t i = 0; i < stores->count; i++)
        image_store_rewind(stores->list[i]);
}
