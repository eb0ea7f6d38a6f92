#include "core/log.h"
#include "core/options.h"
#include "report/report.h"

#include <string.h>

static ReportRequest request = {.title = "Recommenders side by side", .people = 6};

/* What is only about the users of a page. */
static const char *const of_users[] = {"catalog", "images", "people"};

static Option options[] = {
    {.name = "title",
     .kind = OPTION_TEXT,
     .value = &request.title,
     .argument = "TEXT",
     .help = "of the page"},
    {.name = "users",
     .kind = OPTION_PATH,
     .value = &request.users,
     .argument = "USERS.tsv",
     .help = "show what some of these met and get recommended"},
    {.name = "catalog",
     .kind = OPTION_PATH,
     .value = &request.catalog,
     .argument = "ITEMS.tsv",
     .help = "the titles of items"},
    {.name = "images",
     .kind = OPTION_PATH,
     .value = &request.images,
     .argument = "IMAGES",
     .help = "their pictures: images.lmdb, or a folder"},
    {.name = "people",
     .kind = OPTION_INTEGER,
     .value = &request.people,
     .argument = "N",
     .minimum = 1,
     .maximum = 1000,
     .help = "how many users"},
    OPTION_OUTPUT(request.output, "REPORT.html", "a page in one file"),
    {0},
};

static Program program = {
    .name = "pm-report",
    .usage = "RUN... [-o REPORT.html]",
    .purpose =
        "Puts runs side by side: a table, and a page with curves, recommendations and\n"
        "lineage. A RUN is a folder as the pipelines make them, with log.jsonl,\n"
        "valid.json, test.json, ranks.tsv, model.pmt and items.pmt as far as they are\n"
        "there, or one with such folders called seed-... All are compared with the\n"
        "first, user by user: the difference of HR@10, in standard errors, its 95 %\n"
        "interval (bootstrap), and p of a paired randomisation test.",
    .example = "  pm-report build/demo/modal build/demo/popularity -o report.html",
    .options = options,
};

int main(int argc, char **argv) {
    const int first = options_parse(&program, argc, argv);
    Error error;
    if (first == argc) options_wrong_usage(&program, "say the folder of a run");
    for (size_t i = 0; options[i].name; i++)
        for (size_t n = 0; n < sizeof of_users / sizeof *of_users; n++)
            if (!request.users && options[i].given && !strcmp(options[i].name, of_users[n]))
                options_wrong_usage(&program, "--%s needs --users", of_users[n]);
    if (request.users && !request.output)
        options_wrong_usage(&program, "--users is for a page: say one with -o");
    if (report(&request, argv + first, (size_t)(argc - first), &error)) return 0;
    log_error("%s", error.message);
    return 1;
}
