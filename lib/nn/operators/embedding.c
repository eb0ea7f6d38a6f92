#include "nn/operators/kernels.h"
#include "nn/operators/operators.h"

typedef struct EmbeddingStep {
    Tensor *base, *y;
    EmbeddingRows tables[EMBEDDING_SUM_MOST];
    size_t table_count;
} EmbeddingStep;

static void embedding_sum_backward(Tape *tape, void *context) {
    const EmbeddingStep *e = context;
    const size_t rows = e->y->rows, columns = e->y->columns;
    if (e->base && e->base->needs_gradient)
        add_elements(rows * columns, e->y->gradient, tape_gradient(tape, e->base));
    for (size_t t = 0; t < e->table_count; t++) {
        const EmbeddingRows *table = &e->tables[t];
        if (!table->table->trainable) continue;
        scatter_add_rows(rows, columns, e->y->gradient, table->rows, table->row, table->padding,
                         table->table->gradient);
        table->table->touched = true;
    }
}

Tensor *embedding_sum(Tape *tape, Tensor *base, const EmbeddingRows *tables, size_t table_count,
                      size_t count) {
    const size_t columns = tables[0].table->columns;
    bool needs = base && base->needs_gradient;
    for (size_t t = 0; t < table_count; t++)
        needs = needs || tables[t].table->trainable;
    Tensor *y = tape_tensor(tape, count, columns, needs);
    EmbeddingStep *e = TAPE_CONTEXT(tape, EmbeddingStep, .base = base, .y = y, .table_count = table_count);
    for (size_t t = 0; t < table_count; t++)
        e->tables[t] = tables[t];
#pragma omp parallel for schedule(static) if (count * columns > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < count; i++) {
        float *to = y->value + i * columns;
        for (size_t j = 0; j < columns; j++)
            to[j] = base ? base->value[i * columns + j] : 0;
        for (size_t t = 0; t < table_count; t++) {
            const size_t row = e->tables[t].rows ? e->tables[t].rows[i] : e->tables[t].row;
            const float *from = e->tables[t].table->value + row * columns;
            for (size_t j = 0; j < columns; j++)
                to[j] += from[j];
        }
    }
    tape_record(tape, y, embedding_sum_backward, e);
    return y;
}
