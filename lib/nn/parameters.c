#include "nn/parameters.h"

#include "core/memory.h"
#include "nn/parameter_memory.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

ParameterSet *parameter_set_create(void) {
    ParameterSet *set = memory_need(1, sizeof *set);
    set->backend = &backend_cpu;
    set->readings = memory_need(PARAMETER_READINGS, sizeof *set->readings);
    set->names = name_table_create();
    set->passenger_names = name_table_create();
    return set;
}

static void parameter_destroy(const ParameterSet *set, Parameter *parameter) {
    parameter_release_memory(set, parameter);
    touched_rows_destroy(parameter->touched_rows);
    row_updates_destroy(parameter->row_updates);
    set->backend->release_packing(&parameter->packing);
    free(parameter->parts);
    free(parameter);
}

void parameter_set_destroy(ParameterSet *set) {
    if (!set) return;
    for (size_t i = 0; i < set->count; i++)
        parameter_destroy(set, set->list[i]);
    for (size_t i = 0; i < set->whole_count; i++)
        parameter_destroy(set, set->wholes[i]);
    free(set->wholes);
    for (size_t i = 0; i < name_table_count(set->passenger_names); i++)
        free(set->passengers[i].data);
    free(set->passengers);
    free(set->list);
    for (size_t i = 0; i < PARAMETER_READINGS; i++)
        free(set->readings[i].values);
    free(set->readings);
    name_table_destroy(set->names);
    name_table_destroy(set->passenger_names);
    free(set);
}

static float *need_values(size_t count) {
    float *values = memory_need(count, sizeof *values);
    memory_use_large_pages(values, count * sizeof *values);
    return values;
}

Parameter *parameter_add_shaped(ParameterSet *set, ParameterGroup group, InitialValue initial, int dimensions,
                                const uint64_t *shape, const char *name) {
    bool added;
    const size_t number = name_table_add(set->names, name, strlen(name), &added);
    assert(added);
    set->list = memory_grow(set->list, &set->capacity, set->count + 1, sizeof *set->list);
    Parameter *parameter = set->list[set->count++] = memory_need(1, sizeof *parameter);
    parameter->name = name_table_name(set->names, number, NULL);
    parameter->group = group;
    parameter->initial = initial;
    parameter->dimensions = dimensions;
    parameter->rows = parameter->columns = 1;
    for (int i = 0; i < dimensions; i++) {
        parameter->shape[i] = shape[i];
        *(i == 0 && dimensions > 1 ? &parameter->rows : &parameter->columns) *= shape[i];
    }
    parameter->count = parameter->rows * parameter->columns;
    parameter->value = need_values(parameter->count);
    return parameter;
}

Parameter *parameter_add(ParameterSet *set, ParameterGroup group, InitialValue initial, size_t rows,
                         size_t columns, const char *format, ...) {
    char name[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return parameter_add_shaped(set, group, initial, columns ? 2 : 1, (const uint64_t[]){rows, columns},
                                name);
}

Parameter *parameter_join(ParameterSet *set, Parameter *const *parts, size_t count) {
    Parameter *whole = memory_need(1, sizeof *whole);
    whole->name = parts[0]->name;
    whole->columns = parts[0]->columns;
    whole->rows = 0;
    whole->parts = memory_need(count, sizeof(Parameter *));
    whole->part_count = count;
    memcpy(whole->parts, parts, count * sizeof(Parameter *));
    for (size_t i = 0; i < count; i++) {
        assert(!parts[i]->whole && !parts[i]->loaded && !parts[i]->trainable);
        whole->rows += parts[i]->rows;
        whole->count += parts[i]->count;
    }
    if (parts[0]->dimensions == 1) { /* vectors become a longer vector */
        whole->rows = 1;
        whole->columns = whole->count;
    }
    whole->value = need_values(whole->count);
    for (size_t i = 0; i < count; i++) {
        free(parts[i]->value);
        parts[i]->whole = whole;
    }
    parameter_place_parts(whole);
    set->wholes = memory_grow(set->wholes, &set->whole_capacity, set->whole_count + 1, sizeof *set->wholes);
    return set->wholes[set->whole_count++] = whole;
}

void parameter_changed(Parameter *parameter) {
    packing_outdate(&parameter->packing);
    if (parameter->whole) packing_outdate(&parameter->whole->packing);
}

Matrix parameter_matrix(Parameter *parameter) {
    return (Matrix){parameter->value, parameter->columns, false, NULL, &parameter->packing};
}

float *parameter_gradient_target(Parameter *parameter, float *beta) {
    Parameter *const *parts = parameter->part_count ? parameter->parts : &parameter;
    const size_t count = parameter->part_count ? parameter->part_count : 1;
    *beta = parts[0]->touched ? 1.0f : 0.0f;
    for (size_t i = 0; i < count; i++)
        parts[i]->touched = true;
    return parameter->gradient;
}

/* Where rows are followed, those without a gradient are zero. */
float *parameter_gradient(Parameter *parameter, const Backend *backend) {
    float beta, *gradient = parameter_gradient_target(parameter, &beta);
    if (beta == 0 && !parameter->touched_rows) backend->memory->fill(parameter->count, 0, gradient);
    return gradient;
}

void parameter_follow_rows(Parameter *parameter) {
    if (!parameter->touched_rows) parameter->touched_rows = touched_rows_create();
}

void parameter_update_by_rows(Parameter *parameter) {
    parameter_follow_rows(parameter);
    if (!parameter->row_updates) parameter->row_updates = row_updates_create(parameter->rows);
}

RowTable parameter_row_table(const Parameter *parameter) {
    return (RowTable){parameter->columns, parameter->value, parameter->first_moment,
                      parameter->second_moment};
}

void parameter_touch_rows(Parameter *parameter, const uint32_t *rows, size_t count) {
    if (parameter->touched_rows) touched_rows_add(parameter->touched_rows, rows, count);
}

Parameter *parameter_find(const ParameterSet *set, const char *name, size_t size) {
    const size_t number = name_table_find(set->names, name, size);
    return number == SIZE_MAX ? NULL : set->list[number];
}

static void initialise(Parameter *parameter, uint64_t seed) {
    Random random;
    random_seed(&random, seed, XXH3_64bits(parameter->name, strlen(parameter->name)));
    const double fans = (double)(parameter->rows + parameter->columns);
    for (size_t i = 0; i < parameter->count; i++) {
        double value = 0;
        switch (parameter->initial) {
        case INITIAL_ZERO:
            break;
        case INITIAL_ONE:
            value = 1;
            break;
        case INITIAL_NORMAL:
            value = 0.02 * random_normal(&random);
            break;
        case INITIAL_XAVIER_NORMAL:
            value = sqrt(2 / fans) * random_normal(&random);
            break;
        case INITIAL_XAVIER_UNIFORM:
            value = sqrt(6 / fans) * (2 * random_uniform(&random) - 1);
            break;
        case INITIAL_UNIFORM:
            value = (2 * random_uniform(&random) - 1) / sqrt((double)parameter->columns);
            break;
        }
        parameter->value[i] = (float)value;
    }
}

void parameter_set_initialise(ParameterSet *set, uint64_t seed) {
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < set->count; i++)
        if (!set->list[i]->loaded) initialise(set->list[i], seed);
    for (size_t i = 0; i < set->count; i++)
        parameter_changed(set->list[i]);
}

static void print_shape(char *text, size_t size, int dimensions, const uint64_t *shape) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < dimensions; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%llu", i ? ", " : "", (unsigned long long)shape[i]);
    snprintf(text + used, size - used, "]");
}

bool parameter_check(const Parameter *parameter, const RecordTensor *tensor, Error *error) {
    bool same = tensor->dimensions == parameter->dimensions;
    for (int i = 0; same && i < tensor->dimensions; i++)
        same = tensor->shape[i] == parameter->shape[i];
    if (!same) {
        char found[256], wanted[256];
        print_shape(found, sizeof found, tensor->dimensions, tensor->shape);
        print_shape(wanted, sizeof wanted, parameter->dimensions, parameter->shape);
        return error_set(error, "tensor %s has the shape %s, but this model needs %s", parameter->name, found,
                         wanted);
    }
    return dtype_is_float(tensor->dtype) || error_set(error, "tensor %s is %s; a float tensor is needed",
                                                      parameter->name, dtype_name(tensor->dtype));
}

bool parameter_load(Parameter *parameter, const RecordTensor *tensor, Error *error) {
    if (!parameter_check(parameter, tensor, error)) return false;
    dtype_to_f32(tensor->dtype, tensor->data, parameter->value, parameter->count);
    parameter_changed(parameter);
    parameter->loaded = true;
    return true;
}

void parameter_adopt(Parameter *parameter, float *value) {
    if (parameter->whole) {
        memcpy(parameter->value, value, parameter->count * sizeof *value);
        free(value);
    } else {
        free(parameter->value);
        parameter->value = value;
    }
    parameter_changed(parameter);
    parameter->loaded = true;
}

void parameter_set_adopt_passenger(ParameterSet *set, const char *name, size_t size,
                                   const RecordTensor *tensor, void *data) {
    bool added;
    const size_t number = name_table_add(set->passenger_names, name, size, &added);
    set->passengers =
        memory_grow(set->passengers, &set->passenger_capacity, number + 1, sizeof *set->passengers);
    Passenger *passenger = &set->passengers[number];
    if (!added) free(passenger->data);
    *passenger = (Passenger){tensor->dtype, tensor->dimensions, {0}, data};
    memcpy(passenger->shape, tensor->shape, sizeof passenger->shape);
}

void parameter_set_keep_passenger(ParameterSet *set, const char *name, size_t size,
                                  const RecordTensor *tensor) {
    const size_t bytes = record_tensor_bytes(tensor);
    void *copy = memory_need(bytes, 1);
    if (bytes) memcpy(copy, tensor->data, bytes);
    parameter_set_adopt_passenger(set, name, size, tensor, copy);
}

const Passenger *parameter_set_passenger(const ParameterSet *set, const char *name) {
    const size_t number = name_table_find(set->passenger_names, name, strlen(name));
    return number == SIZE_MAX ? NULL : &set->passengers[number];
}
