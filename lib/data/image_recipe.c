#include "data/image_recipe.h"

#include "core/log.h"

#include <stdio.h>
#include <string.h>

const ImageRecipe image_recipe_standard = {.mean = {0.5f, 0.5f, 0.5f}, .deviation = {0.5f, 0.5f, 0.5f}};

static bool read_channels(const json_t *object, const char *key, double least, float channels[3],
                          Error *error) {
    const json_t *list = json_object_get(object, key);
    if (!list) return true;
    for (size_t i = 0; i < 3; i++) {
        const json_t *number = json_array_get(list, i);
        const double value = json_number_value(number);
        if (json_array_size(list) != 3 || !json_is_number(number) || !(value >= least && value <= 255))
            return error_set(error, "%s must be three numbers from %g to 255", key, least);
        channels[i] = (float)value;
    }
    return true;
}

bool image_recipe_read(ImageRecipe *recipe, const json_t *object, Error *error) {
    const json_t *edge = json_object_get(object, "shortest_edge");
    const json_t *filter = json_object_get(object, "resample");
    const char *name = json_string_value(filter);
    *recipe = image_recipe_standard;
    recipe->bicubic = name && !strcmp(name, "bicubic");
    if (filter && !recipe->bicubic && (!name || strcmp(name, "bilinear")))
        return error_set(error, "resample must be bilinear or bicubic");
    if (edge &&
        (!json_is_integer(edge) || json_integer_value(edge) < 0 || json_integer_value(edge) > 1 << 14))
        return error_set(error, "shortest_edge must be a whole number from 0 to %d", 1 << 14);
    recipe->shortest_edge = (uint32_t)json_integer_value(edge);
    return read_channels(object, "image_mean", 0, recipe->mean, error) &&
           read_channels(object, "image_std", 1e-6, recipe->deviation, error);
}

json_t *image_recipe_geometry(const ImageRecipe *recipe) {
    return json_pack("{s:s, s:I}", "resample", recipe->bicubic ? "bicubic" : "bilinear", "shortest_edge",
                     (json_int_t)recipe->shortest_edge);
}

static const char *describe(const ImageRecipe *recipe, char text[80]) {
    const char *filter = recipe->bicubic ? "bicubic" : "bilinear";
    if (recipe->shortest_edge)
        snprintf(text, 80, "%s, the middle of a shorter side of %u", filter, recipe->shortest_edge);
    else
        snprintf(text, 80, "%s, both sides forced", filter);
    return text;
}

void image_recipe_compare(const ImageRecipe *recipe, const json_t *header, const char *name) {
    ImageRecipe packed;
    Error error;
    char were[80], wanted[80];
    if (!image_recipe_read(&packed, json_object_get(header, "recipe"), &error))
        packed = image_recipe_standard;
    if (packed.bicubic == recipe->bicubic && packed.shortest_edge == recipe->shortest_edge) return;
    log_warning(
        "%s: its images were resized otherwise (%s) than for what the encoder was made (%s); pm-imgpack "
        "--encoder packs them so",
        name, describe(&packed, were), describe(recipe, wanted));
}
