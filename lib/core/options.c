#include "core/options.h"

#include "core/file.h"
#include "core/json_file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/option_paths.h"
#include "core/option_text.h"
#include "core/parallel.h"
#include "core/ranks.h"
#include "core/start.h"
#include "core/version.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_CONFIG = 1 << 20 };

static struct {
    bool help, version, quiet, verbose;
    int64_t threads;
    double max_record;
} common;

static Option common_options[] = {
    {.name = "threads",
     .kind = OPTION_INTEGER,
     .value = &common.threads,
     .argument = "N",
     .maximum = 4096,
     .unrecorded = true,
     .help = "processors to use; 0 means all that are granted"},
    {.name = "max-record",
     .kind = OPTION_REAL,
     .value = &common.max_record,
     .argument = "N",
     .maximum = 1 << 20,
     .unrecorded = true,
     .help = "GiB of the largest record that is read; 0 means half the memory"},
    {.name = "quiet",
     .letter = 'q',
     .kind = OPTION_FLAG,
     .value = &common.quiet,
     .unrecorded = true,
     .help = "say nothing but errors and warnings"},
    {.name = "verbose",
     .letter = 'v',
     .kind = OPTION_FLAG,
     .value = &common.verbose,
     .unrecorded = true,
     .help = "say more"},
    {.name = "help",
     .letter = 'h',
     .kind = OPTION_FLAG,
     .value = &common.help,
     .unrecorded = true,
     .help = "show this help"},
    {.name = "version",
     .letter = 'V',
     .kind = OPTION_FLAG,
     .value = &common.version,
     .unrecorded = true,
     .help = "show the version"},
    {0},
};

_Noreturn void options_wrong_usage(const Program *program, const char *format, ...) {
    va_list arguments;
    char text[1024];
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_error("%s (see %s --help)", text, program->name);
    exit(2);
}

/* The place of `text` among the choices ("a|b|c"), or -1. */
static int find_choice(const char *choices, const char *text) {
    const size_t length = strlen(text);
    int place = 0;
    for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL, place++)
        if (!strncmp(at, text, length) && (at[length] == '|' || !at[length])) return length ? place : -1;
    return -1;
}

static bool check_range(const Option *option, double number, Error *error) {
    const bool any = option->minimum == 0 && option->maximum == 0;
    if (isfinite(number) && number >= option->minimum && (any || number <= option->maximum)) return true;
    if (any) return error_set(error, "--%s must be at least 0, not %.10g", option->name, number);
    return error_set(error, "--%s must be between %.10g and %.10g, not %.10g", option->name, option->minimum,
                     option->maximum, number);
}

static bool set_text(Option *option, const char *text, Error *error) {
    char *end = NULL;
    errno = 0;
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)option->value = true;
        return true;
    case OPTION_INTEGER: {
        const int64_t number = strtoll(text, &end, 10);
        if (!*text || *end || errno)
            return error_set(error, "--%s takes a whole number, not '%s'", option->name, text);
        if (!check_range(option, (double)number, error)) return false;
        *(int64_t *)option->value = number;
        return true;
    }
    case OPTION_REAL: {
        const double number = strtod(text, &end);
        if (!*text || *end) return error_set(error, "--%s takes a number, not '%s'", option->name, text);
        if (!check_range(option, number, error)) return false;
        *(double *)option->value = number;
        return true;
    }
    case OPTION_TEXT:
    case OPTION_CHOICE: {
        const int place = option->choices ? find_choice(option->choices, text) : 0;
        if (place < 0)
            return error_set(error, "--%s is one of %s, not '%s'", option->name, option->choices, text);
        if (option->kind == OPTION_TEXT) break;
        *(unsigned *)option->value = (unsigned)place;
        return true;
    }
    case OPTION_PATH:
        if (!*text) return error_set(error, "--%s takes the name of a file, and it is empty", option->name);
        break;
    }
    if (option->check && !option->check(text, error)) return error_prefix(error, "--%s: ", option->name);
    *(const char **)option->value = text;
    return true;
}

static size_t count_options(const Option *options) {
    size_t count = 0;
    while (options[count].name)
        count++;
    return count;
}

static Option *find_option(Option *options, const char *name) {
    for (; options->name; options++)
        if (!strcmp(options->name, name)) return options;
    return NULL;
}

/* Several a line, without what they are for; those that all tools have closer, and without their defaults, so
 * that they fit into one. */
static void print_briefly(const Option *options, bool settings) {
    const int apart = settings ? 2 : 1;
    int column = 0;
    for (; options->name; options++) {
        char text[OPTION_TEXT_SIZE], item[OPTION_TEXT_SIZE + 8];
        if (options->setting != settings) continue;
        option_describe(options, text);
        char *value = settings ? NULL : strstr(text, " [");
        if (value) *value = 0;
        const char *letter = options->letter ? (char[]){'-', options->letter, ',', ' ', 0} : "";
        const int width = snprintf(item, sizeof item, "%s%s", letter, text) + apart;
        if (column && column + width > HELP_WIDTH) {
            putchar('\n');
            column = 0;
        }
        const int space = column ? apart : 2;
        printf("%*s%s", space, "", item);
        column += width + space - apart;
    }
    if (column) putchar('\n');
}

static bool has_settings(const Option *options) {
    while (options->name && !options->setting)
        options++;
    return options->name;
}

static void print_settings(const Option *options, bool verbose) {
    const Option *all = options;
    printf("settings (options, or keys of --config%s):\n",
           verbose ? "" : "; --help --verbose describes them");
    if (!verbose) print_briefly(options, true);
    for (; verbose && options->name; options++)
        if (options->setting) option_print(options, all);
}

static void print_help(const Program *program, bool verbose) {
    const int indent = printf("usage: %s ", program->name);
    print_wrapped(program->usage, indent, 7);
    print_wrapped(program->purpose, 0, 0);
    putchar('\n');
    for (const Option *option = program->options; option->name; option++)
        if (!option->setting) option_print(option, program->options);
    if (!verbose) print_briefly(common_options, false);
    for (const Option *option = common_options; verbose && option->name; option++)
        option_print(option, program->options);
    if (has_settings(program->options)) print_settings(program->options, verbose);
    printf("\nexample:\n%s\n", program->example);
}

/* Ends the program after --help and --version. */
static _Noreturn void end_of_output(void) {
    Error error;
    if (standard_output_finish(&error)) exit(0);
    log_error("%s", error.message);
    exit(1);
}

/* getopt_long's own tables, made from ours: long option i answers with 256 + i. */
static void build_getopt(const Option *const *all, size_t count, struct option *longs, char *shorts) {
    *shorts++ = ':';
    for (size_t i = 0; i < count; i++) {
        const int takes = all[i]->kind == OPTION_FLAG ? no_argument : required_argument;
        longs[i] = (struct option){all[i]->name, takes, NULL, 256 + (int)i};
        if (!all[i]->letter) continue;
        *shorts++ = all[i]->letter;
        if (takes == required_argument) *shorts++ = ':';
    }
    *shorts = 0;
}

static Option *chosen_option(Option *const *all, size_t count, int answer) {
    if (answer >= 256) return all[answer - 256];
    for (size_t i = 0; i < count; i++)
        if (all[i]->letter == answer) return all[i];
    return NULL;
}

/* getopt leaves in optopt what it could not take: a letter, the answer of a long option, or 0. */
static _Noreturn void refuse_option(const Program *program, Option *const *all, size_t count, int answer,
                                    const char *word) {
    char letter[3] = {'-', (char)optopt, 0};
    const char *name = optopt > 0 && optopt < 256 ? letter : word;
    if (answer == ':') options_wrong_usage(program, "%s needs a value", name);
    if (optopt >= 256) options_wrong_usage(program, "--%s takes no value", all[optopt - 256]->name);
    const Option *like = name == word ? option_like(word, all, count) : NULL;
    if (like) options_wrong_usage(program, "unknown option %s; did you mean --%s?", name, like->name);
    options_wrong_usage(program, "unknown option %s", name);
}

static void parse_all(const Program *program, Option **all, size_t count, int argc, char **argv) {
    struct option *longs = memory_need(count + 1, sizeof *longs);
    char *shorts = memory_need(2 * count + 2, 1);
    build_getopt((const Option *const *)all, count, longs, shorts);
    int answer;
    opterr = 0;
    while ((answer = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        Error error;
        if (answer == ':' || answer == '?') refuse_option(program, all, count, answer, argv[optind - 1]);
        Option *option = chosen_option(all, count, answer);
        if (!set_text(option, optarg, &error)) options_wrong_usage(program, "%s", error.message);
        option->given = true;
    }
    free(longs);
    free(shorts);
}

/* Whether one of the options, and none of the operands, is this word. */
static bool has_word(int argc, char **argv, const char *name, const char *letter) {
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], name) || !strcmp(argv[i], letter)) return true;
    return false;
}

int options_parse(Program *program, int argc, char **argv) {
    start_program(program->name);
    if (has_word(argc, argv, "--help", "-h")) { /* before parsing: shows defaults, not what was given */
        print_help(program, has_word(argc, argv, "--verbose", "-v"));
        end_of_output();
    }
    if (argc == 2 && !strcmp(argv[1], "--option-table")) {
        option_table_print(program, common_options);
        end_of_output();
    }
    const size_t own = count_options(program->options), shared = count_options(common_options);
    Option **all = memory_need(own + shared, sizeof *all);
    for (size_t i = 0; i < own; i++)
        all[i] = &program->options[i];
    for (size_t i = 0; i < shared; i++)
        all[own + i] = &common_options[i];
    parse_all(program, all, own + shared, argc, argv);
    free(all);
    if (common.help) {
        print_help(program, common.verbose);
        end_of_output();
    }
    if (common.version) {
        printf("%s %s\n", program->name, PROJECT_VERSION);
        if (program->version_details) puts(program->version_details());
        printf("MPI: %s\n", ranks_describe());
        end_of_output();
    }
    log_open(program->name, common.quiet ? LOG_QUIET : common.verbose ? LOG_VERBOSE : LOG_NORMAL);
    parallel_set_threads((int)common.threads);
    memory_set_record_limit((uint64_t)(common.max_record * (double)(1 << 30)));
    parallel_wait_briefly(argv);
    if (find_option(program->options, "batch-size")) memory_advise("use a smaller --batch-size");
    Error error;
    if (!option_paths_check(program->options, argv + optind, &error)) {
        log_error("%s", error.message);
        exit(1);
    }
    return optind;
}

/* Options live as long as the program, and so do their texts, also those that another value replaces. */
static const char *keep_text(const json_t *value) {
    static struct Kept {
        struct Kept *next;
        char *text;
    } * kept;
    struct Kept *entry = memory_need(1, sizeof *entry);
    *entry = (struct Kept){kept, memory_copy_text(json_string_value(value), json_string_length(value))};
    kept = entry;
    return entry->text;
}

static bool set_json(Option *option, const json_t *value, Error *error) {
    switch (option->kind) {
    case OPTION_FLAG:
        if (!json_is_boolean(value)) return error_set(error, "%s must be true or false", option->name);
        *(bool *)option->value = json_is_true(value);
        return true;
    case OPTION_INTEGER:
        if (!json_is_integer(value)) return error_set(error, "%s must be a whole number", option->name);
        if (!check_range(option, (double)json_integer_value(value), error)) return false;
        *(int64_t *)option->value = json_integer_value(value);
        return true;
    case OPTION_REAL:
        if (!json_is_number(value)) return error_set(error, "%s must be a number", option->name);
        if (!check_range(option, json_number_value(value), error)) return false;
        *(double *)option->value = json_number_value(value);
        return true;
    case OPTION_TEXT:
    case OPTION_CHOICE:
    case OPTION_PATH:
        if (!json_is_string(value)) return error_set(error, "%s must be a string", option->name);
        return set_text(option, keep_text(value), error);
    }
    return false;
}

bool options_read_config(Program *program, const char *path, Error *error) {
    json_t *config = json_file_read(path, MAX_CONFIG, error);
    if (!config) return false;
    bool fine = true;
    const char *key;
    json_t *value;
    json_object_foreach(config, key, value) {
        Option *option = find_option(program->options, key);
        if (!option || !option->setting) {
            fine = error_set(error, "%s: unknown setting \"%s\" (%s --help lists them)", path, key,
                             program->name);
            break;
        }
        if (option->given) continue;
        if (!set_json(option, value, error)) {
            fine = error_prefix(error, "%s: ", path);
            break;
        }
        option->given = true;
    }
    json_decref(config);
    return fine;
}

bool options_inherit(Program *program, const json_t *record, Error *error) {
    for (Option *option = program->options; option->name; option++) {
        const json_t *value = json_object_get(record, option->name);
        if (!value || !option->setting || option->given) continue;
        if (!set_json(option, value, error)) return false;
    }
    return true;
}

json_t *options_record(const Program *program) {
    json_t *record = json_object();
    for (const Option *option = program->options; option->name; option++) {
        json_t *value = NULL;
        if (option->unrecorded) continue;
        if (option->kind == OPTION_FLAG) value = json_boolean(*(bool *)option->value);
        if (option->kind == OPTION_INTEGER) value = json_integer(*(int64_t *)option->value);
        if (option->kind == OPTION_REAL && !isnan(*(double *)option->value))
            value = json_real(*(double *)option->value);
        if (option->kind == OPTION_TEXT && *(const char **)option->value)
            value = json_string(*(const char **)option->value);
        if (option->kind == OPTION_CHOICE) {
            const char *name;
            const int length = option_choice(option, &name);
            value = json_stringn(name, (size_t)length);
        }
        if (value) json_object_set_new(record, option->name, value);
    }
    return record;
}
