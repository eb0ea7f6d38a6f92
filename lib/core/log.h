/* What a tool says on standard error, each line as `pm-tool: …`, without control characters and in UTF-8. */
#ifndef CORE_LOG_H
#define CORE_LOG_H

typedef enum LogLevel { LOG_ERRORS, LOG_QUIET, LOG_NORMAL, LOG_VERBOSE } LogLevel;

/* Names the program in front of every message and of progress, and behind it the environment's PM_LABEL, by
 * which several runs at the same time are told apart. */
void log_open(const char *name, LogLevel level);
LogLevel log_level(void);

/* Of several processes in one run: names the one in front of every message; others than rank 0 print errors
 * alone. */
void log_rank(int rank, const char *name);

/* Errors are always printed, warnings also with -q; reports unless -q; details only with -v. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_report(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_detail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line on the terminal that the next one, of either sort, replaces. */
void log_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_end_progress(void);

#endif
