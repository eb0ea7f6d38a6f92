#include "nn/operators/operators.h"
#include "nn/operators/row_lists.h"

typedef struct Embedding {
    Tensor *base, *y;
    EmbeddingRows tables[EMBEDDING_SUM_MOST];
    TargetLists targets[EMBEDDING_SUM_MOST]; /* by table: its rows that take a gradient */
    size_t table_count;
} Embedding;

/* What is read next of a table that is moved by rows, brought up to date. */
static void catch_up(Tape *tape, const EmbeddingRows *rows, size_t count) {
    Parameter *table = rows->table;
    RowUpdates *updates = table->row_updates;
    if (!updates || !tape->recording) return;
    const TargetLists targets =
        row_lists_create(tape, rows->rows ? rows->rows : &rows->row, rows->rows ? count : 1, -1);
    const RowChoice choice = {targets.lists.count, targets.targets, targets.lists.targets};
    row_updates_catch_up(updates, choice, parameter_row_table(table), tape->backend, tape->values);
}

static void table_backward(Tape *tape, const EmbeddingRows *rows, const TargetLists *targets,
                           const Tensor *y) {
    Parameter *table = rows->table;
    if (rows->rows) {
        tape->backend->rows->scatter_add(y->columns, y->gradient, &targets->lists,
                                         parameter_gradient(table, tape->backend), tape->values);
        parameter_touch_rows(table, targets->targets, targets->lists.count);
    } else if ((int64_t)rows->row != rows->padding) {
        tape->backend->columns->sums(y->rows, y->columns, y->gradient,
                                     parameter_gradient(table, tape->backend) + rows->row * y->columns,
                                     tape->values);
        parameter_touch_rows(table, &rows->row, 1);
    }
}

static void embedding_sum_backward(Tape *tape, void *context) {
    const Embedding *e = context;
    const size_t count = e->y->rows * e->y->columns;
    if (e->base && e->base->needs_gradient)
        tape->backend->elements->add(count, e->y->gradient, tape_gradient(tape, e->base));
    for (size_t t = 0; t < e->table_count; t++)
        if (e->tables[t].table->trainable) table_backward(tape, &e->tables[t], &e->targets[t], e->y);
}

Tensor *embedding_sum(Tape *tape, Tensor *base, const EmbeddingRows *tables, size_t table_count,
                      size_t count) {
    const size_t columns = tables[0].table->columns;
    EmbeddingSum sum = {count, columns, base ? base->value : NULL, table_count, {{0}}, NULL};
    Embedding *e = TAPE_CONTEXT(tape, Embedding, .base = base, .table_count = table_count);
    bool needs = base && base->needs_gradient;
    for (size_t t = 0; t < table_count; t++) {
        e->tables[t] = tables[t];
        catch_up(tape, &tables[t], count);
        sum.tables[t] = (EmbeddedRow){tables[t].table->value, tape_upload_rows(tape, tables[t].rows, count),
                                      tables[t].row};
        needs = needs || tables[t].table->trainable;
    }
    e->y = tape_tensor(tape, count, columns, needs);
    sum.y = e->y->value;
    tape->backend->rows->embedding_sum(&sum);
    for (size_t t = 0; e->y->needs_gradient && t < table_count; t++)
        if (tables[t].table->trainable && tables[t].rows)
            e->targets[t] = row_lists_create(tape, tables[t].rows, count, tables[t].padding);
    tape_record(tape, e->y, embedding_sum_backward, e);
    return e->y;
}
