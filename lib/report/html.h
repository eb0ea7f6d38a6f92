/* Text in pages. */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include <stddef.h>
#include <stdio.h>

/* Any bytes as text or as an attribute's value in quotes: what HTML would read is escaped, what is no UTF-8
 * becomes U+FFFD. */
void html_put(FILE *page, const char *bytes, size_t size);
void html_put_text(FILE *page, const char *text);

/* Bytes in base 64. */
void html_put_base64(FILE *page, const unsigned char *bytes, size_t size);

#endif
