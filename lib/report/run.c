#include "report/run.h"

#include "core/file_kind.h"
#include "core/json_file.h"
#include "core/memory.h"
#include "data/lines.h"
#include "stream/reader.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

enum { FIGURES_LIMIT = 1 << 20 };
#define SEED_PREFIX "seed-"

/* FOLDER/NAME, to be freed; NULL when there is no such file. */
static char *find(const char *folder, const char *name) {
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0) abort();
    if (!access(path, F_OK)) return path;
    free(path);
    return NULL;
}

static double number_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* A line of an epoch has its mean loss; of an epoch that was trained again the last one counts. */
static void take_log_line(Run *run, const json_t *line) {
    const int64_t epoch = json_integer_value(json_object_get(line, "epoch"));
    if (!json_object_get(line, "mean_loss")) return;
    while (run->epoch_count && run->epochs[run->epoch_count - 1].epoch >= epoch)
        run->epoch_count--;
    run->epochs = memory_grow(run->epochs, &run->epoch_capacity, run->epoch_count + 1, sizeof *run->epochs);
    run->epochs[run->epoch_count++] =
        (Epoch){epoch, number_of(line, "mean_loss"), number_of(json_object_get(line, "valid"), "HR@10")};
}

typedef bool TakeLine(Run *run, const Line *line, Error *error);

static bool take_log(Run *run, const Line *line, Error *error) {
    json_error_t problem;
    json_t *object = json_loadb(line->bytes, line->size, 0, &problem);
    if (!object) return error_set(error, "no JSON: %s", problem.text);
    take_log_line(run, object);
    json_decref(object);
    return true;
}

static bool take_rank(Run *run, const Line *line, Error *error) {
    const char *tab = memchr(line->bytes, '\t', line->size);
    char *end = NULL;
    const double rank = tab ? strtod(tab + 1, &end) : 0;
    if (!tab || *end || !(rank >= 1)) return error_set(error, "user TAB rank was expected");
    bool added;
    const size_t user = name_table_add(run->users, line->bytes, (size_t)(tab - line->bytes), &added);
    if (!added) return error_set(error, "the user stands already in line %zu", user + 1);
    run->ranks = memory_grow(run->ranks, &run->rank_capacity, user + 1, sizeof *run->ranks);
    run->ranks[user] = rank;
    return true;
}

/* Frees the path; NULL is passed over. */
static bool read_lines(Run *run, char *path, TakeLine *take, Error *error) {
    if (!path) return true;
    Line line;
    LineReader *reader = line_reader_open(path, error);
    int got;
    bool fine = reader != NULL;
    while (fine && (got = line_reader_next(reader, &line, error)) != 0)
        fine = got > 0 &&
               (take(run, &line, error) || error_prefix(error, "%s:%" PRIu64 ": ", path, line.number));
    if (reader) line_reader_close(reader);
    free(path);
    return fine;
}

static bool read_figures(char *path, json_t **figures, Error *error) {
    if (!path) return true;
    *figures = json_file_read(path, FIGURES_LIMIT, error);
    free(path);
    return *figures != NULL;
}

/* Its hashes stand behind its tensors. */
static bool read_header(char *path, json_t **header, Error *error) {
    if (!path) return true;
    StreamReader *reader = stream_reader_open_kind(path, "model", error);
    free(path);
    if (!reader) return false;
    Record record;
    StreamStatus status;
    while ((status = stream_reader_next(reader, &record, error)) == STREAM_RECORD)
        ;
    if (status == STREAM_END) {
        json_t *content = stream_reader_content(reader);
        *header = header_lineage(stream_reader_header(reader), content);
        json_decref(content);
    }
    stream_reader_close(reader);
    return status == STREAM_END;
}

static bool read_ranks(Run *run, char *path, Error *error) {
    if (path) run->users = name_table_create();
    return read_lines(run, path, take_rank, error);
}

static bool run_read(Run *run, const char *folder, Error *error) {
    *run = (Run){.folder = memory_copy_text(folder, strlen(folder))};
    if (!read_lines(run, find(folder, "log.jsonl"), take_log, error) ||
        !read_figures(find(folder, "valid.json"), &run->valid, error) ||
        !read_figures(find(folder, "test.json"), &run->test, error) ||
        !read_header(find(folder, "model.pmt"), &run->header, error) ||
        !read_ranks(run, find(folder, "ranks.tsv"), error))
        return false;
    return run->epoch_count || run->test ||
           error_set(error,
                     "%s: neither a log.jsonl with an epoch nor a test.json; a run is a folder as the "
                     "pipelines make them",
                     folder);
}

static void run_free(Run *run) {
    free(run->folder);
    free(run->epochs);
    json_decref(run->valid);
    json_decref(run->test);
    json_decref(run->header);
    name_table_destroy(run->users);
    free(run->ranks);
}

static int is_seed(const struct dirent *entry) {
    return !strncmp(entry->d_name, SEED_PREFIX, strlen(SEED_PREFIX));
}

static bool add_run(RunGroup *group, const char *folder, Error *error) {
    group->runs = memory_grow(group->runs, &group->capacity, group->count + 1, sizeof *group->runs);
    return run_read(&group->runs[group->count++], folder, error);
}

static char *last_part(const char *folder) {
    size_t end = strlen(folder);
    while (end > 1 && folder[end - 1] == '/')
        end--;
    size_t start = end;
    while (start && folder[start - 1] != '/')
        start--;
    return memory_copy_text(folder + start, end - start);
}

bool run_group_read(RunGroup *group, const char *folder, Error *error) {
    *group = (RunGroup){.name = last_part(folder)};
    struct dirent **seeds;
    const int count = scandir(folder, &seeds, is_seed, versionsort);
    if (count < 0) {
        error_set_errno(error, "cannot read the folder %s", folder);
        return file_kind_explain(folder, error);
    }
    bool fine = count || add_run(group, folder, error);
    for (int i = 0; i < count; i++) {
        char *path;
        if (asprintf(&path, "%s/%s", folder, seeds[i]->d_name) < 0) abort();
        fine = fine && add_run(group, path, error);
        free(path);
        free(seeds[i]);
    }
    free(seeds);
    return fine;
}

void run_group_free(RunGroup *group) {
    for (size_t i = 0; i < group->count; i++)
        run_free(&group->runs[i]);
    free(group->runs);
    free(group->name);
    *group = (RunGroup){0};
}

Spread run_group_spread(const RunGroup *group, bool test, const char *metric) {
    Spread spread = {0, 0, INFINITY, -INFINITY};
    for (size_t i = 0; i < group->count; i++) {
        const double value = number_of(test ? group->runs[i].test : group->runs[i].valid, metric);
        if (isnan(value)) continue;
        spread.count++;
        spread.mean += value;
        spread.lowest = fmin(spread.lowest, value);
        spread.highest = fmax(spread.highest, value);
    }
    spread.mean = spread.count ? spread.mean / (double)spread.count : (double)NAN;
    return spread;
}
