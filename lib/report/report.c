#include "report/report.h"

#include "core/file.h"
#include "core/memory.h"
#include "data/catalogue.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

void report_put_p(FILE *out, double p) {
    if (p < 0.001)
        fputs("< 0.001", out);
    else
        fprintf(out, "%.3f", p);
}

const Run *report_logged_run(const RunGroup *group) {
    for (size_t i = 0; i < group->count; i++)
        if (group->runs[i].epoch_count) return &group->runs[i];
    return NULL;
}

int64_t report_kept_epoch(const Run *run) {
    const json_t *kept = json_object_get(run->header, "epoch");
    if (json_is_integer(kept)) return (int64_t)json_integer_value(kept);
    int64_t best = 0;
    double hits = -1;
    for (size_t i = 0; i < run->epoch_count; i++)
        if (run->epochs[i].hits > hits) {
            hits = run->epochs[i].hits;
            best = run->epochs[i].epoch;
        }
    return best;
}

static bool read_rows(Report *report, char *const *folders, size_t count, Error *error) {
    report->rows = memory_need(count, sizeof *report->rows);
    for (size_t i = 0; i < count; i++) {
        ReportRow *row = &report->rows[report->count++];
        if (!run_group_read(&row->group, folders[i], error)) return false;
        row->hits = run_group_spread(&row->group, true, "HR@10");
        row->gain = run_group_spread(&row->group, true, "NDCG@10");
        row->figure = estimate_group(&row->group);
        if (i) row->difference = estimate_difference(&row->group, &report->rows[0].group);
        row->series = 1 + (int)i % 8;
    }
    return true;
}

/* The folder of the first run that has a model and its item vectors; NULL: there is none. */
static const char *find_recommender(const Report *report) {
    for (size_t i = 0; i < report->count; i++)
        for (size_t n = 0; n < report->rows[i].group.count; n++) {
            const Run *run = &report->rows[i].group.runs[n];
            char *path;
            if (asprintf(&path, "%s/items.pmt", run->folder) < 0) abort();
            const bool there = run->header && !access(path, R_OK);
            free(path);
            if (there) return run->folder;
        }
    return NULL;
}

static bool take_title(Report *report, const LineReader *reader, const Line *line, Error *error) {
    CatalogueLine parsed;
    if (!catalogue_split_line(reader, line, &parsed, error)) return false;
    const size_t found = name_table_find(report->people.names, parsed.name, parsed.name_size);
    if (found != SIZE_MAX && !report->titles[found])
        report->titles[found] = memory_copy_text(parsed.text, parsed.text_size);
    return true;
}

static bool read_titles(Report *report, Error *error) {
    Line line;
    LineReader *reader = line_reader_open(report->request->catalog, error);
    if (!reader) return false;
    report->titles = memory_need(name_table_count(report->people.names), sizeof *report->titles);
    int got;
    bool fine = true;
    while (fine && (got = line_reader_next(reader, &line, error)) != 0)
        fine = got > 0 && take_title(report, reader, &line, error);
    line_reader_close(reader);
    return fine;
}

static bool read_people(Report *report, Error *error) {
    const ReportRequest *request = report->request;
    if (!request->users) return true;
    const char *folder = find_recommender(report);
    if (!folder)
        return error_set(error,
                         "--users: none of the runs has a model.pmt and an items.pmt to recommend with");
    if (!people_read(&report->people, folder, request->users, (size_t)request->people, error)) return false;
    if (request->catalog && !read_titles(report, error)) return false;
    return !request->images || (report->posters = posters_open(request->images, error));
}

static bool print(const Report *report, Error *error) {
    report_print(report, stdout);
    return standard_output_finish(error);
}

/* The page is whole before the table is printed, and appears when it is. */
static bool put_all(const Report *report, Error *error) {
    if (!report->request->output) return print(report, error);
    OutputFile *file = output_file_open(report->request->output, error);
    if (!file) return false;
    if (report_put_page(report, output_file_stream(file), error) && output_file_flush(file, error) &&
        print(report, error))
        return output_file_commit(file, error);
    output_file_abandon(file);
    return false;
}

static void report_free(Report *report) {
    for (size_t i = 0; i < report->count; i++)
        run_group_free(&report->rows[i].group);
    free(report->rows);
    for (size_t i = 0; report->titles && i < name_table_count(report->people.names); i++)
        free(report->titles[i]);
    free(report->titles);
    people_free(&report->people);
    posters_close(report->posters);
}

bool report(const ReportRequest *request, char *const *folders, size_t count, Error *error) {
    Report report = {.request = request};
    const bool fine =
        read_rows(&report, folders, count, error) && read_people(&report, error) && put_all(&report, error);
    report_free(&report);
    return fine;
}
