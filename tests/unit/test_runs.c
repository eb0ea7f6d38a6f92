/* Whole training runs of the released code, replayed with the tools (on PATH): losses, ranks, metrics and
 * parameters (tests/golden/make_runs.py). */
#include "golden.h"

#include <ctype.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE = 4096, PATH = 512 };

static char folder[] = "/tmp/test_runs.XXXXXX", golden_folder[PATH];

static void remove_folder(void) {
    char command[PATH];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command)) perror(command);
}

/* Runs a command in the scratch folder, $G being the golden run's. When it fails, nothing can be compared. */
__attribute__((format(printf, 1, 2))) static void shell(const char *format, ...) {
    char command[LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    setenv("G", golden_folder, 1);
    const int status = system(command);
    if (WIFEXITED(status) && !WEXITSTATUS(status)) return;
    printf("Bail out! %s\n", command);
    exit(2);
}

static void start(const char *run) {
    const char *project = getenv("PROJECT");
    char *here = realpath(project ? project : ".", NULL);
    if (strstr(folder, "XXXXXX")) {
        CHECK(mkdtemp(folder));
        atexit(remove_folder);
        setenv("PROJECT", here, 1);
        CHECK(!chdir(folder));
    }
    snprintf(golden_folder, sizeof golden_folder, "%s/tests/golden/runs/%s", here, run);
    free(here);
    shell("rm -f *; sed \"s|@|$G|\" $G/config.json > config.json");
    shell("pm-import -q --model $G/%sinit.safetensors --config config.json -o init.pmt",
          strstr(run, "freeze") ? "../e2e/" : "");
}

static FILE *open_golden(const char *name) {
    char path[PATH + 64];
    snprintf(path, sizeof path, "%s/%s", golden_folder, name);
    FILE *file = fopen(path, "r");
    CHECK(file, "%s", path);
    return file;
}

static void check_losses(double bound) {
    FILE *want = open_golden("losses.tsv"), *log = fopen("log.jsonl", "r");
    char line[LINE], number[64];
    int step = 0;
    double worst = 0;
    while (log && want && fgets(line, sizeof line, log)) {
        if (!strstr(line, "\"step\"")) continue;
        const char *loss = strstr(line, "\"loss\":");
        CHECK(loss && fgets(number, sizeof number, want), "step %d", step);
        if (!loss) break;
        const double d = fabs(atof(loss + 7) - atof(number)) / atof(number);
        if (!(d <= worst)) worst = d;
        step++;
    }
    CHECK(want && step >= 10 && !fgets(number, sizeof number, want), "%d steps", step);
    CHECK(worst <= bound, "losses differ by %.1e", worst);
    if (want) fclose(want);
    if (log) fclose(log);
}

/* The rest of the line in a golden table that begins with stage and split. */
static const char *find_line(FILE *file, const char *stage, const char *split, char line[LINE]) {
    char start_of_line[64];
    snprintf(start_of_line, sizeof start_of_line, "%s\t%s\t", stage, split);
    while (file && fgets(line, LINE, file))
        if (!strncmp(line, start_of_line, strlen(start_of_line))) return line + strlen(start_of_line);
    return NULL;
}

/* How many of the ranks in ranks.tsv differ from the golden ones. */
static void check_ranks(const char *stage, const char *split, double allowed) {
    FILE *table = open_golden("ranks.tsv"), *file = fopen("ranks.tsv", "r");
    char line[LINE], got[256];
    const char *want = find_line(table, stage, split, line);
    int users = 0, differ = 0;
    CHECK(want && file);
    while (want && file && isdigit((unsigned char)*want) && fgets(got, sizeof got, file)) {
        char *end;
        const double rank = strtod(want, &end);
        want = *end == ' ' ? end + 1 : end;
        users++;
        differ += fabs(atof(strchr(got, '\t') + 1) - rank) > 0.25;
    }
    CHECK(users > 30 && want && !isdigit((unsigned char)*want) && file && !fgets(got, sizeof got, file));
    CHECK(differ <= allowed * users, "%s %s: %d of %d ranks differ", stage, split, differ, users);
    if (table) fclose(table);
    if (file) fclose(file);
}

static void check_metrics(const char *stage, const char *split, double bound) {
    FILE *table = open_golden("metrics.tsv");
    json_t *got = json_load_file("eval.json", 0, NULL);
    char line[LINE];
    const char *want;
    int count = 0;
    while ((want = find_line(table, stage, split, line))) {
        char name[32];
        double value;
        CHECK(sscanf(want, "%31s %lf", name, &value) == 2);
        const double d = fabs(json_number_value(json_object_get(got, name)) - value);
        CHECK(d <= bound, "%s %s %s differs by %.1e", stage, split, name, d);
        count++;
    }
    CHECK(count == 6);
    json_decref(got);
    if (table) fclose(table);
}

static void check_splits(const char *stage, const char *model, double ranks, double metrics) {
    static const char *const splits[] = {"valid", "test"};
    for (int i = 0; i < 2; i++) {
        shell(
            "pm-eval -q --threads 1 --model %s --users $G/users.tsv --items items.pmt --split %s --k 5,10,20 "
            "--ranks ranks.tsv --json > eval.json",
            model, splits[i]);
        check_ranks(stage, splits[i], ranks);
        check_metrics(stage, splits[i], metrics);
    }
}

static bool ends_with(const char *text, const char *end) {
    return strlen(text) >= strlen(end) && !strcmp(text + strlen(text) - strlen(end), end);
}

/* A key's bias changes no softmax: its gradient is rounding noise, which Adam makes full steps of. */
static bool is_key_bias(const char *name) {
    return ends_with(name, "key.bias") || ends_with(name, "k_proj.bias");
}

/* What is not among the golden parameters was not trained and is as it was, to the bit. */
static void check_untrained(const char *name, const RecordTensor *tensor, const Golden *before) {
    const GoldenArray *array = golden_find(before, "", name);
    CHECK(array && tensor->dtype == DTYPE_F32 && array->count == record_tensor_elements(tensor) &&
              !memcmp(array->values, tensor->data, array->count * sizeof(float)),
          "%s changed", name);
}

static void check_parameters(const char *run, double bound) {
    char name[PATH];
    Error error = {""};
    Record record;
    snprintf(name, sizeof name, "%s/after", run);
    Golden after = golden_read_below("runs", name), before = golden_read_file("init.pmt");
    StreamReader *reader = stream_reader_open_kind("model.pmt", "model", &error);
    size_t compared = 0;
    CHECK(reader, "%s", error.message);
    while (reader && stream_reader_next(reader, &record, &error) == STREAM_RECORD) {
        const RecordTensor *tensor = record_find(&record, "value");
        const GoldenArray *want = golden_find(&after, "", record.key);
        compared += want != NULL;
        if (!want) check_untrained(record.key, tensor, &before);
        if (!want || is_key_bias(record.key)) continue;
        const size_t count = record_tensor_elements(tensor);
        CHECK((count - 1) / want->every + 1 == want->count, "%s has %zu elements", record.key, count);
        float *values = memory_need(count, sizeof *values);
        memcpy(values, tensor->data, count * sizeof *values);
        const double difference = golden_difference(want, values);
        CHECK(difference <= bound, "%s differs by %.1e of the largest magnitude", record.key, difference);
        free(values);
    }
    CHECK(compared > 20 && compared == name_table_count(after.names), "%zu of %zu", compared,
          name_table_count(after.names));
    stream_reader_close(reader);
    golden_free(&after);
    golden_free(&before);
}

static void train(const char *streams) {
    shell(
        "pm-train-user -q --threads 1 --users $G/users.tsv %s --init init.pmt --config config.json --keep "
        "last "
        "--log log.jsonl -o model.pmt",
        streams);
}

static void fixed_features(const char *run, const char *streams) {
    start(run);
    shell(
        "pm-import -q --items $G/items.tsv --hidden text_hidden --mask text_mask $G/features.safetensors -o "
        "text.pmt");
    shell("pm-import -q --items $G/items.tsv --hidden image_hidden $G/features.safetensors -o image.pmt");
    train(streams);
    check_losses(1e-5);
    shell("pm-fuse -q --threads 1 --model init.pmt %s -o items.pmt", streams);
    check_splits("init", "init.pmt", 0, 1e-6);
    shell("pm-fuse -q --threads 1 --model model.pmt %s -o items.pmt", streams);
    check_splits("after", "model.pmt", 0.03, 0.015);
    check_parameters(run, 2e-3);
}

static void modal_over_features(void) {
    fixed_features("modal-merge_attn-sasrec", "--text text.pmt --image image.pmt");
}

static void text_only_over_features(void) {
    fixed_features("text-only-sasrec", "--text text.pmt");
}

/* Both modalities of `from` through the model's own blocks up to the boundary, or to the top. */
static void encode(const char *model, const char *text, const char *image, const char *options,
                   const char *prefix) {
    shell("pm-encode-text -q --threads 1 --model %s %s %s -o %stext.pmt", model, options, text, prefix);
    shell("pm-encode-image -q --threads 1 --model %s %s %s -o %simage.pmt", model, options, image, prefix);
}

static void start_encoders(const char *run) {
    start(run);
    shell(
        "pm-import -q --items $G/items.tsv --tokens input_ids --mask attention_mask $G/../e2e/inputs.npz -o "
        "tokens.pmt");
    shell("pm-import -q --items $G/items.tsv --pixels pixels $G/../e2e/inputs.npz -o pixels.pmt");
}

static void check_encoders(const char *run, const char *text, const char *image) {
    static const char *const stages[] = {"init", "after"}, *const models[] = {"init.pmt", "model.pmt"};
    check_losses(1e-5);
    for (int i = 0; i < 2; i++) {
        encode(models[i], text, image, "", "top-");
        shell("pm-fuse -q --threads 1 --model %s --text top-text.pmt --image top-image.pmt -o items.pmt",
              models[i]);
        check_splits(stages[i], models[i], 0, 1e-6);
    }
    check_parameters(run, 5e-4);
}

static void whole_encoders_from_tokens_and_pixels(void) {
    start_encoders("freeze0");
    train("--text tokens.pmt --image pixels.pmt");
    check_encoders("freeze0", "tokens.pmt", "pixels.pmt");
}

static void two_blocks_from_the_boundary(void) {
    start_encoders("freeze2");
    encode("init.pmt", "tokens.pmt", "pixels.pmt", "--blocks 2", "boundary-");
    train("--text boundary-text.pmt --image boundary-image.pmt");
    check_encoders("freeze2", "boundary-text.pmt", "boundary-image.pmt");
}

/* The vector of every item in two streams, as a fraction of the largest magnitude. */
static double items_difference(const char *one, const char *other) {
    Error error;
    double largest = 0, difference = 0;
    Record a, b;
    StreamReader *first = stream_reader_open(one, &error), *second = stream_reader_open(other, &error);
    while (first && second && stream_reader_next(first, &a, &error) == STREAM_RECORD) {
        CHECK(stream_reader_next(second, &b, &error) == STREAM_RECORD && !strcmp(a.key, b.key));
        const size_t count = record_tensor_elements(&a.tensors[0]);
        CHECK(count && count == record_tensor_elements(&b.tensors[0]));
        for (size_t i = 0; i < count; i++) {
            float x, y;
            memcpy(&x, (const char *)a.tensors[0].data + i * sizeof x, sizeof x);
            memcpy(&y, (const char *)b.tensors[0].data + i * sizeof y, sizeof y);
            if (!(fabs((double)(x - y)) <= difference)) difference = fabs((double)(x - y));
            largest = fmax(largest, fabs((double)x));
        }
    }
    CHECK(first && second && stream_reader_count(first) > 0);
    stream_reader_close(first);
    stream_reader_close(second);
    return difference / fmax(largest, 1e-30);
}

/* The trained model holds the frozen blocks too: from tokens and pixels it gives the same items as from the
 * boundary. */
static void the_trained_model_is_whole(void) {
    start_encoders("freeze2");
    encode("init.pmt", "tokens.pmt", "pixels.pmt", "--blocks 2", "boundary-");
    train("--text boundary-text.pmt --image boundary-image.pmt");
    encode("model.pmt", "boundary-text.pmt", "boundary-image.pmt", "", "a-");
    encode("model.pmt", "tokens.pmt", "pixels.pmt", "", "b-");
    CHECK(items_difference("a-text.pmt", "b-text.pmt") <= 1e-6);
    CHECK(items_difference("a-image.pmt", "b-image.pmt") <= 1e-6);
}

/* A boundary in bf16 rounds what the trained blocks read to 8 bits, no more. */
static void a_boundary_in_bf16_trains_alike(void) {
    start_encoders("freeze2");
    encode("init.pmt", "tokens.pmt", "pixels.pmt", "--blocks 2 --dtype bf16", "boundary-");
    train("--text boundary-text.pmt --image boundary-image.pmt");
    check_losses(2e-2);
    encode("model.pmt", "boundary-text.pmt", "boundary-image.pmt", "", "a-");
    encode("model.pmt", "tokens.pmt", "pixels.pmt", "", "b-");
    const double text = items_difference("a-text.pmt", "b-text.pmt"),
                 image = items_difference("a-image.pmt", "b-image.pmt");
    CHECK(text <= 0.05 && text > 1e-5, "%.1e", text);
    CHECK(image <= 0.05 && image > 1e-5, "%.1e", image);
}

RUN_TESTS(TEST(modal_over_features), TEST(text_only_over_features),
          TEST(whole_encoders_from_tokens_and_pixels), TEST(two_blocks_from_the_boundary),
          TEST(the_trained_model_is_whole), TEST(a_boundary_in_bf16_trains_alike))
