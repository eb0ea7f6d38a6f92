#include "core/option_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Columns of UTF-8 text of the simple kind that help is written in: one for each character. */
static int columns(const char *text, size_t size) {
    int count = 0;
    for (size_t i = 0; i < size; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

/* The length of the word at `text`: up to a space or line end outside of square brackets. */
static size_t word_length(const char *text) {
    size_t length = 0;
    for (int depth = 0; text[length] && text[length] != '\n' && (depth || text[length] != ' '); length++)
        depth += text[length] == '[' ? 1 : text[length] == ']' ? -1 : 0;
    return length;
}

void print_wrapped(const char *text, int column, int indent) {
    bool first = true;
    while (*text) {
        if (*text == '\n') {
            printf("\n%*s", indent, "");
            column = indent;
            first = true;
            for (text++; *text == ' '; text++) {
            }
            continue;
        }
        const size_t length = word_length(text);
        const int width = columns(text, length);
        if (!first && column + 1 + width > HELP_WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
            first = true;
        }
        printf("%s%.*s", first ? "" : " ", (int)length, text);
        column += width + !first;
        first = false;
        text += length + (text[length] == ' ');
    }
    putchar('\n');
}

int option_choice(const Option *option, const char **name) {
    unsigned place = *(unsigned *)option->value;
    for (*name = option->choices; place; place--)
        *name = strchr(*name, '|') + 1;
    return (int)strcspn(*name, "|");
}

/* The default as text, empty when there is none. */
static void describe_default(const Option *option, char *text, size_t room) {
    *text = 0;
    if (option->kind == OPTION_INTEGER)
        snprintf(text, room, "%" PRId64, *(int64_t *)option->value);
    else if (option->kind == OPTION_REAL && !isnan(*(double *)option->value))
        snprintf(text, room, "%g", *(double *)option->value);
    else if (option->kind == OPTION_TEXT && *(const char **)option->value)
        snprintf(text, room, "%s", *(const char **)option->value);
    else if (option->kind == OPTION_CHOICE) {
        const char *name;
        const int length = option_choice(option, &name);
        snprintf(text, room, "%.*s", length, name);
    }
}

/* The name and what it takes. */
static int describe_name(const Option *option, char *text, size_t room) {
    return snprintf(text, room, "--%s%s%s", option->name, option->argument ? " " : "",
                    option->argument ? option->argument : "");
}

void option_describe(const Option *option, char text[OPTION_TEXT_SIZE]) {
    char value[OPTION_TEXT_SIZE / 2];
    const int used = describe_name(option, text, OPTION_TEXT_SIZE);
    describe_default(option, value, sizeof value);
    if (*value) snprintf(text + used, OPTION_TEXT_SIZE - (size_t)used, " [%s]", value);
}

/* The width of the longest name among those described together. */
static int name_width(const Option *options, bool settings) {
    int widest = 14; /* --threads N and its like stand beside all */
    for (; options->name; options++) {
        char text[OPTION_TEXT_SIZE];
        const int width = describe_name(options, text, sizeof text);
        if (options->setting == settings && width > widest) widest = width;
    }
    return widest;
}

void option_print(const Option *option, const Option *options) {
    char name[OPTION_TEXT_SIZE], value[OPTION_TEXT_SIZE / 2], letter[5] = "    ", help[4 * OPTION_TEXT_SIZE];
    describe_name(option, name, sizeof name);
    describe_default(option, value, sizeof value);
    if (option->letter) snprintf(letter, sizeof letter, "-%c, ", option->letter);
    const int indent = printf("  %s%-*s ", letter, name_width(options, option->setting), name);
    snprintf(help, sizeof help, *value ? "%s [%s]" : "%s", option->help, value);
    print_wrapped(help, indent, indent);
}

/* A field of the table: line ends as \n. */
static void print_field(const char *text) {
    for (; *text; text++)
        if (*text == '\n')
            fputs("\\n", stdout);
        else
            putchar(*text);
}

static void print_row(const Option *option) {
    static const char *const kinds[] = {
        [OPTION_FLAG] = "flag", [OPTION_INTEGER] = "integer", [OPTION_REAL] = "real",
        [OPTION_TEXT] = "text", [OPTION_CHOICE] = "text",     [OPTION_PATH] = "path",
    };
    char value[OPTION_TEXT_SIZE / 2], letter[2] = {option->letter, 0};
    describe_default(option, value, sizeof value);
    printf("option\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", option->name, letter,
           option->argument ? option->argument : "", kinds[option->kind],
           option->choices ? option->choices : "", value, option->setting ? "setting" : "", option->help);
}

void option_table_print(const Program *program, const Option *common) {
    const char *const fields[] = {"name",    program->name,    "usage",   program->usage,
                                  "purpose", program->purpose, "example", program->example};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i += 2) {
        printf("%s\t", fields[i]);
        print_field(fields[i + 1]);
        putchar('\n');
    }
    for (const Option *option = program->options; option->name; option++)
        print_row(option);
    for (; common->name; common++)
        print_row(common);
}

/* How many letters are to be added, left out or replaced (Levenshtein) to make one word of the other; names
 * that are too long for the row of costs are unlike. */
static size_t distance(const char *from, size_t from_size, const char *to, size_t to_size) {
    enum { LONGEST = 40 };
    size_t costs[LONGEST + 1];
    if (from_size > LONGEST || to_size > LONGEST) return LONGEST;
    for (size_t j = 0; j <= to_size; j++)
        costs[j] = j;
    for (size_t i = 1; i <= from_size; i++) {
        size_t diagonal = costs[0]++;
        for (size_t j = 1; j <= to_size; j++) {
            const size_t replaced = diagonal + (from[i - 1] != to[j - 1]);
            const size_t shorter = costs[j] < costs[j - 1] ? costs[j] + 1 : costs[j - 1] + 1;
            diagonal = costs[j];
            costs[j] = replaced < shorter ? replaced : shorter;
        }
    }
    return costs[to_size];
}

const Option *option_like(const char *word, Option *const *all, size_t count) {
    const Option *best = NULL;
    if (strncmp(word, "--", 2)) return NULL;
    word += 2;
    const size_t size = strcspn(word, "=");
    size_t least = size / 3 + 2; /* a slip or two, not another word */
    if (least > 4) least = 4;
    for (size_t i = 0; i < count; i++) {
        const size_t slips = distance(word, size, all[i]->name, strlen(all[i]->name));
        if (slips >= least) continue;
        least = slips;
        best = all[i];
    }
    return best;
}
