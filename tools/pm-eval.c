#include "core/options.h"
#include "eval/baselines.h"
#include "eval/evaluation.h"
#include "eval/ranker.h"
#include "model/lineage.h"
#include "nn/backend/backend.h"

static EvaluationRequest request = {.device = "cpu", .candidates = "kept"};
static const char *split = "test", *cutoffs = "5,10,20";

static Option options[] = {
    {.name = "model",
     .kind = OPTION_PATH,
     .value = &request.model,
     .argument = "MODEL.pmt",
     .help = "the model whose user encoder ranks the items"},
    OPTION_ITEM_VECTORS(request.items),
    {.name = "users",
     .kind = OPTION_PATH,
     .value = &request.users,
     .argument = "USERS.tsv",
     .help = "the behaviours"},
    OPTION_BASELINE(request.baseline),
    OPTION_CATALOG(request.catalog),
    {.name = "split",
     .kind = OPTION_TEXT,
     .value = &split,
     .argument = "NAME",
     .choices = "valid|test",
     .help = "valid, test"},
    {.name = "k", .kind = OPTION_TEXT, .value = &cutoffs, .argument = "LIST", .help = "of HR@k and NDCG@k"},
    {.name = "candidates",
     .kind = OPTION_TEXT,
     .value = &request.candidates,
     .argument = "WHICH",
     .choices = "kept|all",
     .help = "items that users met (kept), or all"},
    {.name = "cold",
     .kind = OPTION_FLAG,
     .value = &request.cold,
     .help = "also by whether the target was in any training row"},
    {.name = "ranks",
     .kind = OPTION_PATH,
     .value = &request.ranks,
     .output = OPTION_IS_REPLACED,
     .argument = "FILE.tsv",
     .help = "user TAB rank"},
    {.name = "json", .kind = OPTION_FLAG, .value = &request.json, .help = "print one JSON object"},
    OPTION_MAX_INPUTS(request.max_seq_len),
    {.name = "min-seq-len",
     .kind = OPTION_INTEGER,
     .value = &request.min_seq_len,
     .argument = "N",
     .maximum = 65536,
     .help = "shortest users kept; 0: the model's, or 3"},
    OPTION_UNKNOWN_ITEMS(request.unknown_items),
    OPTION_DEVICE(request.device),
    OPTION_ANY_MODEL(request.any_model),
    {0},
};

static Program program = {
    .name = "pm-eval",
    .usage = "(--model M --items I | --baseline B --catalog C) --users USERS.tsv",
    .purpose = "Ranks every user's held-out item among all items, and prints HR@k and NDCG@k.",
    .example = "  pm-eval --model model.pmt --items items.pmt --users users.tsv --json",
    .options = options,
    .version_details = backend_describe,
};

int main(int argc, char **argv) {
    const int first = options_parse(&program, argc, argv);
    Error error;
    if (first < argc) options_wrong_usage(&program, "unexpected operand %s", argv[first]);
    if (!request.users) options_wrong_usage(&program, "--users is needed");
    if (!request.model == !request.baseline)
        options_wrong_usage(&program, "give one of --model and --baseline");
    if (request.model && !request.items) options_wrong_usage(&program, "--model needs --items");
    if (request.any_model && !request.model) options_wrong_usage(&program, "--any-model needs --model");
    if (!request.items == !request.catalog)
        options_wrong_usage(&program, "give the items with one of --items and --catalog");
    split_from_name(split, &request.split);
    if (!cutoffs_parse(&request.cutoffs, cutoffs, &error))
        options_wrong_usage(&program, "--k: %s", error.message);
    request.processes = ranks_start(&error);
    request.options = options_record(&program);
    const bool fine = request.processes && evaluate(&request, &error);
    json_decref(request.options);
    return ranks_end(fine, &error);
}
