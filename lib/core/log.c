#include "core/log.h"

#include "core/utf8.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLEAR_LINE "\r\033[K"

static struct {
    char name[512];
    LogLevel level;
    bool shows_progress; /* a line that is not ended stands on the terminal */
} options = {"pm", LOG_NORMAL, false};

void log_open(const char *name, LogLevel level) {
    const char *label = getenv("PM_LABEL");
    snprintf(options.name, sizeof options.name, "%s%s%s", name, label && *label ? " " : "",
             label ? label : "");
    options.level = level;
}

void log_rank(int rank, const char *name) {
    const size_t length = strlen(options.name);
    snprintf(options.name + length, sizeof options.name - length, " (%s)", name);
    if (rank) options.level = LOG_ERRORS;
}

LogLevel log_level(void) {
    return options.level;
}

/* How many bytes of the text are one control character (of ASCII, or U+0080 … U+009F in UTF-8), or 0. */
static size_t control_size(const char *text) {
    const unsigned char first = (unsigned char)text[0], second = first ? (unsigned char)text[1] : 0;
    if (first < 0x20 || first == 0x7f) return 1;
    return first == 0xc2 && second >= 0x80 && second <= 0x9f ? 2 : 0;
}

/* Names of files and items come from anywhere: what would move the cursor or end the line, or is no UTF-8, is
 * shown as \xNN. `escaped` has four bytes for each of the text. */
static void escape(const char *text, char *escaped) {
    const char *ill_formed = text + utf8_valid_prefix(text, strlen(text));
    while (*text) {
        size_t size = control_size(text);
        if (text == ill_formed) {
            size = 1;
            ill_formed += 1 + utf8_valid_prefix(text + 1, strlen(text + 1));
        }
        if (!size) *escaped++ = *text++;
        for (; size; size--)
            escaped += sprintf(escaped, "\\x%02x", (unsigned char)*text++);
    }
    *escaped = 0;
}

/* One write a line, so that the lines of tools in one pipe do not mix. */
static void print_line(const char *prefix, const char *format, va_list arguments) {
    char text[2048], escaped[4 * sizeof text];
    vsnprintf(text, sizeof text, format, arguments);
    escape(text, escaped);
    log_end_progress();
    fprintf(stderr, "%s: %s%s\n", options.name, prefix, escaped);
}

void log_progress(const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, CLEAR_LINE "%s: %s", options.name, text);
    options.shows_progress = true;
}

void log_end_progress(void) {
    if (options.shows_progress) fputs(CLEAR_LINE, stderr);
    options.shows_progress = false;
}

#define DEFINE_LOG(function, needed, prefix)                                                                 \
    void function(const char *format, ...) {                                                                 \
        if (options.level < (needed)) return;                                                                \
        va_list arguments;                                                                                   \
        va_start(arguments, format);                                                                         \
        print_line(prefix, format, arguments);                                                               \
        va_end(arguments);                                                                                   \
    }

DEFINE_LOG(log_error, LOG_ERRORS, "")
DEFINE_LOG(log_warning, LOG_QUIET, "warning: ")
DEFINE_LOG(log_report, LOG_NORMAL, "")
DEFINE_LOG(log_detail, LOG_VERBOSE, "")
