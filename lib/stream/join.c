#include "stream/join.h"

#include "core/memory.h"
#include "core/name_table.h"
#include "stream/record_spill.h"

#include <inttypes.h>

/* What is known of a key. */
typedef struct Entry {
    uint32_t numbers[JOIN_SIDES]; /* of the record in each stream; 0: it has not come */
    bool waits;                   /* the only side that has come is put away … */
    uint64_t place;               /* … here */
} Entry;

typedef struct Side {
    StreamReader *reader;
    const StreamIndex *index; /* where it tells which keys there are; else NULL */
    Record record;            /* the last one read */
    bool unused;              /* it has not been looked at yet */
    bool waits;               /* its partner has not come */
    size_t entry;             /* its key's */
    bool ended;
    uint64_t unmatched;
} Side;

struct StreamJoin {
    Side sides[JOIN_SIDES];
    NameTable *keys; /* of both streams; numbers of `entries` */
    Entry *entries;
    size_t capacity;
    RecordSpill *spill;
};

static void start_side(Side *side, StreamReader *reader) {
    const StreamIndex *index = stream_reader_index(reader);
    side->reader = reader;
    if (index && stream_index_has_keys(index)) side->index = index;
}

StreamJoin *stream_join_create(StreamReader *a, StreamReader *b, size_t memory_limit) {
    StreamJoin *join = memory_need(1, sizeof *join);
    start_side(&join->sides[JOIN_A], a);
    start_side(&join->sides[JOIN_B], b);
    join->keys = name_table_create();
    join->spill = record_spill_create(memory_limit);
    return join;
}

void stream_join_destroy(StreamJoin *join) {
    if (!join) return;
    record_spill_destroy(join->spill);
    name_table_destroy(join->keys);
    free(join->entries);
    free(join);
}

static JoinSide other(JoinSide side) {
    return side == JOIN_A ? JOIN_B : JOIN_A;
}

/* Notes that the key has come on this side. */
static bool enter(StreamJoin *join, JoinSide side, Error *error) {
    Side *here = &join->sides[side];
    const Record *record = &here->record;
    bool added;
    here->entry = name_table_add(join->keys, record->key, record->key_size, &added);
    join->entries = memory_grow(join->entries, &join->capacity, here->entry + 1, sizeof *join->entries);
    Entry *entry = &join->entries[here->entry];
    if (added) *entry = (Entry){0};
    if (entry->numbers[side]) {
        char where[RECORD_WHERE_TEXT];
        record_where(record, where);
        return error_set(error, "%s: record %" PRIu32 " has the same key; a key may come once", where,
                         entry->numbers[side]);
    }
    entry->numbers[side] = (uint32_t)record->number;
    return true;
}

/* Reads from the side that is behind, as far as the last records tell: one whose record found a partner while
 * the other's still waits for one. So streams that are in the same order, but for gaps, stay in step. */
static bool is_wanted(const StreamJoin *join, JoinSide side) {
    const Side *here = &join->sides[side], *there = &join->sides[other(side)];
    if (here->ended) return false;
    return there->ended || there->waits || !here->waits;
}

static bool read_side(StreamJoin *join, JoinSide side, Error *error) {
    Side *here = &join->sides[side];
    const StreamStatus status = stream_reader_next(here->reader, &here->record, error);
    if (status == STREAM_ERROR) return false;
    here->ended = status == STREAM_END;
    here->waits = false;
    here->unused = !here->ended;
    return here->ended || enter(join, side, error);
}

/* Is it certain that no partner comes for the unused record of this side? */
static bool is_alone(const StreamJoin *join, JoinSide side, bool *alone, Error *error) {
    const Side *here = &join->sides[side], *there = &join->sides[other(side)];
    uint64_t number;
    size_t count = 1;
    *alone = false;
    if (!there->index || join->entries[here->entry].numbers[other(side)]) return true;
    if (!stream_index_find(there->index, here->record.key, here->record.key_size, &number, 1, &count, error))
        return error_prefix(error, "%s: ", stream_reader_name(there->reader));
    *alone = !count;
    return true;
}

/* Reads on over records that an index tells to be alone. */
static bool pass_alone(StreamJoin *join, JoinSide side, Error *error) {
    Side *here = &join->sides[side];
    bool alone = true;
    while (here->unused) {
        if (!is_alone(join, side, &alone, error)) return false;
        if (!alone) break;
        here->unmatched++;
        if (!read_side(join, side, error)) return false;
    }
    return true;
}

/* Both are asked before one is read, as reading changes the answer. */
static bool read_more(StreamJoin *join, Error *error) {
    const bool a = is_wanted(join, JOIN_A), b = is_wanted(join, JOIN_B);
    return (!a || read_side(join, JOIN_A, error)) && (!b || read_side(join, JOIN_B, error)) &&
           pass_alone(join, JOIN_A, error) && pass_alone(join, JOIN_B, error);
}

/* The unused record of this side: 1 when it makes a pair, 0 when it waits, −1 on error. */
static int place(StreamJoin *join, JoinSide side, Record *pair, Error *error) {
    Side *here = &join->sides[side], *there = &join->sides[other(side)];
    Entry *entry = &join->entries[here->entry];
    here->unused = false;
    pair[side] = here->record;
    if (entry->waits) {
        entry->waits = false;
        there->unmatched--;
        if (there->entry == here->entry) there->waits = false;
        return record_spill_get(join->spill, entry->place, &pair[other(side)], error) ? 1 : -1;
    }
    if (there->unused && there->entry == here->entry) {
        there->unused = false;
        pair[other(side)] = there->record;
        return 1;
    }
    here->waits = true;
    here->unmatched++;
    if (there->ended) return 0; /* nothing will come for it */
    entry->waits = true;
    return record_spill_put(join->spill, &here->record, &entry->place, error) ? 0 : -1;
}

StreamStatus stream_join_next(StreamJoin *join, Record *a, Record *b, Error *error) {
    for (;;) {
        Record pair[JOIN_SIDES];
        for (JoinSide side = JOIN_A; side < JOIN_SIDES; side++) {
            const int placed = join->sides[side].unused ? place(join, side, pair, error) : 0;
            if (placed < 0) return STREAM_ERROR;
            if (!placed) continue;
            *a = pair[JOIN_A];
            *b = pair[JOIN_B];
            return STREAM_RECORD;
        }
        if (join->sides[JOIN_A].ended && join->sides[JOIN_B].ended) return STREAM_END;
        if (!read_more(join, error)) return STREAM_ERROR;
    }
}

uint64_t stream_join_unmatched(const StreamJoin *join, JoinSide side) {
    return join->sides[side].unmatched;
}

const char *stream_join_first_unmatched(const StreamJoin *join, JoinSide side) {
    for (size_t i = 0; i < name_table_count(join->keys); i++)
        if (join->entries[i].numbers[side] && !join->entries[i].numbers[other(side)])
            return name_table_name(join->keys, i, NULL);
    return NULL;
}
