#include "nn/optimizer.h"

#include "core/memory.h"

#include <math.h>

void optimizer_create(Optimizer *optimizer, const ParameterSet *set) {
    *optimizer = (Optimizer){0.9, 0.999, 1e-8, memory_need(set->count, sizeof(uint64_t)), set->count};
}

void optimizer_free(Optimizer *optimizer) {
    free(optimizer->steps);
    optimizer->steps = NULL;
}

static void move(Parameter *parameter, const Optimizer *optimizer, uint64_t step, GroupRate rate,
                 float scale) {
    const float beta1 = (float)optimizer->beta1, beta2 = (float)optimizer->beta2;
    const float keep = (float)(1 - rate.learning_rate * rate.weight_decay);
    const float step_size = (float)(rate.learning_rate / (1 - pow(optimizer->beta1, (double)step)));
    const float root = (float)(1 / sqrt(1 - pow(optimizer->beta2, (double)step)));
    const float rest1 = (float)(1 - optimizer->beta1), rest2 = (float)(1 - optimizer->beta2);
    const float epsilon = (float)optimizer->epsilon;
    float *restrict value = parameter->value, *restrict first = parameter->first_moment;
    float *restrict second = parameter->second_moment;
    const float *restrict gradient = parameter->gradient;
#pragma omp parallel for simd schedule(static) if (parameter->count > 16384)
    for (size_t i = 0; i < parameter->count; i++) {
        const float g = gradient[i] * scale;
        first[i] = beta1 * first[i] + rest1 * g;
        second[i] = beta2 * second[i] + rest2 * g * g;
        value[i] = keep * value[i] - step_size * first[i] / (sqrtf(second[i]) * root + epsilon);
    }
}

void optimizer_step(Optimizer *optimizer, ParameterSet *set, const GroupRate rates[GROUP_COUNT],
                    double scale) {
    for (size_t i = 0; i < set->count; i++) {
        Parameter *parameter = set->list[i];
        if (!parameter->touched) continue;
        move(parameter, optimizer, ++optimizer->steps[i], rates[parameter->group], (float)scale);
        parameter_changed(parameter);
    }
}

double optimizer_gradient_norm(const ParameterSet *set) {
    double sum = 0;
    for (size_t i = 0; i < set->count; i++) {
        const Parameter *parameter = set->list[i];
        if (!parameter->touched) continue;
        double part = 0;
#pragma omp simd reduction(+ : part)
        for (size_t j = 0; j < parameter->count; j++)
            part += (double)parameter->gradient[j] * parameter->gradient[j];
        sum += part;
    }
    return sqrt(sum);
}
