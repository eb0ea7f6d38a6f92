#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
    char name[128];
    LogLevel level;
} options = {"pm", LOG_NORMAL};

void log_open(const char *name, LogLevel level) {
    const char *label = getenv("PM_LABEL");
    snprintf(options.name, sizeof options.name, "%s%s%s", name, label && *label ? " " : "",
             label ? label : "");
    options.level = level;
}

const char *log_name(void) {
    return options.name;
}

LogLevel log_level(void) {
    return options.level;
}

/* One write a line, so that the lines of tools in one pipe do not mix. */
static void print_line(const char *prefix, const char *format, va_list arguments) {
    char text[2048];
    vsnprintf(text, sizeof text, format, arguments);
    fprintf(stderr, "%s: %s%s\n", options.name, prefix, text);
}

#define DEFINE_LOG(function, needed, prefix)                                                                 \
    void function(const char *format, ...) {                                                                 \
        if (options.level < (needed)) return;                                                                \
        va_list arguments;                                                                                   \
        va_start(arguments, format);                                                                         \
        print_line(prefix, format, arguments);                                                               \
        va_end(arguments);                                                                                   \
    }

DEFINE_LOG(log_error, LOG_QUIET, "")
DEFINE_LOG(log_warning, LOG_QUIET, "warning: ")
DEFINE_LOG(log_report, LOG_NORMAL, "")
DEFINE_LOG(log_detail, LOG_VERBOSE, "")
