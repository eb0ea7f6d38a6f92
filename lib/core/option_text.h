/* Options as text: lines for people, a table for the programs that make man pages and completion. */
#ifndef CORE_OPTION_TEXT_H
#define CORE_OPTION_TEXT_H

#include "core/options.h"

enum { HELP_WIDTH = 80, OPTION_TEXT_SIZE = 128 };

/* Prints words in lines of HELP_WIDTH, from `column` on; further lines begin at `indent`. What stands in
 * square brackets stays on one line; a line end in the text stays one. Ends the last line. */
void print_wrapped(const char *text, int column, int indent);

/* The name, what it takes and its default: "--dim D [768]". */
void option_describe(const Option *option, char text[OPTION_TEXT_SIZE]);

/* The name of the choice in force of an OPTION_CHOICE: where it begins among the choices, and its length. */
int option_choice(const Option *option, const char **name);

/* A line an option: letter and description, then what it is for, from the column that suits all of `options`.
 */
void option_print(const Option *option, const Option *options);

/* Lines of fields with TABs between: name, usage, purpose and example of the program; then for each option:
 * option, name, letter, argument, kind (flag, integer, real, text, path), choices, default, whether a
 * setting, help. */
void option_table_print(const Program *program, const Option *common);

/* The option whose name is the most like `word`, which begins with "--", or NULL when none is. */
const Option *option_like(const char *word, Option *const *all, size_t count);

#endif
