#include "nn/parameter_memory.h"

#include "core/memory.h"

#include <assert.h>

/* Memory in that of the backend, as large as the parameter. */
static float *take(const ParameterSet *set, const Parameter *parameter) {
    return set->backend->memory->take(parameter->count * sizeof(float));
}

static void release(const ParameterSet *set, const Parameter *parameter, float *values) {
    set->backend->memory->release(values, parameter->count * sizeof *values);
}

void parameter_release_memory(const ParameterSet *set, Parameter *parameter) {
    if (!parameter->whole) {
        release(set, parameter, parameter->value);
        release(set, parameter, parameter->gradient);
    }
    release(set, parameter, parameter->first_moment);
    release(set, parameter, parameter->second_moment);
}

void parameter_place_parts(Parameter *whole) {
    size_t first = 0;
    for (size_t i = 0; i < whole->part_count; i++) {
        whole->parts[i]->value = whole->value + first;
        if (whole->gradient) whole->parts[i]->gradient = whole->gradient + first;
        first += whole->parts[i]->count;
    }
}

static void move(const ParameterSet *set, Parameter *parameter, const Backend *backend) {
    float *host = parameter->value;
    set->backend->release_packing(&parameter->packing);
    if (parameter->whole || backend->is_host) return;
    parameter->value = backend->memory->take(parameter->count * sizeof *host);
    backend->memory->upload(parameter->count * sizeof *host, host, parameter->value);
    release(set, parameter, host);
}

void parameter_set_move(ParameterSet *set, const Backend *backend) {
    assert(set->backend->is_host);
    for (size_t i = 0; i < set->count; i++) {
        assert(!set->list[i]->trainable);
        move(set, set->list[i], backend);
    }
    for (size_t i = 0; i < set->whole_count; i++) {
        move(set, set->wholes[i], backend);
        parameter_place_parts(set->wholes[i]);
    }
    set->backend = backend;
}

const float *parameter_set_read(const ParameterSet *set, size_t place, const float *values, size_t count) {
    ParameterReading *reading = &set->readings[place];
    if (set->backend->is_host) return values;
    reading->values = memory_grow(reading->values, &reading->capacity, count, sizeof *values);
    set->backend->memory->download(count * sizeof *values, values, reading->values);
    return reading->values;
}

void parameter_set_write(const ParameterSet *set, const float *from, size_t count, float *values) {
    set->backend->memory->upload(count * sizeof *values, from, values);
}

static float *take_zeroed(const ParameterSet *set, const Parameter *parameter) {
    float *values = take(set, parameter);
    set->backend->memory->fill(parameter->count, 0, values);
    return values;
}

void parameter_set_make_trainable(ParameterSet *set) {
    for (size_t i = 0; i < set->whole_count; i++) {
        Parameter *whole = set->wholes[i];
        if (whole->trainable) continue;
        whole->trainable = true;
        whole->gradient = take_zeroed(set, whole);
        parameter_place_parts(whole);
    }
    for (size_t i = 0; i < set->count; i++) {
        Parameter *parameter = set->list[i];
        if (parameter->trainable) continue;
        parameter->trainable = true;
        if (!parameter->whole) parameter->gradient = take_zeroed(set, parameter);
        parameter->first_moment = take_zeroed(set, parameter);
        parameter->second_moment = take_zeroed(set, parameter);
    }
}

/* The rows that have a gradient. */
static void clear_rows(const ParameterSet *set, Parameter *parameter) {
    const MemoryKernels *memory = set->backend->memory;
    TouchedRows *touched = parameter->touched_rows;
    touched_rows_sort(touched);
    const size_t bytes = touched->count * sizeof *touched->rows;
    uint32_t *uploaded = memory->take(bytes);
    memory->upload(bytes, touched->rows, uploaded);
    set->backend->rows->fill(touched->count, parameter->columns, uploaded, 0, parameter->gradient);
    memory->release(uploaded, bytes);
    touched->count = 0;
}

void parameter_set_clear_gradients(ParameterSet *set) {
    for (size_t i = 0; i < set->count; i++) {
        Parameter *parameter = set->list[i];
        if (parameter->touched && parameter->touched_rows) clear_rows(set, parameter);
        parameter->touched = false;
    }
}

float **parameter_set_copy(const ParameterSet *set, float **copy) {
    const bool fresh = !copy;
    if (fresh) copy = memory_need(set->count, sizeof *copy);
    for (size_t i = 0; i < set->count; i++) {
        if (fresh) copy[i] = take(set, set->list[i]);
        set->backend->memory->copy(set->list[i]->count * sizeof(float), set->list[i]->value, copy[i]);
    }
    return copy;
}

void parameter_set_restore(ParameterSet *set, float *const *copy) {
    for (size_t i = 0; i < set->count; i++) {
        set->backend->memory->copy(set->list[i]->count * sizeof(float), copy[i], set->list[i]->value);
        parameter_changed(set->list[i]);
    }
}

void parameter_set_free_copy(const ParameterSet *set, float **copy) {
    for (size_t i = 0; copy && i < set->count; i++)
        release(set, set->list[i], copy[i]);
    free(copy);
}
