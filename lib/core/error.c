#include "core/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool error_set(Error *error, const char *format, ...) {
    va_list arguments;
    error->of_machine = false;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return false;
}

static bool is_of_machine(int number) {
    static const int numbers[] = {ENOMEM, EMFILE, ENFILE, EIO, ENOSPC, EINTR};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (number == numbers[i]) return true;
    return false;
}

bool error_set_errno(Error *error, const char *format, ...) {
    const int number = errno;
    char what[sizeof error->message / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    error_set(error, "%s: %s", what, strerror(number));
    error->of_machine = is_of_machine(number);
    return false;
}

bool error_prefix(Error *error, const char *format, ...) {
    char prefix[sizeof error->message / 2], message[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    snprintf(message, sizeof message, "%s", error->message);
    const size_t length = (size_t)snprintf(error->message, sizeof error->message, "%s", prefix);
    snprintf(error->message + length, sizeof error->message - length, "%s", message);
    return false;
}
