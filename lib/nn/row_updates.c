#include "nn/row_updates.h"

#include "core/memory.h"

#include <math.h>

RowUpdates *row_updates_create(size_t rows) {
    RowUpdates *updates = memory_need(1, sizeof *updates);
    *updates = (RowUpdates){.rows = rows, .known = memory_need(rows, sizeof(uint32_t))};
    return updates;
}

void row_updates_destroy(RowUpdates *updates) {
    if (!updates) return;
    free(updates->known);
    free(updates);
}

static size_t chosen_row(RowChoice choice, size_t i) {
    return choice.rows ? choice.rows[i] : i;
}

/* With r = β1 / (√β2 · keep), the moves that n steps without a gradient make are, one behind the other,
 * step_size·first / (√second·root + epsilon) times keepⁿ·r, keepⁿ·r², … keepⁿ·rⁿ. */
static OwedMoves find_owed(const AdamW *last, uint32_t moves) {
    const double keep = (double)last->keep, beta1 = (double)last->beta1, beta2 = (double)last->beta2;
    const double ratio = beta1 / (sqrt(beta2) * keep), kept = pow(keep, moves);
    const double sum = fabs(1 - ratio) < 1e-9 ? moves : ratio * (1 - pow(ratio, moves)) / (1 - ratio);
    return (OwedMoves){(float)kept, (float)(kept * sum * (double)last->step_size), (float)pow(beta1, moves),
                       (float)pow(beta2, moves)};
}

enum { ROWS_AT_ONCE = 1 << 16 };

/* Of `count` chosen rows from `first` on; false when none owes anything. */
static bool find_all_owed(const RowUpdates *updates, RowChoice choice, size_t first, size_t count,
                          OwedMoves *owed) {
    bool any = false;
#pragma omp parallel for schedule(static) reduction(|| : any) if (count > 1024)
    for (size_t i = 0; i < count; i++) {
        const uint32_t moves = updates->moves - updates->known[chosen_row(choice, first + i)];
        owed[i] = moves ? find_owed(&updates->last, moves) : (OwedMoves){1, 0, 1, 1};
        any = any || moves;
    }
    return any;
}

void row_updates_catch_up(RowUpdates *updates, RowChoice choice, RowTable table, const Backend *backend,
                          Arena *scratch) {
    const size_t most = choice.count < ROWS_AT_ONCE ? choice.count : ROWS_AT_ONCE;
    OwedMoves *owed = memory_need(most, sizeof *owed);
    for (size_t first = 0; updates->moves && first < choice.count; first += ROWS_AT_ONCE) {
        const size_t left = choice.count - first, count = left < most ? left : most;
        const size_t start = choice.rows ? 0 : first * table.columns;
        if (!find_all_owed(updates, choice, first, count, owed)) continue;
        const ArenaMark mark = arena_mark(scratch);
        AdamW step = updates->last;
        step.rows = choice.rows ? choice.uploaded + first : NULL;
        step.columns = table.columns;
        step.count = count * table.columns;
        step.value = table.value + start, step.first = table.first + start;
        step.second = table.second + start;
        OwedMoves *uploaded = arena_take(scratch, count, sizeof *uploaded);
        backend->memory->upload(count * sizeof *owed, owed, uploaded);
        backend->optimizer->catch_up(&step, uploaded);
        arena_rewind(scratch, mark);
        for (size_t i = 0; i < count; i++)
            updates->known[chosen_row(choice, first + i)] = updates->moves;
    }
    free(owed);
}

void row_updates_move(RowUpdates *updates, RowChoice choice, const AdamW *move) {
    updates->last = *move;
    updates->moves++;
    for (size_t i = 0; i < choice.count; i++)
        updates->known[chosen_row(choice, i)] = updates->moves;
}

bool row_updates_restore(RowUpdates *updates, const int32_t *owed, const AdamW *last) {
    int32_t most = 0;
    for (size_t i = 0; i < updates->rows; i++) {
        if (owed[i] < 0) return false;
        if (owed[i] > most) most = owed[i];
    }
    updates->moves = (uint32_t)most;
    updates->last = *last;
    for (size_t i = 0; i < updates->rows; i++)
        updates->known[i] = (uint32_t)(most - owed[i]);
    return last->keep > 0 && last->keep <= 1;
}
