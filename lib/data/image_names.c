#include "data/image_names.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uninorm.h>
#include <unistr.h>

size_t image_stem_size(const char *name) {
    static const char *const extensions[] = {".jpg", ".jpeg", ".png", ".webp"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof extensions / sizeof *extensions; i++)
        if (!strcasecmp(dot, extensions[i])) return (size_t)(dot - name);
    return 0;
}

/* The digits of a number without the zeros before it; *size is 0 when the name is none. */
static const char *number_in(const char *name, size_t *size) {
    for (size_t i = 0; i < *size; i++)
        if (!isdigit((unsigned char)name[i])) *size = 0;
    for (; *size > 1 && *name == '0'; (*size)--)
        name++;
    return name;
}

static bool is_same_number(const char *item, size_t size, const char *other, size_t other_size) {
    item = number_in(item, &size);
    other = number_in(other, &other_size);
    return size && size == other_size && !memcmp(item, other, size);
}

static bool is_ascii(const char *name, size_t size) {
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)name[i] >= 0x80) return false;
    return true;
}

static bool is_same_text(const char *item, size_t size, const char *other, size_t other_size) {
    const uint8_t *left = (const uint8_t *)item, *right = (const uint8_t *)other;
    int order = 1;
    if (is_ascii(item, size) || is_ascii(other, other_size) || u8_check(left, size) ||
        u8_check(right, other_size))
        return false;
    return !u8_normcmp(left, size, right, other_size, UNINORM_NFC, &order) && order == 0;
}

const char *image_names_differ(const char *item, size_t size, const char *other, size_t other_size) {
    if (is_same_number(item, size, other, other_size))
        return "the same number with other zeros before it; did a program read the items' names as numbers?";
    if (is_same_text(item, size, other, other_size))
        return "the same name in another Unicode normalization (é as one character, or as e and an accent); "
               "names are "
               "compared byte by byte, so bring both to one, with uconv -x any-nfc";
    return NULL;
}
