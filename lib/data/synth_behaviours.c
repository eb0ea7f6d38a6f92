#include "data/synth_behaviours.h"

#include "core/memory.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { CELLS = SYNTH_THEMES * SYNTH_COLOURS * SYNTH_KINDS };

/* What a fulfilled rule multiplies in, and how many items more than the shortest a user has on average. */
static const double THEME_RULE = 25, COLOUR_RULE = 25, KIND_RULE = 12, TASTE = 2, MEAN_EXTRA = 5;

/* How often a user looks for an item that is new to them before taking a known one. */
enum { PATIENCE = 32 };

/* The items sorted by cell (the items alike in theme, colour and kind), with the running sum of popularity.
 */
struct SynthBehaviours {
    const SynthCatalogue *catalogue;
    uint32_t *sorted;
    double *running;         /* running[i]: popularity of sorted[first of its cell … i] */
    size_t first[CELLS + 1]; /* of each cell in sorted */
};

static size_t cell_of(const SynthItem *item) {
    return ((size_t)item->theme * SYNTH_COLOURS + item->colour) * SYNTH_KINDS + item->kind;
}

SynthBehaviours *synth_behaviours_create(const SynthCatalogue *catalogue) {
    SynthBehaviours *behaviours = memory_need(1, sizeof *behaviours);
    behaviours->catalogue = catalogue;
    behaviours->sorted = memory_need(catalogue->count, sizeof *behaviours->sorted);
    behaviours->running = memory_need(catalogue->count, sizeof *behaviours->running);
    size_t next[CELLS];
    for (size_t i = 0; i < catalogue->count; i++)
        behaviours->first[cell_of(&catalogue->items[i]) + 1]++;
    for (size_t cell = 0; cell < CELLS; cell++) {
        next[cell] = behaviours->first[cell];
        behaviours->first[cell + 1] += behaviours->first[cell];
    }
    for (size_t i = 0; i < catalogue->count; i++) {
        const size_t cell = cell_of(&catalogue->items[i]), at = next[cell]++;
        behaviours->sorted[at] = (uint32_t)i;
        behaviours->running[at] =
            catalogue->items[i].popularity + (at > behaviours->first[cell] ? behaviours->running[at - 1] : 0);
    }
    return behaviours;
}

void synth_behaviours_destroy(SynthBehaviours *behaviours) {
    if (!behaviours) return;
    free(behaviours->sorted);
    free(behaviours->running);
    free(behaviours);
}

unsigned synth_next_theme(unsigned theme) {
    return (theme + 3) % SYNTH_THEMES;
}

unsigned synth_next_colour(unsigned colour) {
    return (colour + 3) % SYNTH_COLOURS;
}

unsigned synth_next_kind(unsigned kind) {
    return (kind + 1) % SYNTH_KINDS;
}

/* What the rules make of each theme, colour and kind, as factors of the probability. */
typedef struct Wishes {
    double theme[SYNTH_THEMES], colour[SYNTH_COLOURS], kind[SYNTH_KINDS];
} Wishes;

static Wishes wishes_after(const SynthBehaviours *behaviours, const uint32_t *items, size_t count,
                           unsigned liked_theme, unsigned liked_colour) {
    const SynthItem *made = behaviours->catalogue->items;
    Wishes wishes;
    for (int i = 0; i < SYNTH_THEMES; i++)
        wishes.theme[i] = 1;
    for (int i = 0; i < SYNTH_COLOURS; i++)
        wishes.colour[i] = 1;
    for (int i = 0; i < SYNTH_KINDS; i++)
        wishes.kind[i] = 1;
    wishes.theme[liked_theme] *= TASTE;
    wishes.colour[liked_colour] *= TASTE;
    if (count > 0) {
        wishes.theme[synth_next_theme(made[items[count - 1]].theme)] *= THEME_RULE;
        wishes.kind[synth_next_kind(made[items[count - 1]].kind)] *= KIND_RULE;
    }
    if (count > 1) wishes.colour[synth_next_colour(made[items[count - 2]].colour)] *= COLOUR_RULE;
    return wishes;
}

/* Draws one of `count` things in proportion to their weights, of which the running sums are given. */
static size_t draw(const double *sums, size_t count, Random *random) {
    const double total = sums[count - 1];
    const double level =
        fmin(random_uniform(random) * total, nextafter(total, 0)); /* below total when rounded */
    size_t low = 0, high = count - 1;
    while (low < high) { /* to the first sum above the level */
        const size_t middle = low + (high - low) / 2;
        if (sums[middle] > level)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Running sums over the cells of their popularity times what the wishes say of them. */
static void weigh_cells(const SynthBehaviours *behaviours, const Wishes *wishes, double sums[CELLS]) {
    double sum = 0;
    for (size_t cell = 0; cell < CELLS; cell++) {
        if (behaviours->first[cell + 1] > behaviours->first[cell])
            sum += behaviours->running[behaviours->first[cell + 1] - 1] * wishes->kind[cell % SYNTH_KINDS] *
                   wishes->colour[cell / SYNTH_KINDS % SYNTH_COLOURS] *
                   wishes->theme[cell / SYNTH_KINDS / SYNTH_COLOURS];
        sums[cell] = sum;
    }
}

static uint32_t draw_item(const SynthBehaviours *behaviours, const double sums[CELLS], Random *random) {
    const size_t cell = draw(sums, CELLS, random);
    const size_t first = behaviours->first[cell], count = behaviours->first[cell + 1] - first;
    return behaviours->sorted[first + draw(behaviours->running + first, count, random)];
}

static bool is_among(const uint32_t *items, size_t count, uint32_t item) {
    for (size_t i = 0; i < count; i++)
        if (items[i] == item) return true;
    return false;
}

size_t synth_user_items(const SynthBehaviours *behaviours, size_t user, uint32_t items[SYNTH_LONGEST]) {
    Random random;
    double sums[CELLS];
    synth_random(&random, behaviours->catalogue, SYNTH_STREAM_USERS, user);
    const unsigned liked_theme = (unsigned)random_below(&random, SYNTH_THEMES);
    const unsigned liked_colour = (unsigned)random_below(&random, SYNTH_COLOURS);
    const double extra = -MEAN_EXTRA * log(1 - random_uniform(&random));
    const size_t length = SYNTH_SHORTEST + (size_t)fmin(extra, SYNTH_LONGEST - SYNTH_SHORTEST);
    for (size_t count = 0; count < length; count++) {
        const Wishes wishes = wishes_after(behaviours, items, count, liked_theme, liked_colour);
        weigh_cells(behaviours, &wishes, sums);
        for (int tries = 0; tries < PATIENCE; tries++) {
            items[count] = draw_item(behaviours, sums, &random);
            if (!is_among(items, count, items[count])) break;
        }
    }
    return length;
}

void synth_user_name(const SynthCatalogue *catalogue, size_t user, char name[SYNTH_NAME_SIZE]) {
    snprintf(name, SYNTH_NAME_SIZE, "u%c%04zu", 'a' + (int)catalogue->domain, user + 1);
}
