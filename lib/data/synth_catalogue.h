/* Made-up items with a hidden structure that a recommender has to read out of their texts and images.
 *
 * Each item has a theme, which only its text tells, a colour, which only its image shows, and a kind, which
 * is a word in the text and a shape in the image. Domains use other words and another palette for the same
 * themes, colours and kinds, in part; what they mean for behaviour is the same in all. */
#ifndef DATA_SYNTH_CATALOGUE_H
#define DATA_SYNTH_CATALOGUE_H

#include "core/random.h"

#include <stddef.h>
#include <stdint.h>

enum { SYNTH_THEMES = 8, SYNTH_COLOURS = 8, SYNTH_KINDS = 6, SYNTH_DOMAINS = 26 };
enum { SYNTH_NAME_SIZE = 16, SYNTH_TEXT_SIZE = 128 };

/* Separates the random numbers of the parts of one seed; the domain is added to them in steps of 8. */
enum {
    SYNTH_STREAM_ITEMS,
    SYNTH_STREAM_POPULARITY,
    SYNTH_STREAM_TEXTS,
    SYNTH_STREAM_IMAGES,
    SYNTH_STREAM_USERS
};

typedef struct SynthItem {
    uint8_t theme, colour, kind;
    double popularity; /* not normalised */
} SynthItem;

typedef struct SynthCatalogue {
    uint64_t seed;
    unsigned domain; /* 0 is domain A */
    size_t count;
    SynthItem *items;
} SynthCatalogue;

SynthCatalogue *synth_catalogue_create(size_t count, unsigned domain, uint64_t seed);
void synth_catalogue_destroy(SynthCatalogue *catalogue);

/* The random numbers of item or user `index` in one of the streams above. */
void synth_random(Random *random, const SynthCatalogue *catalogue, int stream, size_t index);

/* "a0001" for the first item of domain A, "b0001" of domain B. */
void synth_item_name(const SynthCatalogue *catalogue, size_t item, char name[SYNTH_NAME_SIZE]);

/* Four to six words: two of the theme, one of the kind, and some that mean nothing, in any order. */
void synth_item_text(const SynthCatalogue *catalogue, size_t item, char text[SYNTH_TEXT_SIZE]);

/* All words of all domains in lower case, by number; NULL behind the last. */
const char *synth_word(size_t number);

#endif
