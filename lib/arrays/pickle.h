/* Reads Python pickles of protocols 2 to 5 and executes nothing: a global is a name, a call and an instance
 * are objects that remember what would have been called. What they mean is the caller's to say. */
#ifndef ARRAYS_PICKLE_H
#define ARRAYS_PICKLE_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

typedef enum PickleKind {
    PICKLE_NONE,
    PICKLE_BOOL,       /* integer */
    PICKLE_INTEGER,    /* integer */
    PICKLE_LONG,       /* an integer beyond 64 bits: text holds it, little-endian, two's complement */
    PICKLE_FLOAT,      /* real */
    PICKLE_STRING,     /* text, UTF-8 */
    PICKLE_BYTES,      /* text */
    PICKLE_LIST,       /* items */
    PICKLE_TUPLE,      /* items */
    PICKLE_SET,        /* items */
    PICKLE_DICT,       /* items: key, value, key, value, … */
    PICKLE_GLOBAL,     /* text: "module.name" */
    PICKLE_OBJECT,     /* object: what calling a global gave, or an instance of a class */
    PICKLE_PERSISTENT, /* persistent: an object that lies outside of the pickle, known by this value */
} PickleKind;

typedef struct PickleValue PickleValue;
typedef struct PickleObject PickleObject;

struct PickleValue {
    PickleKind kind;
    union {
        int64_t integer;
        double real;
        struct {
            const char *bytes; /* mostly in the pickle itself; no NUL behind them */
            size_t size;
        } text;
        struct {
            PickleValue **values;
            uint32_t count, capacity;
        } items;
        PickleObject *object;
        PickleValue *persistent;
    };
};

struct PickleObject {
    const PickleValue *callee;    /* mostly a global */
    const PickleValue *arguments; /* a tuple */
    const PickleValue *state;     /* what BUILD set, or NULL */
    PickleValue list;             /* appended items */
    PickleValue dict;             /* items that were set */
};

typedef struct Pickle Pickle;

/* Parses one pickle at the beginning of `bytes`, which must outlive it. *used (may be NULL) becomes its size.
 * Memory is bounded by the size of the pickle. */
Pickle *pickle_parse(const unsigned char *bytes, size_t size, size_t *used, Error *error);
void pickle_free(Pickle *pickle);
const PickleValue *pickle_root(const Pickle *pickle);

/* Calls `visit` with every PICKLE_PERSISTENT of the pickle, in its order. */
void pickle_each_persistent(const Pickle *pickle, void (*visit)(const PickleValue *value, void *context),
                            void *context);

bool pickle_is_text(const PickleValue *value, const char *text);
bool pickle_is_global(const PickleValue *value, const char *name);

/* For messages: the "module.name" that was called to make the value, or what kind of value it is. */
enum { PICKLE_TEXT = 80 };
const char *pickle_describe(const PickleValue *value, char text[PICKLE_TEXT]);

/* The value under a string key of a dict (of an object: of its items), or NULL; the last one if it stands
 * there often. */
const PickleValue *pickle_get(const PickleValue *dict, const char *key);

/* The items of a dict, list or tuple; of an object, the items that were set. */
size_t pickle_count(const PickleValue *value);
const PickleValue *pickle_item(const PickleValue *value, size_t index);

#endif
