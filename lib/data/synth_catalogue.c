#include "data/synth_catalogue.h"

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { THEME_WORDS = 8, KIND_WORDS = 4, FILLER_WORDS = 24 };

/* A domain uses a window of each row: 5 of 8 words of a theme and 3 of 4 of a kind, so that neighbouring
 * domains share some words and not others. */
enum { THEME_WINDOW = 5, THEME_STEP = 3, KIND_WINDOW = 3, KIND_STEP = 1 };

static const char *const theme_words[SYNTH_THEMES][THEME_WORDS] = {
    {"tide", "reef", "sail", "gull", "coral", "wharf", "anchor", "lagoon"},
    {"moss", "fern", "pine", "bark", "grove", "acorn", "timber", "willow"},
    {"comet", "lunar", "orbit", "nova", "stellar", "cosmic", "meteor", "galaxy"},
    {"bread", "spice", "honey", "basil", "oven", "cocoa", "ladle", "pepper"},
    {"drum", "flute", "chord", "tempo", "viola", "choir", "banjo", "melody"},
    {"sprint", "goal", "rally", "medal", "racket", "hurdle", "stadium", "jersey"},
    {"frost", "sled", "icicle", "polar", "snowy", "glacier", "mitten", "blizzard"},
    {"dune", "cactus", "oasis", "camel", "sandy", "mirage", "canyon", "nomad"},
};

static const char *const kind_words[SYNTH_KINDS][KIND_WORDS] = {
    {"plate", "button", "saucer", "coin"},    {"hoop", "bracelet", "wreath", "bangle"},
    {"box", "tile", "cushion", "crate"},      {"tent", "pennant", "wedge", "prism"},
    {"windmill", "trellis", "brace", "vane"}, {"scarf", "rug", "ladder", "blind"},
};

static const char *const filler_words[FILLER_WORDS] = {
    "small",   "fine",  "classic", "everyday", "handmade", "simple",  "light",  "sturdy",
    "gift",    "set",   "new",     "original", "modern",   "vintage", "soft",   "large",
    "compact", "plain", "premium", "travel",   "home",     "outdoor", "pocket", "portable",
};

/* Popularity falls with the rank as 1 / (rank + HEAD) ^ EXPONENT: Zipf with a blunted head, as catalogues
 * show, so that no item alone makes the popularity baseline strong. */
static const double ZIPF_HEAD = 10, ZIPF_EXPONENT = 0.6;

void synth_random(Random *random, const SynthCatalogue *catalogue, int stream, size_t index) {
    const uint64_t part = (uint64_t)catalogue->domain * 8 + (uint64_t)stream;
    random_seed(random, random_hash(catalogue->seed, part), index);
}

SynthCatalogue *synth_catalogue_create(size_t count, unsigned domain, uint64_t seed) {
    SynthCatalogue *catalogue = memory_need(1, sizeof *catalogue);
    *catalogue = (SynthCatalogue){seed, domain, count, memory_need(count, sizeof(SynthItem))};
    uint32_t *ranks = memory_need(count, sizeof *ranks);
    Random random;
    for (size_t i = 0; i < count; i++)
        ranks[i] = (uint32_t)i;
    synth_random(&random, catalogue, SYNTH_STREAM_POPULARITY, 0);
    random_shuffle(&random, ranks, count);
    for (size_t i = 0; i < count; i++) {
        synth_random(&random, catalogue, SYNTH_STREAM_ITEMS, i);
        SynthItem *item = &catalogue->items[i];
        item->theme = (uint8_t)random_below(&random, SYNTH_THEMES);
        item->colour = (uint8_t)random_below(&random, SYNTH_COLOURS);
        item->kind = (uint8_t)random_below(&random, SYNTH_KINDS);
        item->popularity = pow(ranks[i] + ZIPF_HEAD, -ZIPF_EXPONENT);
    }
    free(ranks);
    return catalogue;
}

void synth_catalogue_destroy(SynthCatalogue *catalogue) {
    if (!catalogue) return;
    free(catalogue->items);
    free(catalogue);
}

void synth_item_name(const SynthCatalogue *catalogue, size_t item, char name[SYNTH_NAME_SIZE]) {
    snprintf(name, SYNTH_NAME_SIZE, "%c%04zu", 'a' + (int)catalogue->domain, item + 1);
}

static const char *pick(Random *random, const char *const *words, size_t row, size_t first, size_t window) {
    return words[(first + random_below(random, window)) % row];
}

void synth_item_text(const SynthCatalogue *catalogue, size_t item, char text[SYNTH_TEXT_SIZE]) {
    const SynthItem *made = &catalogue->items[item];
    const char *words[6];
    uint32_t order[6];
    uint32_t count = 0;
    Random random;
    synth_random(&random, catalogue, SYNTH_STREAM_TEXTS, item);
    for (int i = 0; i < 2; i++)
        words[count++] = pick(&random, theme_words[made->theme], THEME_WORDS,
                              THEME_STEP * (size_t)catalogue->domain, THEME_WINDOW);
    words[count++] =
        pick(&random, kind_words[made->kind], KIND_WORDS, KIND_STEP * (size_t)catalogue->domain, KIND_WINDOW);
    for (uint64_t fillers = 1 + random_below(&random, 3); fillers > 0; fillers--)
        words[count++] = pick(&random, filler_words, FILLER_WORDS, 0, FILLER_WORDS);
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    random_shuffle(&random, order, count);
    int used = 0;
    for (uint32_t i = 0; i < count; i++)
        used += snprintf(text + used, SYNTH_TEXT_SIZE - (size_t)used, "%s%s", i ? " " : "", words[order[i]]);
    text[0] = (char)(text[0] - 'a' + 'A');
}

const char *synth_word(size_t number) {
    if (number < SYNTH_THEMES * THEME_WORDS) return theme_words[number / THEME_WORDS][number % THEME_WORDS];
    number -= SYNTH_THEMES * THEME_WORDS;
    if (number < SYNTH_KINDS * KIND_WORDS) return kind_words[number / KIND_WORDS][number % KIND_WORDS];
    number -= SYNTH_KINDS * KIND_WORDS;
    return number < FILLER_WORDS ? filler_words[number] : NULL;
}
