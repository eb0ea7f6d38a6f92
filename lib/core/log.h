/* What a tool says on standard error, each line as `pm-tool: …`. */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stdbool.h>

typedef enum LogLevel { LOG_QUIET, LOG_NORMAL, LOG_VERBOSE } LogLevel;

/* Names the program in front of every message and of progress, and behind it the environment's PM_LABEL, by
 * which several runs at the same time are told apart. */
void log_open(const char *name, LogLevel level);
const char *log_name(void);
LogLevel log_level(void);

/* Errors and warnings are always printed; reports unless -q; details only with -v. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_report(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_detail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
