#include "eval/recommend.h"

#include "arrays/npy_rows.h"
#include "convert/export_parts.h"
#include "core/file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "eval/baselines.h"
#include "eval/candidate_list.h"
#include "eval/item_lists.h"

#include <inttypes.h>
#include <omp.h>
#include <string.h>

/* The users' vectors and, in a file beside them, their names. */
typedef struct UsersOut {
    NpyRows *vectors;
    OutputFile *keys;
} UsersOut;

typedef struct Job {
    const RecommendRequest *request;
    Ranker ranker;
    uint32_t *candidates;
    size_t candidate_count;
    ItemLists lists;
    UsersOut users_out;
    Progress progress;
    uint64_t answered;
    BehavioursCounts counts;
} Job;

/* Users first … first + count − 1 of the behaviours, and what is found for them. */
typedef struct Block {
    const Job *job;
    const Behaviours *behaviours;
    size_t first, count;
    TopK *tops;
    ScoredItem *best;
    uint32_t *excluded; /* the histories, for the tops */
} Block;

static Block block_create(const Job *job, const Behaviours *behaviours, size_t first, size_t count) {
    const RecommendRequest *request = job->request;
    const size_t k =
        (size_t)request->top < job->candidate_count ? (size_t)request->top : job->candidate_count;
    Block block = {.job = job, .behaviours = behaviours, .first = first, .count = count};
    block.tops = memory_need(count, sizeof *block.tops);
    block.best = memory_need(count * k, sizeof *block.best);
    block.excluded =
        memory_need(behaviours->offsets[first + count] - behaviours->offsets[first], sizeof *block.excluded);
    uint32_t *excluded = block.excluded;
    for (size_t i = 0; i < count; i++) {
        const Sequence history = split_history(behaviours, SPLIT_NEXT, first + i);
        const size_t masked =
            request->keep_history ? 0 : distinct_items(history, behaviours->known_count, excluded);
        top_k_start(&block.tops[i], block.best + i * k, k, excluded, masked);
        excluded += masked;
    }
    return block;
}

static void block_free(Block *block) {
    free(block->tops);
    free(block->best);
    free(block->excluded);
}

static void put_users(UsersOut *out, const Behaviours *behaviours, size_t count, const float *vectors) {
    npy_rows_add(out->vectors, vectors, count);
    for (size_t i = 0; i < count; i++) {
        size_t size;
        const char *name = behaviours_user_name(behaviours, i, &size);
        fwrite(name, 1, size, output_file_stream(out->keys));
        putc('\n', output_file_stream(out->keys));
    }
}

static void score_by_model(Job *job, Block *block) {
    const Scorer scorer = ranker_scorer(&job->ranker, block->behaviours->item_rows);
    const UserChoice users = {block->behaviours, SPLIT_NEXT, NULL, block->first, block->count};
    float *states = scorer_take(&scorer, block->count);
    scorer_states(&scorer, &users, states);
    if (job->users_out.vectors) {
        float *vectors = memory_need(block->count * scorer.vectors.dim, sizeof *vectors);
        scorer_read(&scorer, states, block->count, vectors);
        put_users(&job->users_out, block->behaviours, block->count, vectors);
        free(vectors);
    }
    if (job->request->top)
        scorer_best(&scorer, states, block->count,
                    &(Candidates){job->candidates, job->candidate_count, false}, block->tops);
    scorer_release(&scorer, states, block->count);
}

static bool score_by_baseline(const Baseline *baseline, Block *block, Error *error) {
    const Job *job = block->job;
    const uint32_t known = block->behaviours->known_count;
    const size_t threads = (size_t)parallel_threads(), stride = (size_t)known + 1 + job->candidate_count;
    float *room = memory_allocate(threads, stride * sizeof *room, error);
    if (!room) return false;
#pragma omp parallel for schedule(dynamic, 16)
    for (size_t i = 0; i < block->count; i++) {
        float *all = room + (size_t)omp_get_thread_num() * stride, *scores = all + known + 1;
        baseline_score(baseline, block->first + i, known, all);
        for (size_t c = 0; c < job->candidate_count; c++)
            scores[c] = all[job->candidates[c]];
        top_k_add(&block->tops[i], job->candidates, job->candidate_count, scores);
    }
    free(room);
    return true;
}

static bool put_lists(Job *job, Block *block, Error *error) {
    for (size_t i = 0; i < block->count; i++) {
        size_t size;
        TopK *top = &block->tops[i];
        const char *user = behaviours_user_name(block->behaviours, block->first + i, &size);
        if (top->bad)
            return error_set(error,
                             "%s over %s: user \"%s\": the score of item \"%s\" is not finite; was the model "
                             "trained to the end?",
                             job->ranker.files.model, job->ranker.files.items, user,
                             name_table_name(job->lists.names, top->bad - 1, NULL));
        top_k_sort(top);
        if (!item_lists_put(&job->lists, user, size, top, error))
            return error_prefix(error, "%s: ", block->behaviours->source);
    }
    job->answered += block->count;
    progress_update(&job->progress, job->answered);
    return !ferror(job->lists.stream) || error_set_errno(error, "cannot write the recommendations");
}

/* `baseline` NULL: by the model. */
static bool answer(Job *job, const Baseline *baseline, const Behaviours *behaviours, size_t first,
                   size_t count, Error *error) {
    Block block = block_create(job, behaviours, first, count);
    bool fine = true;
    if (baseline)
        fine = score_by_baseline(baseline, &block, error);
    else
        score_by_model(job, &block);
    fine = fine && put_lists(job, &block, error);
    block_free(&block);
    return fine;
}

static void add_counts(Job *job, const Behaviours *behaviours) {
    job->counts.users_short += behaviours->counts.users_short;
    job->counts.interactions_unknown += behaviours->counts.interactions_unknown;
}

/* A block of users after the other. */
static bool stream_users(Job *job, BehavioursReader *reader, Error *error) {
    const size_t users = scorer_users(job->ranker.tape->backend);
    for (size_t count = 1; count;) {
        Behaviours behaviours;
        if (!behaviours_reader_next(reader, users, &behaviours, error)) return false;
        count = behaviours.user_count;
        add_counts(job, &behaviours);
        const bool fine = !count || answer(job, NULL, &behaviours, 0, count, error);
        behaviours_free(&behaviours);
        if (!fine) return false;
    }
    return true;
}

static bool answer_all(Job *job, const Behaviours *behaviours, Error *error) {
    Baseline *baseline = baseline_create(job->request->baseline, behaviours, SPLIT_NEXT, error);
    bool fine = baseline != NULL;
    const size_t users = scorer_users(&backend_cpu);
    for (size_t first = 0; fine && first < behaviours->user_count; first += users) {
        const size_t left = behaviours->user_count - first;
        fine = answer(job, baseline, behaviours, first, left < users ? left : users, error);
    }
    baseline_destroy(baseline);
    return fine;
}

/* All users, since the baseline learns from them. */
static bool collect_users(Job *job, BehavioursReader *reader, Error *error) {
    Behaviours behaviours;
    if (!behaviours_reader_next(reader, SIZE_MAX, &behaviours, error)) return false;
    add_counts(job, &behaviours);
    const bool fine = answer_all(job, &behaviours, error);
    behaviours_free(&behaviours);
    return fine;
}

static void report(const Job *job) {
    char left_out[64] = "", unknown[64] = "";
    if (job->counts.users_short)
        snprintf(left_out, sizeof left_out, ", %" PRIu64 " without a known item left out",
                 job->counts.users_short);
    if (job->counts.interactions_unknown)
        snprintf(unknown, sizeof unknown, ", %" PRIu64 " interactions of unknown items dropped",
                 job->counts.interactions_unknown);
    log_report("%s: %" PRIu64 " users, %zu candidates%s%s", file_display_name(job->request->users),
               job->answered, job->candidate_count, left_out, unknown);
}

static bool answer_users(Job *job, Error *error) {
    const RecommendRequest *request = job->request;
    const BehavioursOptions options = {.min_seq_len = 1,
                                       .max_seq_len =
                                           ranker_max_seq_len(&job->ranker, request->max_seq_len, error),
                                       .unknown = request->unknown_items,
                                       .keep_all = true};
    BehavioursReader *reader = options.max_seq_len
                                   ? behaviours_reader_open(request->users, job->lists.names, &options, error)
                                   : NULL;
    if (!reader) return false;
    progress_start(&job->progress, "users", 0);
    const bool fine =
        request->baseline ? collect_users(job, reader, error) : stream_users(job, reader, error);
    progress_finish(&job->progress);
    behaviours_reader_close(reader);
    if (fine) report(job);
    return fine;
}

/* ---- Outputs ---- */

static bool open_users_out(UsersOut *out, const char *path, size_t width, Error *error) {
    char *keys = export_keys_path(path);
    out->vectors = npy_rows_open(path, width, error);
    out->keys = out->vectors ? output_file_open(keys, error) : NULL;
    free(keys);
    return out->keys != NULL;
}

static void abandon_users_out(UsersOut *out) {
    npy_rows_abandon(out->vectors);
    output_file_abandon(out->keys);
}

static bool commit_users_out(UsersOut *out, Error *error) {
    OutputFile *vectors = npy_rows_finish(out->vectors, error), *keys = out->keys;
    *out = (UsersOut){0};
    if (vectors) return output_file_commit_pair(vectors, keys, error);
    output_file_abandon(keys);
    return false;
}

static bool answer_into(Job *job, Error *error) {
    const RecommendRequest *request = job->request;
    OutputFile *output = output_file_open(request->output, error);
    if (!output) return false;
    job->lists = (ItemLists){output_file_stream(output), request->json, "user", "score",
                             ranker_item_names(&job->ranker)};
    bool fine = !request->users_out ||
                open_users_out(&job->users_out, request->users_out, job->ranker.vectors.width, error);
    fine = fine && answer_users(job, error);
    fine = fine && output_file_flush(output, error) &&
           (!request->users_out || commit_users_out(&job->users_out, error));
    if (fine) return output_file_commit(output, error);
    output_file_abandon(output);
    abandon_users_out(&job->users_out);
    return false;
}

bool recommend(const RecommendRequest *request, Error *error) {
    Job job = {.request = request};
    bool fine = ranker_open(&job.ranker, &request->files, error);
    if (fine) {
        job.candidates = candidate_list(ranker_item_names(&job.ranker), request->only, request->without,
                                        &job.candidate_count, error);
        fine = job.candidates && answer_into(&job, error);
    }
    free(job.candidates);
    ranker_close(&job.ranker);
    return fine;
}
