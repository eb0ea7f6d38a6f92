/* How an image becomes an encoder's input: what of it is resized by which filter, and how the values of its
 * pixels are scaled. pm-imgpack does the first, what reads the store the second. */
#ifndef DATA_IMAGE_RECIPE_H
#define DATA_IMAGE_RECIPE_H

#include "core/error.h"

#include <jansson.h>
#include <stdint.h>

typedef struct ImageRecipe {
    bool bicubic; /* or else bilinear */
    uint32_t
        shortest_edge; /* the shorter side becomes it, and the middle is cut out; 0: both sides are forced */
    float mean[3], deviation[3]; /* of red, green, blue between 0 and 1, to be taken away and divided by */
} ImageRecipe;

/* Bilinear, both sides forced, (u / 255 − 0.5) / 0.5. */
extern const ImageRecipe image_recipe_standard;

/* The keys "resample" ("bilinear" or "bicubic"), "shortest_edge", "image_mean" and "image_std" of an object;
 * those that are missing are standard. */
bool image_recipe_read(ImageRecipe *recipe, const json_t *object, Error *error);

/* {"resample": …, "shortest_edge": …}: what was done to the images of a store. A new reference. */
json_t *image_recipe_geometry(const ImageRecipe *recipe);

/* Warns when the images of a store (its header; its name is for the message) were not resized as the recipe
 * has it. */
void image_recipe_compare(const ImageRecipe *recipe, const json_t *header, const char *name);

#endif
