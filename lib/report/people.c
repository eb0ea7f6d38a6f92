#include "report/people.h"

#include "core/memory.h"
#include "eval/ranker.h"

#include <string.h>

static void add_scores(void *context, size_t row, const uint32_t *items, size_t count, const float *scores) {
    top_k_add(&((Person *)context)[row].top, items, count, scores);
}

static void take_history(Person *person, Sequence history) {
    person->history_length = history.count;
    person->history_count = history.count < PERSON_SHOWN ? history.count : PERSON_SHOWN;
    person->history = memory_need(person->history_count, sizeof *person->history);
    for (size_t i = 0; i < person->history_count; i++)
        person->history[i] = history.items[history.count - 1 - i];
}

static bool recommend_to(People *people, const Ranker *ranker, const Behaviours *behaviours,
                         const uint32_t *chosen, Error *error) {
    const Scorer scorer = ranker_scorer(ranker, behaviours->item_rows);
    const UserChoice users = {behaviours, SPLIT_NEXT, chosen, 0, people->count};
    uint32_t *items = scorer_all_items(behaviours->item_count, error);
    if (!items) return false;
    float *states = scorer_take(&scorer, people->count);
    uint32_t **excluded = memory_need(people->count, sizeof *excluded);
    for (size_t i = 0; i < people->count; i++) {
        const Sequence history = split_history(behaviours, SPLIT_NEXT, chosen[i]);
        excluded[i] = memory_need(history.count, sizeof **excluded);
        const size_t count = distinct_items(history, behaviours->item_count, excluded[i]);
        take_history(&people->list[i], history);
        top_k_start(&people->list[i].top, memory_need(PERSON_SHOWN, sizeof(ScoredItem)), PERSON_SHOWN,
                    excluded[i], count);
    }
    scorer_states(&scorer, &users, states);
    scorer_visit(&scorer, states, people->count, &(Candidates){items, behaviours->item_count, false},
                 add_scores, people->list);
    for (size_t i = 0; i < people->count; i++) {
        top_k_sort(&people->list[i].top);
        free(excluded[i]);
    }
    free(excluded);
    scorer_release(&scorer, states, people->count);
    free(items);
    return true;
}

static bool choose(People *people, const Ranker *ranker, const Behaviours *behaviours, size_t count,
                   Error *error) {
    people->count = count < behaviours->user_count ? count : behaviours->user_count;
    people->list = memory_need(people->count, sizeof *people->list);
    uint32_t *chosen = memory_need(people->count, sizeof *chosen);
    for (size_t i = 0; i < people->count; i++) {
        size_t size;
        chosen[i] = (uint32_t)(i * behaviours->user_count / people->count);
        const char *name = behaviours_user_name(behaviours, chosen[i], &size);
        people->list[i].name = memory_copy_text(name, size);
    }
    const bool fine = recommend_to(people, ranker, behaviours, chosen, error);
    free(chosen);
    return fine;
}

static void copy_names(People *people, const NameTable *names) {
    people->names = name_table_create();
    for (size_t i = 0; i < name_table_count(names); i++) {
        size_t size;
        const char *name = name_table_name(names, i, &size);
        name_table_add(people->names, name, size, NULL);
    }
}

static bool read_users(People *people, const Ranker *ranker, const char *path, size_t count, Error *error) {
    const BehavioursOptions options = {.min_seq_len = 1,
                                       .max_seq_len = (uint32_t)ranker->settings.max_seq_len,
                                       .unknown = UNKNOWN_ITEMS_DROP,
                                       .keep_all = true};
    Behaviours behaviours;
    BehavioursReader *reader = behaviours_reader_open(path, ranker_item_names(ranker), &options, error);
    if (!reader) return false;
    bool fine = behaviours_reader_next(reader, SIZE_MAX, &behaviours, error);
    if (fine) {
        fine = choose(people, ranker, &behaviours, count, error);
        behaviours_free(&behaviours);
    }
    behaviours_reader_close(reader);
    return fine;
}

bool people_read(People *people, const char *folder, const char *users, size_t count, Error *error) {
    char *model, *items;
    Ranker ranker;
    *people = (People){.by = memory_copy_text(folder, strlen(folder))};
    if (asprintf(&model, "%s/model.pmt", folder) < 0 || asprintf(&items, "%s/items.pmt", folder) < 0) abort();
    bool fine = ranker_open(&ranker, &(RankerFiles){.model = model, .items = items}, error);
    if (fine) {
        copy_names(people, ranker_item_names(&ranker));
        fine = read_users(people, &ranker, users, count, error);
    }
    ranker_close(&ranker);
    free(model);
    free(items);
    if (!fine) people_free(people);
    return fine;
}

void people_free(People *people) {
    for (size_t i = 0; i < people->count; i++) {
        free(people->list[i].name);
        free(people->list[i].history);
        free(people->list[i].top.best);
    }
    free(people->list);
    free(people->by);
    name_table_destroy(people->names);
    *people = (People){0};
}
