/* Where parameters lie; parameter_memory.c has those functions of parameters.h, too, that move them. */
#ifndef NN_PARAMETER_MEMORY_H
#define NN_PARAMETER_MEMORY_H

#include "nn/parameters.h"

/* What was read last at a place: parameter_set_read. */
typedef struct ParameterReading {
    float *values;
    size_t capacity;
} ParameterReading;

/* Values and gradients of the parts of a whole are in those of the whole. */
void parameter_place_parts(Parameter *whole);

void parameter_release_memory(const ParameterSet *set, Parameter *parameter);

#endif
