#include "report/html.h"

#include "core/utf8.h"

#include <stdlib.h>
#include <string.h>

void html_put(FILE *page, const char *bytes, size_t size) {
    size_t length;
    char *text = utf8_replace_ill_formed(bytes, size, &length);
    for (size_t i = 0; i < length; i++)
        switch (text[i]) {
        case '&':
            fputs("&amp;", page);
            break;
        case '<':
            fputs("&lt;", page);
            break;
        case '>':
            fputs("&gt;", page);
            break;
        case '"':
            fputs("&quot;", page);
            break;
        case '\'':
            fputs("&#39;", page);
            break;
        default:
            putc(text[i], page);
        }
    free(text);
}

void html_put_text(FILE *page, const char *text) {
    html_put(page, text, strlen(text));
}

void html_put_base64(FILE *page, const unsigned char *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const unsigned triple = (unsigned)bytes[i] << 16 | (unsigned)(left > 1 ? bytes[i + 1] : 0) << 8 |
                                (unsigned)(left > 2 ? bytes[i + 2] : 0);
        putc(digits[triple >> 18], page);
        putc(digits[triple >> 12 & 63], page);
        putc(left > 1 ? digits[triple >> 6 & 63] : '=', page);
        putc(left > 2 ? digits[triple & 63] : '=', page);
    }
}
