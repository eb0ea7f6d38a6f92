#include "arrays/pickle.h"

#include "core/arena.h"
#include "core/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Values are small and many, so they are taken from the arena by the block. */
enum { BLOCK = 512, MAX_VALUES = 1 << 22 };

struct Pickle {
    Arena *arena;
    PickleValue *root;
    PickleValue *block;
    size_t block_used, value_count;
    PickleValue **persistent;
    size_t persistent_count, persistent_capacity;
};

typedef struct Parser {
    Pickle *pickle;
    const unsigned char *start, *at, *end;
    Error *error;
    PickleValue **stack;
    size_t depth, stack_capacity;
    size_t *marks; /* depths of the stack */
    size_t mark_count, mark_capacity;
    PickleValue **memo;
    size_t memo_count, memo_capacity;
} Parser;

static PickleValue none = {.kind = PICKLE_NONE};
static PickleValue truths[2] = {{.kind = PICKLE_BOOL, .integer = 0}, {.kind = PICKLE_BOOL, .integer = 1}};

#define FAIL(parser, ...)                                                                                    \
    do {                                                                                                     \
        error_set((parser)->error, __VA_ARGS__);                                                             \
        return false;                                                                                        \
    } while (0)

static bool create(Parser *parser, PickleKind kind, PickleValue **value) {
    Pickle *pickle = parser->pickle;
    if (++pickle->value_count > MAX_VALUES) FAIL(parser, "the pickle holds more than %d values", MAX_VALUES);
    if (!pickle->block || pickle->block_used == BLOCK) {
        pickle->block = arena_take_zeroed(pickle->arena, BLOCK, sizeof *pickle->block);
        pickle->block_used = 0;
    }
    *value = &pickle->block[pickle->block_used++];
    (*value)->kind = kind;
    return true;
}

static bool push(Parser *parser, PickleValue *value) {
    parser->stack =
        memory_grow(parser->stack, &parser->stack_capacity, parser->depth + 1, sizeof *parser->stack);
    parser->stack[parser->depth++] = value;
    return true;
}

/* How many values lie above the last mark. */
static size_t available(const Parser *parser) {
    return parser->depth - (parser->mark_count ? parser->marks[parser->mark_count - 1] : 0);
}

static bool pop(Parser *parser, PickleValue **value) {
    if (available(parser) == 0) FAIL(parser, "the pickle takes a value from an empty stack");
    *value = parser->stack[--parser->depth];
    return true;
}

static bool top(Parser *parser, PickleValue **value) {
    if (available(parser) == 0) FAIL(parser, "the pickle needs a value on an empty stack");
    *value = parser->stack[parser->depth - 1];
    return true;
}

static bool mark(Parser *parser) {
    parser->marks =
        memory_grow(parser->marks, &parser->mark_capacity, parser->mark_count + 1, sizeof *parser->marks);
    parser->marks[parser->mark_count++] = parser->depth;
    return true;
}

/* Takes the values above the last mark, and the mark. They stay readable until the next push. */
static bool pop_mark(Parser *parser, PickleValue ***values, size_t *count) {
    if (!parser->mark_count) FAIL(parser, "the pickle goes back to a mark that is not there");
    const size_t depth = parser->marks[--parser->mark_count];
    *values = parser->stack + depth;
    *count = parser->depth - depth;
    parser->depth = depth;
    return true;
}

/* The next `size` bytes of the pickle. */
static bool take(Parser *parser, uint64_t size, const unsigned char **bytes) {
    const size_t left = (size_t)(parser->end - parser->at);
    if (size > left) FAIL(parser, "the pickle wants %" PRIu64 " bytes where %zu are left", size, left);
    *bytes = parser->at;
    parser->at += size;
    return true;
}

static bool take_number(Parser *parser, size_t size, uint64_t *number) {
    const unsigned char *bytes;
    if (!take(parser, size, &bytes)) return false;
    *number = 0;
    memcpy(number, bytes, size);
    return true;
}

static bool take_line(Parser *parser, const char **line, size_t *size) {
    const unsigned char *end = memchr(parser->at, '\n', (size_t)(parser->end - parser->at));
    if (!end) FAIL(parser, "the pickle ends inside a name");
    *line = (const char *)parser->at;
    *size = (size_t)(end - parser->at);
    parser->at = end + 1;
    return true;
}

static bool push_integer(Parser *parser, int64_t number) {
    PickleValue *value;
    if (!create(parser, PICKLE_INTEGER, &value)) return false;
    value->integer = number;
    return push(parser, value);
}

static bool push_text(Parser *parser, PickleKind kind, size_t length_size) {
    uint64_t size;
    const unsigned char *bytes;
    PickleValue *value;
    if (!take_number(parser, length_size, &size) || !take(parser, size, &bytes) ||
        !create(parser, kind, &value))
        return false;
    value->text.bytes = (const char *)bytes;
    value->text.size = (size_t)size;
    return push(parser, value);
}

/* An integer of any length, little-endian in two's complement. */
static bool push_long(Parser *parser, size_t length_size) {
    if (!push_text(parser, PICKLE_LONG, length_size)) return false;
    PickleValue *value = parser->stack[parser->depth - 1];
    const size_t size = value->text.size;
    const unsigned char *bytes = (const unsigned char *)value->text.bytes;
    if (size > sizeof(int64_t)) return true;
    uint64_t number = size && bytes[size - 1] & 0x80 ? UINT64_MAX : 0;
    memcpy(&number, bytes, size);
    value->kind = PICKLE_INTEGER;
    value->integer = (int64_t)number;
    return true;
}

static bool push_float(Parser *parser) {
    uint64_t bits;
    PickleValue *value;
    if (!take_number(parser, 8, &bits) || !create(parser, PICKLE_FLOAT, &value)) return false;
    bits = __builtin_bswap64(bits);
    memcpy(&value->real, &bits, sizeof bits);
    return push(parser, value);
}

static bool push_fixed_integer(Parser *parser, size_t size) {
    uint64_t number;
    if (!take_number(parser, size, &number)) return false;
    return push_integer(parser, size == 4 ? (int32_t)(uint32_t)number : (int64_t)number);
}

static bool append(Parser *parser, PickleValue *to, PickleValue *const *values, size_t count) {
    const size_t needed = to->items.count + count;
    if (needed > to->items.capacity) {
        size_t capacity = to->items.capacity ? 2 * (size_t)to->items.capacity : 4;
        if (capacity < needed) capacity = needed;
        if (capacity > UINT32_MAX) FAIL(parser, "the pickle holds more than 2^32 values");
        PickleValue **grown = arena_take(parser->pickle->arena, capacity, sizeof *grown);
        if (to->items.count) memcpy(grown, to->items.values, to->items.count * sizeof *grown);
        to->items.values = grown;
        to->items.capacity = (uint32_t)capacity;
    }
    if (count) memcpy(to->items.values + to->items.count, values, count * sizeof *values);
    to->items.count = (uint32_t)needed;
    return true;
}

static bool push_container(Parser *parser, PickleKind kind, PickleValue *const *values, size_t count) {
    PickleValue *value;
    if (kind == PICKLE_DICT && count % 2) FAIL(parser, "the pickle has a key without a value");
    return create(parser, kind, &value) && append(parser, value, values, count) && push(parser, value);
}

static bool push_marked(Parser *parser, PickleKind kind) {
    PickleValue **values;
    size_t count;
    return pop_mark(parser, &values, &count) && push_container(parser, kind, values, count);
}

static bool push_tuple(Parser *parser, size_t count) {
    if (available(parser) < count) FAIL(parser, "the pickle takes a value from an empty stack");
    parser->depth -= count;
    return push_container(parser, PICKLE_TUPLE, parser->stack + parser->depth, count);
}

/* Where items of this kind are added to a container or to an object that behaves like one. */
static bool add_items(Parser *parser, PickleKind kind, PickleValue *const *values, size_t count) {
    PickleValue *to;
    if (!top(parser, &to)) return false;
    if (to->kind == PICKLE_OBJECT) to = kind == PICKLE_DICT ? &to->object->dict : &to->object->list;
    if (to->kind != kind) FAIL(parser, "the pickle adds an item to something that holds none");
    if (kind == PICKLE_DICT && count % 2) FAIL(parser, "the pickle has a key without a value");
    return append(parser, to, values, count);
}

static bool add_marked(Parser *parser, PickleKind kind) {
    PickleValue **values;
    size_t count;
    return pop_mark(parser, &values, &count) && add_items(parser, kind, values, count);
}

static bool add_last(Parser *parser, PickleKind kind, size_t count) {
    if (available(parser) <= count) FAIL(parser, "the pickle takes a value from an empty stack");
    parser->depth -= count;
    return add_items(parser, kind, parser->stack + parser->depth, count);
}

static bool push_global(Parser *parser, const char *module, size_t module_size, const char *name,
                        size_t name_size) {
    enum { LIMIT = 256 };
    PickleValue *value;
    const size_t size = module_size + 1 + name_size;
    if (size > LIMIT || !module_size || !name_size) FAIL(parser, "the pickle names an impossible global");
    char *text = arena_take(parser->pickle->arena, size, 1);
    memcpy(text, module, module_size);
    text[module_size] = '.';
    memcpy(text + module_size + 1, name, name_size);
    if (!create(parser, PICKLE_GLOBAL, &value)) return false;
    value->text.bytes = text;
    value->text.size = size;
    return push(parser, value);
}

static bool global_of_lines(Parser *parser) {
    const char *module, *name;
    size_t module_size, name_size;
    return take_line(parser, &module, &module_size) && take_line(parser, &name, &name_size) &&
           push_global(parser, module, module_size, name, name_size);
}

static bool global_of_stack(Parser *parser) {
    PickleValue *name, *module;
    if (!pop(parser, &name) || !pop(parser, &module)) return false;
    if (name->kind != PICKLE_STRING || module->kind != PICKLE_STRING)
        FAIL(parser, "the pickle names a global by something other than strings");
    return push_global(parser, module->text.bytes, module->text.size, name->text.bytes, name->text.size);
}

/* A call, or an instance of a class: both only remember. */
static bool push_object(Parser *parser, bool keywords) {
    PickleValue *callee, *arguments, *named, *value;
    if ((keywords && !pop(parser, &named)) || !pop(parser, &arguments) || !pop(parser, &callee)) return false;
    if (arguments->kind != PICKLE_TUPLE) FAIL(parser, "the pickle calls something without arguments");
    if (!create(parser, PICKLE_OBJECT, &value)) return false;
    value->object = arena_take_zeroed(parser->pickle->arena, 1, sizeof *value->object);
    *value->object = (PickleObject){
        .callee = callee, .arguments = arguments, .list.kind = PICKLE_LIST, .dict.kind = PICKLE_DICT};
    return push(parser, value);
}

static bool build(Parser *parser) {
    PickleValue *state, *value;
    if (!pop(parser, &state) || !top(parser, &value)) return false;
    if (value->kind == PICKLE_OBJECT) value->object->state = state;
    return true;
}

static bool push_persistent(Parser *parser) {
    PickleValue *id, *value;
    if (!pop(parser, &id) || !create(parser, PICKLE_PERSISTENT, &value)) return false;
    value->persistent = id;
    Pickle *pickle = parser->pickle;
    pickle->persistent = memory_grow(pickle->persistent, &pickle->persistent_capacity,
                                     pickle->persistent_count + 1, sizeof *pickle->persistent);
    pickle->persistent[pickle->persistent_count++] = value;
    return push(parser, value);
}

static bool memo_put(Parser *parser, uint64_t slot) {
    PickleValue *value;
    if (!top(parser, &value)) return false;
    /* Picklers number the slots from 0, each taking at least a byte of the pickle. */
    if (slot >= (uint64_t)(parser->at - parser->start))
        FAIL(parser, "the pickle numbers a value %" PRIu64 ", far beyond their count", slot);
    if (slot >= parser->memo_count) {
        parser->memo =
            memory_grow(parser->memo, &parser->memo_capacity, (size_t)slot + 1, sizeof *parser->memo);
        for (size_t i = parser->memo_count; i <= slot; i++)
            parser->memo[i] = NULL;
        parser->memo_count = (size_t)slot + 1;
    }
    parser->memo[slot] = value;
    return true;
}

static bool memo_get(Parser *parser, uint64_t slot) {
    if (slot >= parser->memo_count || !parser->memo[slot])
        FAIL(parser, "the pickle goes back to value %" PRIu64 ", which it never numbered", slot);
    return push(parser, parser->memo[slot]);
}

static bool memo_command(Parser *parser, size_t slot_size, bool (*command)(Parser *, uint64_t)) {
    uint64_t slot;
    return take_number(parser, slot_size, &slot) && command(parser, slot);
}

static bool skip(Parser *parser, size_t size) {
    const unsigned char *bytes;
    return take(parser, size, &bytes);
}

static bool pop_one(Parser *parser) {
    PickleValue *value;
    PickleValue **values;
    size_t count;
    if (available(parser) == 0 && parser->mark_count) return pop_mark(parser, &values, &count);
    return pop(parser, &value);
}

static bool duplicate(Parser *parser) {
    PickleValue *value;
    return top(parser, &value) && push(parser, value);
}

static bool pop_to_mark(Parser *parser) {
    PickleValue **values;
    size_t count;
    return pop_mark(parser, &values, &count);
}

/* Opcodes that bring a plain value (names as in Python's pickletools). */
static bool run_value(Parser *parser, unsigned char opcode, bool *known) {
    switch (opcode) {
    case 'N': /* NONE */
        return push(parser, &none);
    case 0x88: /* NEWTRUE */
    case 0x89: /* NEWFALSE */
        return push(parser, &truths[opcode == 0x88]);
    case 'J': /* BININT */
        return push_fixed_integer(parser, 4);
    case 'K': /* BININT1 */
        return push_fixed_integer(parser, 1);
    case 'M': /* BININT2 */
        return push_fixed_integer(parser, 2);
    case 0x8a: /* LONG1 */
        return push_long(parser, 1);
    case 0x8b: /* LONG4 */
        return push_long(parser, 4);
    case 'G': /* BINFLOAT */
        return push_float(parser);
    case 0x8c: /* SHORT_BINUNICODE */
        return push_text(parser, PICKLE_STRING, 1);
    case 'X': /* BINUNICODE */
        return push_text(parser, PICKLE_STRING, 4);
    case 0x8d: /* BINUNICODE8 */
        return push_text(parser, PICKLE_STRING, 8);
    case 'C': /* SHORT_BINBYTES */
    case 'U': /* SHORT_BINSTRING, of Python 2 */
        return push_text(parser, PICKLE_BYTES, 1);
    case 'B': /* BINBYTES */
    case 'T': /* BINSTRING */
        return push_text(parser, PICKLE_BYTES, 4);
    case 0x8e: /* BINBYTES8 */
    case 0x96: /* BYTEARRAY8 */
        return push_text(parser, PICKLE_BYTES, 8);
    default:
        *known = false;
        return true;
    }
}

/* Opcodes that make containers and fill them. */
static bool run_container(Parser *parser, unsigned char opcode, bool *known) {
    switch (opcode) {
    case ']': /* EMPTY_LIST */
        return push_container(parser, PICKLE_LIST, NULL, 0);
    case '}': /* EMPTY_DICT */
        return push_container(parser, PICKLE_DICT, NULL, 0);
    case 0x8f: /* EMPTY_SET */
        return push_container(parser, PICKLE_SET, NULL, 0);
    case ')': /* EMPTY_TUPLE */
        return push_tuple(parser, 0);
    case 0x85: /* TUPLE1 */
    case 0x86: /* TUPLE2 */
    case 0x87: /* TUPLE3 */
        return push_tuple(parser, opcode - 0x84u);
    case 't': /* TUPLE */
        return push_marked(parser, PICKLE_TUPLE);
    case 'l': /* LIST */
        return push_marked(parser, PICKLE_LIST);
    case 'd': /* DICT */
        return push_marked(parser, PICKLE_DICT);
    case 0x91: /* FROZENSET */
        return push_marked(parser, PICKLE_SET);
    case 'a': /* APPEND */
        return add_last(parser, PICKLE_LIST, 1);
    case 'e': /* APPENDS */
        return add_marked(parser, PICKLE_LIST);
    case 's': /* SETITEM */
        return add_last(parser, PICKLE_DICT, 2);
    case 'u': /* SETITEMS */
        return add_marked(parser, PICKLE_DICT);
    case 0x90: /* ADDITEMS */
        return add_marked(parser, PICKLE_SET);
    default:
        *known = false;
        return true;
    }
}

/* The others: globals, objects, the memo and the stack. */
static bool run_machine(Parser *parser, unsigned char opcode, bool *known) {
    switch (opcode) {
    case 'c': /* GLOBAL */
        return global_of_lines(parser);
    case 0x93: /* STACK_GLOBAL */
        return global_of_stack(parser);
    case 'R':  /* REDUCE */
    case 0x81: /* NEWOBJ */
        return push_object(parser, false);
    case 0x92: /* NEWOBJ_EX */
        return push_object(parser, true);
    case 'b': /* BUILD */
        return build(parser);
    case 'Q': /* BINPERSID */
        return push_persistent(parser);
    case 'q': /* BINPUT */
        return memo_command(parser, 1, memo_put);
    case 'r': /* LONG_BINPUT */
        return memo_command(parser, 4, memo_put);
    case 0x94: /* MEMOIZE */
        return memo_put(parser, parser->memo_count);
    case 'h': /* BINGET */
        return memo_command(parser, 1, memo_get);
    case 'j': /* LONG_BINGET */
        return memo_command(parser, 4, memo_get);
    case '(': /* MARK */
        return mark(parser);
    case '0': /* POP */
        return pop_one(parser);
    case '1': /* POP_MARK */
        return pop_to_mark(parser);
    case '2': /* DUP */
        return duplicate(parser);
    case 0x98: /* READONLY_BUFFER: of the value on top, which stays */
        return true;
    case 0x97: /* NEXT_BUFFER */
        FAIL(parser, "the pickle refers to a buffer outside of it, which only the program that wrote it has");
    case 0x95: /* FRAME: its length says nothing that is needed */
        return skip(parser, 8);
    default:
        *known = false;
        return true;
    }
}

static bool run_opcode(Parser *parser, unsigned char opcode) {
    bool (*const groups[])(Parser *, unsigned char, bool *) = {run_value, run_container, run_machine};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        bool known = true;
        if (!groups[i](parser, opcode, &known)) return false;
        if (known) return true;
    }
    FAIL(parser, "opcode 0x%02x is not one that is read here", opcode);
}

static bool run(Parser *parser) {
    const unsigned char *opcode, *protocol;
    if (!take(parser, 2, &protocol)) return false;
    if (protocol[0] != 0x80 || protocol[1] < 2 || protocol[1] > 5)
        FAIL(parser, "not a pickle of protocol 2 to 5");
    for (;;) {
        if (parser->at == parser->end) FAIL(parser, "the pickle ends without its STOP; is it cut short?");
        if (!take(parser, 1, &opcode)) return false;
        if (*opcode == '.') break;
        if (!run_opcode(parser, *opcode)) {
            return error_prefix(parser->error, "at byte %td: ", opcode - parser->start);
        }
    }
    return pop(parser, &parser->pickle->root);
}

Pickle *pickle_parse(const unsigned char *bytes, size_t size, size_t *used, Error *error) {
    Pickle *pickle = memory_need(1, sizeof *pickle);
    pickle->arena = arena_create();
    Parser parser = {.pickle = pickle, .start = bytes, .at = bytes, .end = bytes + size, .error = error};
    parser.stack =
        memory_grow(NULL, &parser.stack_capacity, 1, sizeof *parser.stack); /* to point into when empty */
    const bool fine = run(&parser);
    if (used) *used = (size_t)(parser.at - bytes);
    free(parser.stack);
    free(parser.marks);
    free(parser.memo);
    if (fine) return pickle;
    pickle_free(pickle);
    return NULL;
}

void pickle_free(Pickle *pickle) {
    if (!pickle) return;
    arena_destroy(pickle->arena);
    free(pickle->persistent);
    free(pickle);
}

const PickleValue *pickle_root(const Pickle *pickle) {
    return pickle->root;
}

void pickle_each_persistent(const Pickle *pickle, void (*visit)(const PickleValue *value, void *context),
                            void *context) {
    for (size_t i = 0; i < pickle->persistent_count; i++)
        visit(pickle->persistent[i], context);
}
