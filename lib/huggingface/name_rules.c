#include "huggingface/name_rules.h"

#include "core/memory.h"

#include <stdio.h>
#include <string.h>

typedef struct Part {
    const char *text;
    size_t size;
} Part;

static const char *find_star(Part part) {
    return memchr(part.text, '*', part.size);
}

static bool has_one_star(Part part) {
    const char *star = find_star(part);
    return star && !memchr(star + 1, '*', part.size - (size_t)(star + 1 - part.text));
}

/* The new name when the rule fits, or NULL. */
static char *apply_rule(Part from, Part to, const char *name) {
    const size_t length = strlen(name);
    char *renamed;
    const char *star = find_star(from);
    const size_t head = star ? (size_t)(star - from.text) : from.size, tail = star ? from.size - head - 1 : 0;
    if (length < head + tail || memcmp(name, from.text, head)) return NULL;
    if (star && memcmp(name + length - tail, star + 1, tail)) return NULL;
    const char *middle = name + head;
    const int middle_size = (int)(length - head - tail);
    const size_t to_head = star ? (size_t)(find_star(to) - to.text) : to.size;
    const int to_tail = star ? (int)(to.size - to_head - 1) : 0;
    renamed = memory_format("%.*s%.*s%.*s", (int)to_head, to.text, middle_size, middle, to_tail,
                            star ? to.text + to_head + 1 : "");
    return renamed;
}

char *name_rules_apply(const char *rules, const char *name, Error *error) {
    for (const char *rule = rules; rule;) {
        const size_t size = strcspn(rule, ",");
        const char *equals = memchr(rule, '=', size);
        const Part from = {rule, equals ? (size_t)(equals - rule) : 0};
        const Part to = {equals ? equals + 1 : rule, equals ? size - from.size - 1 : 0};
        const bool plain = !find_star(from) && !find_star(to);
        if (!equals || !from.size || !(plain || (has_one_star(from) && has_one_star(to)))) {
            error_set(error, "--rename takes FROM=TO, both or none with one '*', not '%.*s'", (int)size,
                      rule);
            return NULL;
        }
        char *renamed = apply_rule(from, to, name);
        if (renamed) return renamed;
        rule = rule[size] ? rule + size + 1 : NULL;
    }
    return memory_copy_text(name, strlen(name));
}

size_t name_wrapper_length(const NameTable *names) {
    static const char *const wrappers[] = {"module.", "model.", "_orig_mod."};
    size_t length = 0;
    for (bool again = name_table_count(names) > 0; again;) {
        again = false;
        for (size_t w = 0; w < sizeof wrappers / sizeof *wrappers && !again; w++) {
            const size_t size = strlen(wrappers[w]);
            bool all = true;
            for (size_t i = 0; i < name_table_count(names) && all; i++) {
                const char *name = name_table_name(names, i, NULL) + length;
                all = !strncmp(name, wrappers[w], size) && name[size];
            }
            if (all) length += size;
            again = all;
        }
    }
    return length;
}

bool is_position_ids(const char *name) {
    const char *dot = strrchr(name, '.');
    return !strcmp(dot ? dot + 1 : name, "position_ids");
}
