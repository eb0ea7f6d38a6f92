#include "core/file.h"
#include "core/memory.h"
#include "data/lines.h"
#include "eval/candidate_list.h"
#include "eval/item_lists.h"
#include "eval/recommend.h"

#include <inttypes.h>
#include <string.h>

typedef struct Job {
    const RecommendRequest *request;
    Ranker ranker;
    uint32_t *rows; /* by item number: the item of the stream */
    uint32_t *candidates;
    size_t candidate_count;
    ItemLists lists;
    uint32_t *asked; /* the items of a block, of which there are at most: */
    size_t most;
    size_t asked_count;
} Job;

static bool put_lists(const Job *job, TopK *tops, Error *error) {
    for (size_t i = 0; i < job->asked_count; i++) {
        size_t size;
        const char *name = name_table_name(job->lists.names, job->asked[i] - 1, &size);
        top_k_sort(&tops[i]);
        if (!item_lists_put(&job->lists, name, size, &tops[i], error))
            return error_prefix(error, "%s: ", job->request->files.items);
    }
    return !ferror(job->lists.stream) || error_set_errno(error, "cannot write the nearest items");
}

/* Answers the items of the block, and empties it. Values of the stream are finite, hence so are cosines. */
static bool answer(Job *job, Error *error) {
    const Scorer scorer = ranker_scorer(&job->ranker, job->rows);
    const size_t count = job->asked_count, dim = scorer.vectors.dim;
    const size_t top = (size_t)job->request->top;
    const size_t k = top < job->candidate_count ? top : job->candidate_count;
    TopK *tops = memory_need(count, sizeof *tops);
    ScoredItem *best = memory_need(count * k, sizeof *best);
    float *vectors = memory_need(count * dim, sizeof *vectors), *states = scorer_take(&scorer, count);
    for (size_t i = 0; i < count; i++)
        top_k_start(&tops[i], best + i * k, k, &job->asked[i], job->request->keep_history ? 0 : 1);
    item_vectors_gather(&scorer.vectors, job->asked, count, vectors);
    scorer_normalise(vectors, count, dim);
    scorer_write(&scorer, vectors, count, states);
    scorer_best(&scorer, states, count, &(Candidates){job->candidates, job->candidate_count, true}, tops);
    const bool fine = put_lists(job, tops, error);
    job->asked_count = 0;
    free(tops);
    free(best);
    free(vectors);
    scorer_release(&scorer, states, count);
    return fine;
}

static bool ask(Job *job, const char *name, size_t size, Error *error) {
    const size_t found = name_table_find(job->lists.names, name, size);
    if (found == SIZE_MAX)
        return error_set(error, "item \"%.*s\" is none of the %zu items of %s", (int)size, name,
                         name_table_count(job->lists.names), job->request->files.items);
    job->asked[job->asked_count++] = (uint32_t)found + 1;
    return job->asked_count < job->most || answer(job, error);
}

static bool ask_lines(Job *job, Error *error) {
    Line line;
    LineReader *reader = line_reader_open("-", error);
    if (!reader) return false;
    int got;
    bool fine = true;
    while (fine && (got = line_reader_next(reader, &line, error)) != 0)
        fine = got > 0 && (ask(job, line.bytes, line.size, error) ||
                           error_prefix(error, "%s:%" PRIu64 ": ", line_reader_name(reader), line.number));
    line_reader_close(reader);
    return fine;
}

static bool ask_all(Job *job, char *const *names, size_t count, Error *error) {
    bool fine = true;
    if (count == 1 && !strcmp(names[0], "-")) {
        fine = ask_lines(job, error);
    } else {
        for (size_t i = 0; fine && i < count; i++)
            fine = ask(job, names[i], strlen(names[i]), error);
    }
    return fine && (!job->asked_count || answer(job, error));
}

static bool number_items(Job *job, Error *error) {
    const NameTable *names = ranker_item_names(&job->ranker);
    const size_t known = name_table_count(names);
    job->rows = memory_allocate(known + 1, sizeof *job->rows, error);
    if (!job->rows) return false;
    for (size_t i = 0; i < known; i++)
        job->rows[i + 1] = (uint32_t)i;
    job->most = scorer_users(job->ranker.tape->backend);
    job->asked = memory_need(job->most, sizeof *job->asked);
    job->candidates =
        candidate_list(names, job->request->only, job->request->without, &job->candidate_count, error);
    return job->candidates != NULL;
}

static bool answer_into(Job *job, char *const *names, size_t count, Error *error) {
    OutputFile *output = output_file_open(job->request->output, error);
    if (!output) return false;
    job->lists = (ItemLists){output_file_stream(output), job->request->json, "item", "cosine",
                             ranker_item_names(&job->ranker)};
    if (ask_all(job, names, count, error)) return output_file_commit(output, error);
    output_file_abandon(output);
    return false;
}

bool recommend_similar(const RecommendRequest *request, char *const *names, size_t count, Error *error) {
    Job job = {.request = request};
    const bool fine = ranker_open(&job.ranker, &request->files, error) && number_items(&job, error) &&
                      answer_into(&job, names, count, error);
    free(job.rows);
    free(job.asked);
    free(job.candidates);
    ranker_close(&job.ranker);
    return fine;
}
