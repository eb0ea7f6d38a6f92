#include "core/utf8.h"

#include "core/memory.h"

#include <string.h>
#include <unistr.h>

size_t utf8_valid_prefix(const char *bytes, size_t size) {
    const uint8_t *start = (const uint8_t *)bytes, *bad = u8_check(start, size);
    return bad ? (size_t)(bad - start) : size;
}

/* The bytes of the ill-formed part at the start: as many as begin a well-formed sequence (table 3-7 of the
 * Unicode standard), and at least one. */
static size_t ill_formed_part(const uint8_t *bytes, size_t size) {
    const uint8_t lead = bytes[0];
    if (lead < 0xc2 || lead > 0xf4 || size < 2) return 1;
    const uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (bytes[1] < low || bytes[1] > high || lead < 0xe0) return 1;
    const bool third = size > 2 && lead >= 0xf0 && bytes[2] >= 0x80 && bytes[2] <= 0xbf;
    return third ? 3 : 2;
}

char *utf8_replace_ill_formed(const char *bytes, size_t size, size_t *replaced_size) {
    char *replaced = memory_need(3 * size + 1, 1);
    size_t used = 0;
    for (size_t at = 0; at < size;) {
        const size_t valid = utf8_valid_prefix(bytes + at, size - at);
        memcpy(replaced + used, bytes + at, valid);
        used += valid;
        at += valid;
        if (at == size) break;
        memcpy(replaced + used, "\xef\xbf\xbd", 3);
        used += 3;
        at += ill_formed_part((const uint8_t *)bytes + at, size - at);
    }
    *replaced_size = used;
    return replaced;
}
