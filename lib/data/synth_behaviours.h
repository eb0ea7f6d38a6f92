/* Made-up users who move through a catalogue by hidden rules, the same in every domain.
 *
 * The next item's theme follows from the last item's theme, its kind from the last item's kind, and its
 * colour from the colour of the item before the last; each user also likes one theme and one colour; and
 * popular items are taken more often. An item is drawn with a probability proportional to its popularity
 * times what each rule that it fulfils multiplies in. */
#ifndef DATA_SYNTH_BEHAVIOURS_H
#define DATA_SYNTH_BEHAVIOURS_H

#include "data/synth_catalogue.h"

enum { SYNTH_SHORTEST = 5, SYNTH_LONGEST = 25 };

typedef struct SynthBehaviours SynthBehaviours;

/* The catalogue must outlive it. */
SynthBehaviours *synth_behaviours_create(const SynthCatalogue *catalogue);
void synth_behaviours_destroy(SynthBehaviours *behaviours);

/* The items of a user, oldest first; returns how many. No item comes twice while the user finds new ones. */
size_t synth_user_items(const SynthBehaviours *behaviours, size_t user, uint32_t items[SYNTH_LONGEST]);

/* "ua0001" for the first user of domain A. */
void synth_user_name(const SynthCatalogue *catalogue, size_t user, char name[SYNTH_NAME_SIZE]);

/* The theme (colour, kind) that follows a theme (colour, kind). */
unsigned synth_next_theme(unsigned theme);
unsigned synth_next_colour(unsigned colour);
unsigned synth_next_kind(unsigned kind);

#endif
