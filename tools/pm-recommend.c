#include "core/log.h"
#include "core/options.h"
#include "eval/baselines.h"
#include "eval/recommend.h"
#include "nn/backend/backend.h"

#include <string.h>

static RecommendRequest request = {.files.device = "cpu", .top = 10};
static bool similar;

static Option options[] = {
    {.name = "model",
     .kind = OPTION_PATH,
     .value = &request.files.model,
     .argument = "MODEL.pmt",
     .help = "the model whose user encoder scores the items"},
    OPTION_ITEM_VECTORS(request.files.items),
    {.name = "users",
     .kind = OPTION_PATH,
     .value = &request.users,
     .argument = "USERS.tsv",
     .help = "the histories; - is standard input"},
    {.name = "similar",
     .kind = OPTION_FLAG,
     .value = &similar,
     .help = "the items nearest to each ITEM, by cosine"},
    OPTION_BASELINE(request.baseline),
    OPTION_CATALOG(request.files.catalog),
    {.name = "top",
     .kind = OPTION_INTEGER,
     .value = &request.top,
     .argument = "K",
     .maximum = 1e9,
     .help = "items for each; 0: none, for --users-out alone"},
    {.name = "keep-history",
     .kind = OPTION_FLAG,
     .value = &request.keep_history,
     .help = "also what the user met, and the ITEM itself"},
    {.name = "only",
     .kind = OPTION_PATH,
     .value = &request.only,
     .argument = "FILE",
     .help = "none but these items, one a line"},
    {.name = "without",
     .kind = OPTION_PATH,
     .value = &request.without,
     .argument = "FILE",
     .help = "not these items, one a line"},
    {.name = "users-out",
     .output = OPTION_IS_REPLACED,
     .kind = OPTION_PATH,
     .value = &request.users_out,
     .argument = "NAME.npy",
     .help = "the users' vectors; their names: NAME.keys.tsv"},
    {.name = "json", .kind = OPTION_FLAG, .value = &request.json, .help = "a JSON object a line"},
    OPTION_MAX_INPUTS(request.max_seq_len),
    OPTION_UNKNOWN_ITEMS(request.unknown_items),
    OPTION_DEVICE(request.files.device),
    OPTION_ANY_MODEL(request.files.any_model),
    OPTION_OUTPUT(request.output, "FILE", "else standard output"),
    {0},
};

static Program program = {
    .name = "pm-recommend",
    .usage = "(--model M | --baseline B) --users U | --similar ITEM...",
    .purpose = "Prints the best items after each user's whole history: user, rank, item, score.",
    .example = "  head -n 1 users.tsv | pm-recommend --model model.pmt --items items.pmt -",
    .options = options,
    .version_details = backend_describe,
};

/* Refuses options that a way of calling would not read; `names` ends with NULL. */
static void refuse(const char *what, const char *const *names) {
    for (; *names; names++)
        for (size_t i = 0; options[i].name; i++)
            if (options[i].given && !strcmp(options[i].name, *names))
                options_wrong_usage(&program, "%s takes no --%s", what, *names);
}

static void check_similar(int operands) {
    static const char *const others[] = {"model",       "users",         "baseline",  "catalog", "users-out",
                                         "max-seq-len", "unknown-items", "any-model", NULL};
    refuse("--similar", others);
    if (!request.files.items) options_wrong_usage(&program, "--similar needs --items");
    if (!operands) options_wrong_usage(&program, "--similar needs an ITEM, or - for standard input");
    if (!request.top) options_wrong_usage(&program, "--top 0 leaves nothing to print");
}

static bool ends_in(const char *text, const char *ending) {
    const size_t size = strlen(text), end = strlen(ending);
    return size > end && !strcmp(text + size - end, ending);
}

static void check_users(int operands, char *const *operand) {
    if (operands == 1 && !request.users && !strcmp(operand[0], "-"))
        request.users = "-";
    else if (operands)
        options_wrong_usage(&program, "unexpected operand %s", operand[0]);
    if (!request.users)
        options_wrong_usage(&program, "give the histories with --users, or - for standard input");
    if (!request.files.model == !request.baseline)
        options_wrong_usage(&program, "give one of --model and --baseline");
    if (request.files.model && !request.files.items) options_wrong_usage(&program, "--model needs --items");
    if (!request.files.items == !request.files.catalog)
        options_wrong_usage(&program, "give the items with one of --items and --catalog");
    if (request.baseline) refuse("--baseline", (const char *const[]){"users-out", "any-model", NULL});
    if (request.users_out && !ends_in(request.users_out, ".npy"))
        options_wrong_usage(&program, "--users-out takes NAME.npy, not %s", request.users_out);
    if (!request.top && !request.users_out) options_wrong_usage(&program, "--top 0 leaves nothing to print");
}

int main(int argc, char **argv) {
    const int first = options_parse(&program, argc, argv);
    Error error;
    bool fine;
    if (similar) {
        check_similar(argc - first);
        fine = recommend_similar(&request, argv + first, (size_t)(argc - first), &error);
    } else {
        check_users(argc - first, argv + first);
        fine = recommend(&request, &error);
    }
    if (fine) return 0;
    log_error("%s", error.message);
    return 1;
}
