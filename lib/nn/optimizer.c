#include "nn/optimizer.h"

#include "core/memory.h"

#include <math.h>

void optimizer_create(Optimizer *optimizer, const ParameterSet *set) {
    const Backend *backend = set->backend;
    *optimizer = (Optimizer){
        .beta1 = 0.9,
        .beta2 = 0.999,
        .epsilon = 1e-8,
        .steps = memory_need(set->count, sizeof(uint64_t)),
        .backend = backend,
        .scratch = arena_create_from((ArenaSource){backend->memory->take, backend->memory->release}),
    };
}

void optimizer_free(Optimizer *optimizer) {
    free(optimizer->steps);
    arena_destroy(optimizer->scratch);
    *optimizer = (Optimizer){0};
}

/* What all gradients are multiplied with, in the backend's memory; *norm is theirs after `scale`. */
static float *find_factor(Optimizer *optimizer, const ParameterSet *set, double scale, double clip,
                          double *norm) {
    const Backend *backend = optimizer->backend;
    double *total = arena_take(optimizer->scratch, 1, sizeof *total);
    float *factor = arena_take(optimizer->scratch, 1, sizeof *factor);
    backend->memory->fill(2, 0, (float *)(void *)total);
    for (size_t i = 0; i < set->count; i++) {
        const Parameter *parameter = set->list[i];
        if (parameter->touched)
            backend->optimizer->sum_of_squares(parameter->count, parameter->gradient, total,
                                               optimizer->scratch);
    }
    backend->optimizer->clip(total, scale, clip, factor);
    backend->memory->download(sizeof *norm, total, norm);
    *norm = sqrt(*norm) * scale;
    return factor;
}

static void move(const Optimizer *optimizer, Parameter *parameter, uint64_t step, GroupRate rate,
                 const float *factor) {
    const double bias1 = 1 - pow(optimizer->beta1, (double)step);
    const double bias2 = 1 - pow(optimizer->beta2, (double)step);
    optimizer->backend->optimizer->adamw(&(AdamW){.count = parameter->count,
                                                  .value = parameter->value,
                                                  .first = parameter->first_moment,
                                                  .second = parameter->second_moment,
                                                  .gradient = parameter->gradient,
                                                  .factor = factor,
                                                  .beta1 = (float)optimizer->beta1,
                                                  .rest1 = (float)(1 - optimizer->beta1),
                                                  .beta2 = (float)optimizer->beta2,
                                                  .rest2 = (float)(1 - optimizer->beta2),
                                                  .epsilon = (float)optimizer->epsilon,
                                                  .keep = (float)(1 - rate.learning_rate * rate.weight_decay),
                                                  .step_size = (float)(rate.learning_rate / bias1),
                                                  .root = (float)(1 / sqrt(bias2))});
    parameter_changed(parameter);
}

double optimizer_step(Optimizer *optimizer, ParameterSet *set, const GroupRate rates[GROUP_COUNT],
                      double scale, double clip) {
    double norm;
    arena_reset(optimizer->scratch);
    const float *factor = find_factor(optimizer, set, scale, clip, &norm);
    for (size_t i = 0; isfinite(norm) && i < set->count; i++) {
        Parameter *parameter = set->list[i];
        if (parameter->touched)
            move(optimizer, parameter, ++optimizer->steps[i], rates[parameter->group], factor);
    }
    return norm;
}
