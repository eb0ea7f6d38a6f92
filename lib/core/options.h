/* Command lines. A tool lists its options in a table; --help, --version, -q, -v and --threads come by
 * themselves. */
#ifndef CORE_OPTIONS_H
#define CORE_OPTIONS_H

#include "core/error.h"

#include <jansson.h>
#include <stdint.h>

typedef enum OptionKind {
    OPTION_FLAG,    /* bool */
    OPTION_INTEGER, /* int64_t, within minimum … maximum */
    OPTION_REAL,    /* double, within minimum … maximum */
    OPTION_TEXT,    /* const char *, one of `choices` ("a|b|c") when there are any */
    OPTION_CHOICE,  /* an enum from 0 in the order of `choices` */
    OPTION_PATH,    /* const char *, never written into an output */
} OptionKind;

typedef struct Option {
    const char *name;
    OptionKind kind;
    void *value;          /* holds the default before parsing */
    const char *argument; /* what --help calls the value */
    const char *help;
    double minimum, maximum; /* both 0: any number that is not negative */
    const char *choices;
    bool (*check)(const char *text, Error *error); /* of an OPTION_TEXT; NULL: it may be anything */
    char letter;                                   /* 0: no short form */
    enum {
        OPTION_IS_INPUT,
        OPTION_IS_REPLACED, /* an OPTION_PATH that is written: whole, at the end */
        OPTION_IS_APPENDED, /* or where it stands, as a log */
    } output;
    bool setting;    /* a hyper-parameter: also a key of --config, and recorded with every other setting */
    bool unrecorded; /* changes no output byte (an option of reporting) */
    bool given;      /* set by parsing */
} Option;

/* The entry of -o, --output, which is spelled the same in every tool. */
#define OPTION_OUTPUT(path, what, text)                                                                      \
    {                                                                                                        \
        .name = "output", .output = OPTION_IS_REPLACED, .letter = 'o', .kind = OPTION_PATH,                  \
        .value = &(path), .argument = (what), .help = (text)                                                 \
    }

typedef struct Program {
    const char *name;
    const char *usage;                    /* what follows the name in the first line of --help */
    const char *purpose;                  /* one or two lines */
    const char *example;                  /* the last lines of --help */
    Option *options;                      /* ends with an entry without a name */
    const char *(*version_details)(void); /* a line more for --version, or NULL */
} Program;

/* Parses the command line, opens the log and sets the threads. Returns the index of the first operand. Ends
 * the program after --help and --version (exit 0), and on wrong usage (exit 2). A lone --option-table prints
 * all this for programs (core/option_text.h). */
int options_parse(Program *program, int argc, char **argv);

/* Ends the program with exit 2, the message, and a pointer to --help. */
_Noreturn void options_wrong_usage(const Program *program, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Sets the settings that the command line did not give from the JSON object in `path`; an unknown key, a
 * value of another type or out of range is an error that names the key. Paths in it are relative to the
 * working folder. */
bool options_read_config(Program *program, const char *path, Error *error);

/* Sets the settings that were not given, from an object such as options_record returns; keys that are no
 * setting of this program are passed over. */
bool options_inherit(Program *program, const json_t *record, Error *error);

/* The options and operands-independent settings in force, without paths, for a header. A new reference. */
json_t *options_record(const Program *program);

#endif
