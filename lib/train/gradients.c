#include "train/gradients.h"

#include "core/memory.h"
#include "nn/exchange.h"
#include "nn/operators/row_lists.h"

#include <string.h>

/* A parameter that any rank has touched is touched everywhere. */
static void agree_on_touched(const Trainer *trainer) {
    const ParameterSet *set = trainer->recommender->parameters;
    double *touched = memory_need(set->count, sizeof *touched);
    for (size_t i = 0; i < set->count; i++)
        touched[i] = set->list[i]->touched;
    ranks_sum_doubles(trainer->options.ranks, set->count, touched);
    for (size_t i = 0; i < set->count; i++)
        if (touched[i] > 0) parameter_gradient(set->list[i], set->backend);
    free(touched);
}

/* Values in the backend's memory become their sums. */
static void sum_values(const Trainer *trainer, size_t count, float *values) {
    exchange_sum(trainer->options.ranks, trainer->tape->backend, count, values);
}

/* ---- Tables whose rows are followed ---- */

/* A row that any rank has touched is touched everywhere. */
static void agree_on_rows(const Ranks *ranks, TouchedRows *touched) {
    const size_t count = (size_t)ranks->count, rank = (size_t)ranks->rank;
    size_t *one_each = memory_need(count + 1, sizeof *one_each);
    size_t *offsets = memory_need(count + 1, sizeof *offsets);
    for (size_t r = 0; r <= count; r++)
        one_each[r] = r;
    touched_rows_sort(touched);
    offsets[rank + 1] = touched->count;
    ranks_gather(ranks, one_each, sizeof *offsets, offsets + 1);
    for (size_t r = 0; r < count; r++)
        offsets[r + 1] += offsets[r];
    uint32_t *all = memory_need(offsets[count], sizeof *all);
    if (touched->count) memcpy(all + offsets[rank], touched->rows, touched->count * sizeof *all);
    ranks_gather(ranks, offsets, sizeof *all, all);
    touched_rows_add(touched, all, offsets[count]);
    free(one_each);
    free(offsets);
    free(all);
    touched_rows_sort(touched);
}

static void sum_rows(const Trainer *trainer, const Parameter *parameter) {
    Tape *tape = trainer->tape;
    const RowKernels *kernels = tape->backend->rows;
    const size_t columns = parameter->columns;
    agree_on_rows(trainer->options.ranks, parameter->touched_rows);
    const size_t count = parameter->touched_rows->count;
    const TargetLists lists = row_lists_create(tape, parameter->touched_rows->rows, count, -1);
    float *sums = tape_take(tape, count * columns, sizeof *sums);
    kernels->gather(count, columns, parameter->gradient, lists.lists.targets, sums);
    sum_values(trainer, count * columns, sums);
    kernels->fill(count, columns, lists.lists.targets, 0, parameter->gradient);
    kernels->scatter_add(columns, sums, &lists.lists, parameter->gradient, tape->values);
}

/* ---- Small parameters, of which many go together: each message takes time of its own ---- */

enum { BUNDLE_VALUES = 1 << 18, SMALL_VALUES = BUNDLE_VALUES / 4 };

typedef struct Bundle {
    float *values; /* [BUNDLE_VALUES] in the backend's memory, the gradients of its members side by side */
    const Parameter **members;
    size_t used, count;
} Bundle;

static void send_bundle(const Trainer *trainer, Bundle *bundle) {
    const MemoryKernels *memory = trainer->tape->backend->memory;
    const float *sum = bundle->values;
    sum_values(trainer, bundle->used, bundle->values);
    for (size_t i = 0; i < bundle->count; i++) {
        const Parameter *parameter = bundle->members[i];
        memory->copy(parameter->count * sizeof *sum, sum, parameter->gradient);
        sum += parameter->count;
    }
    bundle->used = bundle->count = 0;
}

static void add_to_bundle(const Trainer *trainer, Bundle *bundle, const Parameter *parameter) {
    if (bundle->used + parameter->count > BUNDLE_VALUES) send_bundle(trainer, bundle);
    trainer->tape->backend->memory->copy(parameter->count * sizeof *bundle->values, parameter->gradient,
                                         bundle->values + bundle->used);
    bundle->used += parameter->count;
    bundle->members[bundle->count++] = parameter;
}

void gradients_sum(const Trainer *trainer) {
    const ParameterSet *set = trainer->recommender->parameters;
    if (trainer->options.ranks->count == 1) return;
    agree_on_touched(trainer);
    tape_reset(trainer->tape, 0);
    Bundle bundle = {.values = tape_take(trainer->tape, BUNDLE_VALUES, sizeof *bundle.values),
                     .members = memory_need(set->count, sizeof(Parameter *))};
    for (size_t i = 0; i < set->count; i++) {
        const Parameter *parameter = set->list[i];
        if (!parameter->touched) continue;
        if (parameter->touched_rows)
            sum_rows(trainer, parameter);
        else if (parameter->count <= SMALL_VALUES)
            add_to_bundle(trainer, &bundle, parameter);
        else
            sum_values(trainer, parameter->count, parameter->gradient);
    }
    send_bundle(trainer, &bundle);
    free(bundle.members);
}

void gradients_keep_once(const Trainer *trainer) {
    if (!ranks_writes(trainer->options.ranks))
        parameter_set_clear_gradients(trainer->recommender->parameters);
}
