#include "check.h"
#include "data/synth_behaviours.h"
#include "data/synth_catalogue.h"
#include "data/synth_image.h"

#include <ctype.h>

static void test_same_seed_same_items(void) {
    SynthCatalogue *one = synth_catalogue_create(50, 0, 7), *two = synth_catalogue_create(50, 0, 7);
    SynthCatalogue *other = synth_catalogue_create(50, 0, 8);
    uint8_t pixels[2][16 * 16 * 3];
    char text[2][SYNTH_TEXT_SIZE];
    int different = 0;
    for (size_t i = 0; i < 50; i++) {
        synth_item_text(one, i, text[0]);
        synth_item_text(two, i, text[1]);
        CHECK(!strcmp(text[0], text[1]), "item %zu: '%s' and '%s'", i, text[0], text[1]);
        synth_image_render(one, i, 16, pixels[0]);
        synth_image_render(two, i, 16, pixels[1]);
        CHECK(!memcmp(pixels[0], pixels[1], sizeof pixels[0]), "image %zu", i);
        synth_item_text(other, i, text[1]);
        different += strcmp(text[0], text[1]) != 0;
    }
    CHECK(different > 45, "another seed changed %d of 50 texts", different);
    synth_catalogue_destroy(one);
    synth_catalogue_destroy(two);
    synth_catalogue_destroy(other);
}

/* An item does not depend on how many there are: a larger catalogue begins with the same items. */
static void test_items_stand_alone(void) {
    SynthCatalogue *few = synth_catalogue_create(20, 1, 3), *many = synth_catalogue_create(500, 1, 3);
    for (size_t i = 0; i < few->count; i++) {
        char text[2][SYNTH_TEXT_SIZE];
        synth_item_text(few, i, text[0]);
        synth_item_text(many, i, text[1]);
        CHECK(!strcmp(text[0], text[1]), "item %zu", i);
        CHECK(few->items[i].colour == many->items[i].colour, "item %zu", i);
    }
    synth_catalogue_destroy(few);
    synth_catalogue_destroy(many);
}

static void test_names(void) {
    SynthCatalogue *catalogue = synth_catalogue_create(2, 1, 1);
    char name[SYNTH_NAME_SIZE];
    synth_item_name(catalogue, 0, name);
    CHECK(!strcmp(name, "b0001"), "%s", name);
    synth_item_name(catalogue, 9999999, name);
    CHECK(!strcmp(name, "b10000000"), "%s", name);
    synth_user_name(catalogue, 11, name);
    CHECK(!strcmp(name, "ub0012"), "%s", name);
    synth_catalogue_destroy(catalogue);
}

static int word_number(const char *word) {
    for (int i = 0; synth_word((size_t)i); i++)
        if (!strcasecmp(synth_word((size_t)i), word)) return i;
    return -1;
}

/* Words 0 … 63 are those of the themes, 64 … 87 those of the kinds. */
static void test_texts_tell_theme_and_kind(void) {
    for (unsigned domain = 0; domain < 3; domain++) {
        SynthCatalogue *catalogue = synth_catalogue_create(300, domain, 5);
        for (size_t i = 0; i < catalogue->count; i++) {
            char text[SYNTH_TEXT_SIZE], *rest = text;
            int themes = 0, kinds = 0;
            synth_item_text(catalogue, i, text);
            CHECK(isupper((unsigned char)text[0]), "'%s'", text);
            for (char *word; (word = strsep(&rest, " "));) {
                const int number = word_number(word);
                CHECK(number >= 0, "'%s' is no known word", word);
                if (number < 64) {
                    themes++;
                    CHECK(number / 8 == catalogue->items[i].theme, "'%s' in item %zu", word, i);
                } else if (number < 88) {
                    kinds++;
                    CHECK((number - 64) / 4 == catalogue->items[i].kind, "'%s' in item %zu", word, i);
                }
            }
            CHECK(themes == 2 && kinds == 1, "item %zu has %d and %d words", i, themes, kinds);
        }
        synth_catalogue_destroy(catalogue);
    }
}

static void test_words_are_distinct(void) {
    for (int i = 0; synth_word((size_t)i); i++)
        CHECK(word_number(synth_word((size_t)i)) == i, "'%s' stands twice", synth_word((size_t)i));
}

/* Red, green or blue leads as the hue says: colour 0 is a red, 3 a green, 5 a blue. */
static void test_images_show_the_colour(void) {
    static const int leading[SYNTH_COLOURS] = {0, -1, -1, 1, -1, 2, -1, -1};
    for (unsigned domain = 0; domain < 4; domain++) {
        SynthCatalogue *catalogue = synth_catalogue_create(60, domain, 5);
        uint8_t pixels[48 * 48 * 3];
        for (size_t i = 0; i < catalogue->count; i++) {
            double excess[3] = {0};
            synth_image_render(catalogue, i, 48, pixels);
            for (size_t p = 0; p < 48 * 48; p++) {
                const double mean = (pixels[3 * p] + pixels[3 * p + 1] + pixels[3 * p + 2]) / 3.0;
                for (size_t c = 0; c < 3; c++)
                    excess[c] += pixels[3 * p + c] - mean;
            }
            const int want = leading[catalogue->items[i].colour];
            for (int c = 0; want >= 0 && c < 3; c++)
                CHECK(excess[want] >= excess[c], "domain %u, item %zu: channel %d leads, not %d", domain, i,
                      c, want);
        }
        synth_catalogue_destroy(catalogue);
    }
}

/* The share of steps at which a rule holds: high for the rule's own distance, near chance for the other. */
static void test_users_follow_the_rules(void) {
    SynthCatalogue *catalogue = synth_catalogue_create(1000, 0, 1);
    SynthBehaviours *behaviours = synth_behaviours_create(catalogue);
    double steps = 0, theme = 0, kind = 0, colour = 0, colour_of_last = 0, repeats = 0, total = 0;
    for (size_t user = 0; user < 1000; user++) {
        uint32_t items[SYNTH_LONGEST];
        const size_t count = synth_user_items(behaviours, user, items);
        CHECK(count >= SYNTH_SHORTEST && count <= SYNTH_LONGEST, "user %zu has %zu items", user, count);
        total += (double)count;
        for (size_t i = 2; i < count; i++) {
            const SynthItem *now = &catalogue->items[items[i]], *last = &catalogue->items[items[i - 1]];
            const SynthItem *before = &catalogue->items[items[i - 2]];
            steps++;
            theme += now->theme == synth_next_theme(last->theme);
            kind += now->kind == synth_next_kind(last->kind);
            colour += now->colour == synth_next_colour(before->colour);
            colour_of_last += now->colour == synth_next_colour(last->colour);
            for (size_t j = 0; j < i; j++)
                repeats += items[j] == items[i];
        }
    }
    CHECK(theme / steps > 0.65, "theme %.3f", theme / steps);
    CHECK(kind / steps > 0.6, "kind %.3f", kind / steps);
    CHECK(colour / steps > 0.65, "colour %.3f", colour / steps);
    CHECK(colour_of_last / steps < 0.25, "colour of the last item %.3f", colour_of_last / steps);
    CHECK(repeats == 0, "%.0f repeats", repeats);
    CHECK(total / 1000 > 8 && total / 1000 < 11, "%.2f items a user", total / 1000);
    synth_behaviours_destroy(behaviours);
    synth_catalogue_destroy(catalogue);
}

static void test_domains_differ(void) {
    SynthCatalogue *a = synth_catalogue_create(500, 0, 1), *b = synth_catalogue_create(500, 1, 1);
    int same = 0;
    for (size_t i = 0; i < 500; i++)
        same += a->items[i].theme == b->items[i].theme && a->items[i].colour == b->items[i].colour &&
                a->items[i].kind == b->items[i].kind;
    CHECK(same < 10, "%d of 500 items are alike", same);
    synth_catalogue_destroy(a);
    synth_catalogue_destroy(b);
}

/* One item: nothing new to find, and no cell but one. */
static void test_smallest_catalogue(void) {
    SynthCatalogue *catalogue = synth_catalogue_create(1, 0, 1);
    SynthBehaviours *behaviours = synth_behaviours_create(catalogue);
    uint32_t items[SYNTH_LONGEST];
    const size_t count = synth_user_items(behaviours, 0, items);
    CHECK(count >= SYNTH_SHORTEST, "%zu", count);
    for (size_t i = 0; i < count; i++)
        CHECK(items[i] == 0, "item %u", items[i]);
    synth_behaviours_destroy(behaviours);
    synth_catalogue_destroy(catalogue);
}

RUN_TESTS(TEST(test_same_seed_same_items), TEST(test_items_stand_alone), TEST(test_names),
          TEST(test_texts_tell_theme_and_kind), TEST(test_words_are_distinct),
          TEST(test_images_show_the_colour), TEST(test_users_follow_the_rules), TEST(test_domains_differ),
          TEST(test_smallest_catalogue))
