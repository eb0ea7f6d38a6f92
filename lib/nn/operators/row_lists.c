#include "nn/operators/row_lists.h"

#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

/* One pass of a radix sort, stable: `from` by a digit of its rows into `to`. */
static void sort_by_digit(const uint32_t *rows, size_t count, unsigned shift, const uint32_t *from,
                          uint32_t *to) {
    size_t places[DIGITS + 1] = {0};
    for (size_t i = 0; i < count; i++)
        places[(rows[from[i]] >> shift) % DIGITS + 1]++;
    for (size_t digit = 0; digit < DIGITS; digit++)
        places[digit + 1] += places[digit];
    for (size_t i = 0; i < count; i++)
        to[places[(rows[from[i]] >> shift) % DIGITS]++] = from[i];
}

/* The numbers of the rows that do not go to `padding`, in the order of where they go. */
static uint32_t *sort_rows(Tape *tape, const uint32_t *rows, size_t *count, int64_t padding) {
    uint32_t *order = arena_take(tape->arena, *count, sizeof *order), largest = 0;
    uint32_t *other = arena_take(tape->arena, *count, sizeof *other);
    size_t used = 0;
    for (size_t i = 0; i < *count; i++) {
        if ((int64_t)rows[i] == padding) continue;
        if (rows[i] > largest) largest = rows[i];
        order[used++] = (uint32_t)i;
    }
    *count = used;
    for (unsigned shift = 0; shift < 32 && largest >> shift; shift += DIGIT_BITS) {
        uint32_t *sorted = other;
        sort_by_digit(rows, used, shift, order, sorted);
        other = order;
        order = sorted;
    }
    return order;
}

TargetLists row_lists_create(Tape *tape, const uint32_t *rows, size_t count, int64_t padding) {
    const uint32_t *order = sort_rows(tape, rows, &count, padding);
    uint32_t *targets = arena_take(tape->arena, count, sizeof *targets);
    size_t *offsets = arena_take(tape->arena, count + 1, sizeof *offsets), lists = 0;
    for (size_t i = 0; i < count; i++)
        if (!i || rows[order[i]] != targets[lists - 1]) {
            targets[lists] = rows[order[i]];
            offsets[lists++] = i;
        }
    offsets[lists] = count;
    return (TargetLists){{lists, count, tape_upload_rows(tape, targets, lists),
                          tape_upload_offsets(tape, (Segments){lists, offsets}),
                          tape_upload_rows(tape, order, count)},
                         targets};
}
