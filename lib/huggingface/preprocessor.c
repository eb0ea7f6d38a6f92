#include "huggingface/preprocessor.h"

#include "core/json_file.h"
#include "core/log.h"
#include "core/memory.h"
#include "data/image_recipe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILE = 1 << 20 };

/* Pillow's numbers. */
enum { BILINEAR = 2, BICUBIC = 3 };

static void copy_filter(const json_t *file, json_t *config, const char *path) {
    const json_t *resample = json_object_get(file, "resample");
    if (!json_is_integer(resample)) return;
    const json_int_t number = json_integer_value(resample);
    if (number != BILINEAR && number != BICUBIC)
        log_warning("%s: resample %" JSON_INTEGER_FORMAT " is not built here; images are resized by bicubic",
                    path, number);
    json_object_set_new(config, "resample", json_string(number == BILINEAR ? "bilinear" : "bicubic"));
}

/* A size is a number, {"height", "width"} or {"shortest_edge"}; 0 when it is none of them. */
static json_int_t size_of(const json_t *size, const char *key) {
    return json_is_integer(size) ? json_integer_value(size) : json_integer_value(json_object_get(size, key));
}

static void copy_cut(const json_t *file, json_t *config, const char *path) {
    const json_int_t image = json_integer_value(json_object_get(config, "image_size"));
    const json_int_t cut = size_of(json_object_get(file, "crop_size"), "height");
    if (!json_is_true(json_object_get(file, "do_center_crop"))) return;
    if (cut && cut != image)
        log_warning("%s: crop_size %" JSON_INTEGER_FORMAT
                    " is not the encoder's image_size %" JSON_INTEGER_FORMAT ", which counts",
                    path, cut, image);
    json_int_t edge = size_of(json_object_get(file, "size"), "shortest_edge");
    if (!edge && json_object_get(file, "size"))
        log_warning("%s: its size has no shortest_edge; images are resized to the encoder's image_size",
                    path);
    if (edge < image) edge = image;
    json_object_set_new(config, "shortest_edge", json_integer(edge));
}

static void copy_scale(const json_t *file, json_t *config, const char *path) {
    const json_t *factor = json_object_get(file, "rescale_factor");
    if (json_is_false(json_object_get(file, "do_rescale")) ||
        (factor && fabs(json_number_value(factor) * 255 - 1) > 1e-6))
        log_warning("%s: another rescale_factor than 1/255 is not built here; pixels are divided by 255",
                    path);
    if (json_is_false(json_object_get(file, "do_normalize"))) {
        json_object_set_new(config, "image_mean", json_pack("[f, f, f]", 0.0, 0.0, 0.0));
        json_object_set_new(config, "image_std", json_pack("[f, f, f]", 1.0, 1.0, 1.0));
        return;
    }
    static const char *const keys[] = {"image_mean", "image_std"};
    for (size_t i = 0; i < 2; i++)
        if (json_object_get(file, keys[i])) json_object_set(config, keys[i], json_object_get(file, keys[i]));
}

static bool add_file(json_t *config, const char *path, Error *error) {
    ImageRecipe recipe;
    json_t *file = json_file_read(path, MAX_FILE, error);
    if (!file) return false;
    copy_filter(file, config, path);
    copy_cut(file, config, path);
    copy_scale(file, config, path);
    json_decref(file);
    if (!image_recipe_read(&recipe, config, error)) return error_prefix(error, "%s: ", path);
    log_detail("%s: images are resized by %s, %s; mean %g %g %g, deviation %g %g %g", path,
               recipe.bicubic ? "bicubic" : "bilinear",
               recipe.shortest_edge ? "the middle of the shorter side" : "both sides forced",
               (double)recipe.mean[0], (double)recipe.mean[1], (double)recipe.mean[2],
               (double)recipe.deviation[0], (double)recipe.deviation[1], (double)recipe.deviation[2]);
    return true;
}

bool preprocessor_add(json_t *config, const char *config_path, Error *error) {
    const char *slash = strrchr(config_path, '/');
    const int folder = slash ? (int)(slash - config_path) + 1 : 0;
    char *path = memory_format("%.*spreprocessor_config.json", folder, config_path);
    const bool fine = access(path, F_OK) || add_file(config, path, error);
    free(path);
    return fine;
}
