#include "core/memory.h"
#include "model/objective/objective.h"

/* Of the `count` positions listed, each takes the item of the next one, so that all of them move. */
static void rotate(const uint32_t *rows, const uint32_t *positions, size_t count, uint32_t *corrupted) {
    for (size_t i = 0; i < count; i++)
        corrupted[positions[i]] = rows[positions[(i + 1) % count]];
}

static uint32_t draw_other(Random *random, uint32_t row, size_t distinct) {
    const uint32_t other = (uint32_t)random_below(random, distinct - 1);
    return other + (other >= row);
}

void objective_corrupt(const UserRows *inputs, size_t distinct, const Settings *settings, Random *random,
                       uint32_t *corrupted, uint32_t *corruption) {
    uint32_t *shuffled = memory_need(inputs->max_seq_len, sizeof *shuffled);
    for (size_t user = 0; user < inputs->inputs.count; user++) {
        const size_t first = inputs->inputs.offsets[user], end = inputs->inputs.offsets[user + 1];
        size_t count = 0;
        for (size_t p = first; p < end; p++) {
            const double draw = random_uniform(random);
            corrupted[p] = inputs->rows[p];
            corruption[p] = CORRUPTION_NONE;
            if (draw < settings->shuffle_rate) {
                shuffled[count++] = (uint32_t)p;
            } else if (draw < settings->shuffle_rate + settings->replace_rate && distinct > 1) {
                corrupted[p] = draw_other(random, inputs->rows[p], distinct);
                corruption[p] = CORRUPTION_REPLACED;
            }
        }
        random_shuffle(random, shuffled, count);
        rotate(inputs->rows, shuffled, count, corrupted);
        for (size_t i = 0; i < count; i++)
            if (corrupted[shuffled[i]] != inputs->rows[shuffled[i]])
                corruption[shuffled[i]] = CORRUPTION_SHUFFLED;
    }
    free(shuffled);
}
