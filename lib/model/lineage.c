#include "model/lineage.h"

#include "core/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

Lineage lineage_keep(const StreamReader *reader) {
    const char *name = stream_reader_name(reader);
    return (Lineage){memory_copy_text(name, strlen(name)), json_deep_copy(stream_reader_header(reader)),
                     stream_reader_content(reader)};
}

void lineage_free(Lineage *lineage) {
    free((char *)lineage->name);
    json_decref((json_t *)lineage->header);
    json_decref((json_t *)lineage->content);
    *lineage = (Lineage){0};
}

/* The tree of {"hash", "tool", "options", "inputs"}. A new reference. */
static json_t *tree_of(const Lineage *lineage) {
    json_t *whole = header_lineage(lineage->header, lineage->content);
    json_t *tree = json_incref(json_object_get(whole, "provenance"));
    json_decref(whole);
    return tree;
}

static const char *text_of(const json_t *tree, const char *key) {
    const char *text = json_string_value(json_object_get(tree, key));
    return text ? text : "";
}

static const json_t *input_of(const json_t *tree, const char *role) {
    return json_object_get(json_object_get(tree, "inputs"), role);
}

static bool same_hash(const json_t *one, const json_t *other) {
    return *text_of(one, "hash") && !strcmp(text_of(one, "hash"), text_of(other, "hash"));
}

/* pm-cat makes nothing: a selection was made by whoever made what it selects from. */
static bool is_selection(const json_t *tree) {
    return !strcmp(text_of(tree, "tool"), "pm-cat");
}

/* The same stream before pm-cat selected from it. */
static const json_t *origin_of(const json_t *stream) {
    while (is_selection(stream) && input_of(stream, "stream"))
        stream = input_of(stream, "stream");
    return stream;
}

/* The model or the encoder that a stream was made with; NULL when it is not known. */
static const json_t *maker_of(const json_t *stream) {
    const json_t *origin = origin_of(stream), *model = input_of(origin, "model");
    const json_t *maker = model ? model : input_of(origin, "encoder");
    return *text_of(maker, "hash") ? maker : NULL;
}

/* How many blocks a stream says in its options that it has behind it; all of them where it says nothing. */
static json_int_t blocks_of(const json_t *stream) {
    const json_t *blocks = json_object_get(json_object_get(origin_of(stream), "options"), "blocks");
    return json_is_integer(blocks) && json_integer_value(blocks) >= 0 ? json_integer_value(blocks)
                                                                      : INT64_MAX;
}

/* What is asked of a model and, where pm-cat put it together, of each of its parts. */
typedef struct Question {
    const json_t *stream, *maker;
    const char *role;  /* of such streams in the training of the model */
    json_int_t blocks; /* that the stream has behind it */
    bool has_encoder;  /* the model carries such streams on with blocks of its own */
    bool comparable;   /* out: some part knows what it was trained on */
} Question;

static bool fits(const json_t *model, Question *question) {
    if (same_hash(model, question->maker)) return true;
    if (is_selection(model)) {
        const char *role;
        json_t *part;
        json_object_foreach(json_object_get(model, "inputs"), role,
                            part) if (fits(part, question)) return true;
        return false;
    }
    const json_t *trained_on = input_of(model, question->role), *maker = maker_of(trained_on);
    if (trained_on && (maker || question->has_encoder)) question->comparable = true;
    return same_hash(trained_on, question->stream) ||
           (same_hash(maker, question->maker) && question->blocks <= blocks_of(trained_on));
}

bool lineage_check_items(const Lineage *items, const Lineage *model, Error *error) {
    json_t *stream = tree_of(items), *tree = tree_of(model);
    Question question = {.stream = stream, .maker = maker_of(stream), .role = "items"};
    const bool fine = !question.maker || fits(tree, &question);
    json_decref(stream);
    json_decref(tree);
    return fine || error_set(error,
                             "%s was not made with %s: pm-fuse --model %s makes vectors that belong to it; "
                             "--any-model insists",
                             items->name, model->name, model->name);
}

bool lineage_check_hidden(const Lineage *hidden, const Lineage *model, Modality modality, Error *error) {
    const char *name = modality_name(modality);
    const json_t *blocks = json_object_get(hidden->header, "blocks");
    json_t *stream = tree_of(hidden), *tree = tree_of(model);
    char key[32];
    snprintf(key, sizeof key, "%s_encoder", name);
    Question question = {.stream = stream,
                         .maker = maker_of(stream),
                         .role = name,
                         .blocks = json_is_integer(blocks) ? json_integer_value(blocks) : INT64_MAX,
                         .has_encoder = json_is_object(json_object_get(model->header, key))};
    bool fine = !question.maker || fits(tree, &question);
    if (!fine && !input_of(origin_of(stream), "model")) fine = !question.comparable;
    json_decref(stream);
    json_decref(tree);
    return fine || error_set(error,
                             "%s was not made with %s: pm-encode-%s --model %s makes hidden states that "
                             "belong to it; --any-model insists",
                             hidden->name, model->name, name, model->name);
}

bool lineage_check_encoder(const Lineage *hidden, const Lineage *encoder, Error *error) {
    json_t *stream = tree_of(hidden), *tree = tree_of(encoder);
    const json_t *maker = maker_of(stream);
    const bool fine = !maker || same_hash(maker, tree);
    json_decref(stream);
    json_decref(tree);
    return fine || error_set(error,
                             "%s was made with another encoder than %s, whose blocks would go on from it; "
                             "make it with that one; --any-model insists",
                             hidden->name, encoder->name);
}
