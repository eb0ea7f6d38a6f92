#include "train/numerics.h"

#include "core/finite.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { USERS_NAMED = 3, WHOSE_TEXT = 240 };

static size_t inputs_of(const Batch *batch, size_t user) {
    const size_t length = batch->offsets[user + 1] - batch->offsets[user];
    return length ? length - 1 : 0;
}

static const char *user_name(const Numerics *numerics, size_t user) {
    return behaviours_user_name(numerics->behaviours, numerics->batch->users[user], NULL);
}

/* The user of an input of this rank's users. */
static size_t user_of_input(const Numerics *numerics, size_t input) {
    size_t user = numerics->first_user;
    for (; input >= inputs_of(numerics->batch, user); user++)
        input -= inputs_of(numerics->batch, user);
    return user;
}

static size_t count_inputs(const Numerics *numerics) {
    size_t count = 0;
    for (size_t user = 0; user < numerics->users; user++)
        count += inputs_of(numerics->batch, numerics->first_user + user);
    return count;
}

static bool has_item(const Batch *batch, size_t user, uint32_t item) {
    for (size_t i = batch->offsets[user]; i < batch->offsets[user + 1]; i++)
        if (batch->items[i] == item) return true;
    return false;
}

static void describe_item(const Numerics *numerics, uint32_t item, char text[WHOSE_TEXT]) {
    const Batch *batch = numerics->batch;
    const char *name = name_table_name(numerics->source->names, numerics->behaviours->item_rows[item], NULL);
    size_t used = (size_t)snprintf(text, WHOSE_TEXT, ", of item '%.60s', which users have:", name), count = 0;
    for (size_t user = 0; user < batch->user_count && used < WHOSE_TEXT; user++) {
        if (!has_item(batch, user, item) || count++ >= USERS_NAMED) continue;
        used += (size_t)snprintf(text + used, WHOSE_TEXT - used, " '%.40s'", user_name(numerics, user));
    }
    if (count > USERS_NAMED && used < WHOSE_TEXT)
        snprintf(text + used, WHOSE_TEXT - used, " and %zu more", count - USERS_NAMED);
}

/* The item whose tokens have this row among `rows`, or the number of items. */
static size_t item_of_token(const Numerics *numerics, size_t row, size_t rows) {
    const ItemBatch *features = &numerics->features;
    const Segments *all[] = {&features->text_segments, &features->image_segments};
    for (size_t i = 0; i < 2; i++) {
        if (!all[i]->count || segments_rows(*all[i]) != rows) continue;
        size_t item = 0;
        while (row >= all[i]->offsets[item + 1])
            item++;
        return item;
    }
    return features->count;
}

/* Whose row it is, as far as the number of rows says what they are. */
static void describe_row(const Numerics *numerics, size_t row, size_t rows, char text[WHOSE_TEXT]) {
    const Batch *batch = numerics->batch;
    const ItemBatch *own = &numerics->features;
    *text = 0;
    if (!batch) return;
    const size_t token_item = item_of_token(numerics, row, rows);
    if (token_item < own->count)
        describe_item(numerics, own->numbers[token_item], text);
    else if (rows == count_inputs(numerics))
        snprintf(text, WHOSE_TEXT, ", of user '%.40s'", user_name(numerics, user_of_input(numerics, row)));
    else if (rows == batch->distinct_count)
        describe_item(numerics, batch->distinct[row], text);
    else if (rows == own->count)
        describe_item(numerics, own->numbers[row], text);
}

static void note(Numerics *numerics, const char *maker, const Tensor *values, size_t place,
                 bool is_gradient) {
    const size_t row = place / values->columns, column = place % values->columns,
                 size = sizeof numerics->found;
    char whose[WHOSE_TEXT];
    describe_row(numerics, row, values->rows, whose);
    if (is_gradient)
        snprintf(numerics->found, size,
                 "the gradient of the result of %s [%zu × %zu] is not finite at row %zu, column %zu%s", maker,
                 values->rows, values->columns, row, column, whose);
    else
        snprintf(numerics->found, size,
                 "the result of operator %zu, %s [%zu × %zu], is not finite at row %zu, column %zu%s",
                 numerics->operators, maker, values->rows, values->columns, row, column, whose);
    const size_t length = strlen(numerics->found);
    if (*numerics->rank) snprintf(numerics->found + length, size - length, " (%s)", numerics->rank);
}

static void see(void *context, Tape *tape, const char *maker, const Tensor *values, bool is_gradient) {
    Numerics *numerics = context;
    numerics->operators += !is_gradient;
    if (*numerics->found) return;
    numerics->looks++;
    const size_t place = first_not_finite(tape_read(tape, values), values->rows * values->columns);
    if (place != SIZE_MAX) note(numerics, maker, values, place, is_gradient);
}

void numerics_watch(Numerics *numerics, Tape *tape) {
    tape->watch = (TapeWatch){see, numerics};
}

void numerics_begin(Numerics *numerics, const Batch *batch) {
    numerics->batch = batch;
    numerics->first_user = numerics->users = 0;
    numerics->features = (ItemBatch){0};
    numerics->operators = numerics->looks = 0;
}

void numerics_share(Numerics *numerics, size_t first_user, size_t users, const ItemBatch *features) {
    numerics->first_user = first_user;
    numerics->users = users;
    numerics->features = *features;
}
