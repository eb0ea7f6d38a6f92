#include "nn/optimizer.h"

#include "core/memory.h"

#include <math.h>
#include <string.h>

void optimizer_create(Optimizer *optimizer, const ParameterSet *set) {
    const Backend *backend = set->backend;
    *optimizer = (Optimizer){
        .beta1 = 0.9,
        .beta2 = 0.999,
        .epsilon = 1e-8,
        .steps = memory_need(set->count, sizeof(uint64_t)),
        .moves = memory_need(set->count, sizeof(AdamW)),
        .choices = memory_need(set->count, sizeof(RowChoice)),
        .backend = backend,
        .scratch = arena_create_from((ArenaSource){backend->memory->take, backend->memory->release}),
    };
}

void optimizer_free(Optimizer *optimizer) {
    free(optimizer->steps);
    free(optimizer->moves);
    free(optimizer->choices);
    arena_destroy(optimizer->scratch);
    *optimizer = (Optimizer){0};
}

/* ---- Tables whose rows are followed ---- */

static RowChoice choose_touched(Optimizer *optimizer, TouchedRows *touched) {
    touched_rows_sort(touched);
    uint32_t *uploaded = arena_take(optimizer->scratch, touched->count, sizeof *uploaded);
    optimizer->backend->memory->upload(touched->count * sizeof *uploaded, touched->rows, uploaded);
    return (RowChoice){touched->count, touched->rows, uploaded};
}

static void settle(Optimizer *optimizer, Parameter *parameter) {
    RowUpdates *updates = parameter->row_updates;
    row_updates_catch_up(updates, (RowChoice){parameter->rows, NULL, NULL}, parameter_row_table(parameter),
                         optimizer->backend, optimizer->scratch);
    updates->moves = 0;
    memset(updates->known, 0, updates->rows * sizeof *updates->known);
    parameter_changed(parameter);
}

void optimizer_settle(Optimizer *optimizer, ParameterSet *set) {
    arena_reset(optimizer->scratch);
    for (size_t i = 0; i < set->count; i++)
        if (set->list[i]->row_updates) settle(optimizer, set->list[i]);
}

/* Brings the rows that are moved to where steps without a gradient would have; the move is theirs then. */
static void move_rows(Optimizer *optimizer, Parameter *parameter, RowChoice choice, AdamW *step) {
    RowUpdates *updates = parameter->row_updates;
    if (updates->moves && updates->last.keep != step->keep) settle(optimizer, parameter);
    row_updates_catch_up(updates, choice, parameter_row_table(parameter), optimizer->backend,
                         optimizer->scratch);
    step->rows = choice.uploaded;
    step->columns = parameter->columns;
    step->count = choice.count * parameter->columns;
    row_updates_move(updates, choice, step);
}

/* The gradient of the rows that have one. */
static FloatArray gather_touched(Optimizer *optimizer, const Parameter *parameter, RowChoice choice) {
    const size_t count = choice.count * parameter->columns;
    float *gathered = arena_take(optimizer->scratch, count, sizeof *gathered);
    optimizer->backend->rows->gather(choice.count, parameter->columns, parameter->gradient, choice.uploaded,
                                     gathered);
    return (FloatArray){count, gathered};
}

/* ---- A step ---- */

/* What there is of a gradient that is not zero for sure. */
static FloatArray find_gradient(Optimizer *optimizer, const Parameter *parameter, RowChoice *choice) {
    if (!parameter->touched_rows) return (FloatArray){parameter->count, parameter->gradient};
    *choice = choose_touched(optimizer, parameter->touched_rows);
    return gather_touched(optimizer, parameter, *choice);
}

/* What all gradients are multiplied with, in the backend's memory. */
static float *find_factor(Optimizer *optimizer, const ParameterSet *set, double scale, double clip) {
    const Backend *backend = optimizer->backend;
    double *total = arena_take(optimizer->scratch, 1, sizeof *total);
    float *factor = arena_take(optimizer->scratch, 1, sizeof *factor);
    FloatArray *gradients = memory_need(set->count, sizeof *gradients);
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++)
        if (set->list[i]->touched)
            gradients[count++] = find_gradient(optimizer, set->list[i], &optimizer->choices[i]);
    backend->optimizer->sum_of_squares(count, gradients, total, optimizer->scratch);
    backend->optimizer->clip(total, scale, clip, factor);
    backend->memory->post(sizeof *total, total, &optimizer->total);
    optimizer->scale = scale;
    free(gradients);
    return factor;
}

AdamW optimizer_move(const Optimizer *optimizer, float keep, float step_size, float root) {
    return (AdamW){.beta1 = (float)optimizer->beta1,
                   .rest1 = (float)(1 - optimizer->beta1),
                   .beta2 = (float)optimizer->beta2,
                   .rest2 = (float)(1 - optimizer->beta2),
                   .epsilon = (float)optimizer->epsilon,
                   .keep = keep,
                   .step_size = step_size,
                   .root = root};
}

static AdamW find_move(Optimizer *optimizer, Parameter *parameter, RowChoice choice, uint64_t step,
                       GroupRate rate, const float *factor) {
    const double bias1 = 1 - pow(optimizer->beta1, (double)step);
    const double bias2 = 1 - pow(optimizer->beta2, (double)step);
    AdamW all = optimizer_move(optimizer, (float)(1 - rate.learning_rate * rate.weight_decay),
                               (float)(rate.learning_rate / bias1), (float)(1 / sqrt(bias2)));
    all.count = parameter->count;
    all.value = parameter->value;
    all.first = parameter->first_moment;
    all.second = parameter->second_moment;
    all.gradient = parameter->gradient;
    all.factor = factor;
    if (parameter->row_updates) move_rows(optimizer, parameter, choice, &all);
    parameter_changed(parameter);
    return all;
}

double optimizer_norm(const Optimizer *optimizer) {
    return sqrt(optimizer->total) * optimizer->scale;
}

void optimizer_step(Optimizer *optimizer, ParameterSet *set, const GroupRate rates[GROUP_COUNT], double scale,
                    double clip) {
    arena_reset(optimizer->scratch);
    const float *factor = find_factor(optimizer, set, scale, clip);
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        Parameter *parameter = set->list[i];
        if (parameter->touched)
            optimizer->moves[count++] = find_move(optimizer, parameter, optimizer->choices[i],
                                                  ++optimizer->steps[i], rates[parameter->group], factor);
    }
    optimizer->backend->optimizer->adamw(count, optimizer->moves);
}
