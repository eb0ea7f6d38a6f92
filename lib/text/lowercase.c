#include "text/lowercase.h"

#include "core/memory.h"

#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <unistr.h>

/* libunistring maps and classifies characters. The rule for a final sigma is here, because that of u8_tolower
 * takes an apostrophe for the end of a word, against Unicode's (section 3.13, Final_Sigma). */

enum { CAPITAL_I_WITH_DOT = 0x130, COMBINING_DOT_ABOVE = 0x307, CAPITAL_SIGMA = 0x3a3 };
enum { SMALL_SIGMA = 0x3c3, SMALL_FINAL_SIGMA = 0x3c2 };

/* Whether the nearest character before (or after) that is not case-ignorable is cased. */
static bool cased_before(const uint8_t *text, const uint8_t *at) {
    ucs4_t character;
    while ((at = u8_prev(&character, at, text)))
        if (!uc_is_property_case_ignorable(character)) return uc_is_property_cased(character);
    return false;
}

static bool cased_after(const uint8_t *at, const uint8_t *end) {
    while (at < end) {
        ucs4_t character;
        at += u8_mbtouc_unsafe(&character, at, (size_t)(end - at));
        if (!uc_is_property_case_ignorable(character)) return uc_is_property_cased(character);
    }
    return false;
}

char *lowercase(const char *text, size_t size, size_t *lower_size) {
    const uint8_t *const start = (const uint8_t *)text, *const end = start + size;
    /* İ grows from 2 bytes to 3, the most of any; two-byte Ⱥ and Ⱦ to 3 as well. */
    uint8_t *lower = memory_need(size + size / 2 + 1, 1);
    size_t used = 0;
    for (const uint8_t *at = start; at < end;) {
        if (*at < 0x80) {
            lower[used++] = (uint8_t)(*at >= 'A' && *at <= 'Z' ? *at + 32 : *at);
            at++;
            continue;
        }
        ucs4_t character;
        const uint8_t *next = at + u8_mbtouc_unsafe(&character, at, (size_t)(end - at));
        if (character == CAPITAL_SIGMA) {
            const bool final = cased_before(start, at) && !cased_after(next, end);
            character = final ? SMALL_FINAL_SIGMA : SMALL_SIGMA;
        } else if (character == CAPITAL_I_WITH_DOT) {
            lower[used++] = 'i';
            character = COMBINING_DOT_ABOVE;
        } else {
            character = uc_tolower(character);
        }
        used += (size_t)u8_uctomb(lower + used, character, 4);
        at = next;
    }
    *lower_size = used;
    return (char *)lower;
}
