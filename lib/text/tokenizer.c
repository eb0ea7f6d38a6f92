#include "text/tokenizer.h"

#include "core/file.h"
#include "core/json_file.h"
#include "core/memory.h"
#include "text/tokenizer_kind.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* In the order in which their files are looked for in a folder. The first reads files of every other name. */
static const TokenizerKind *const kinds[] = {
    &sentencepiece_tokenizer,
    &wordpiece_tokenizer,
    &byte_bpe_tokenizer,
    &bytes_tokenizer,
};
enum { KINDS = sizeof kinds / sizeof *kinds };

void token_ids_append(TokenIds *ids, int32_t id) {
    ids->ids = memory_grow(ids->ids, &ids->capacity, ids->count + 1, sizeof *ids->ids);
    ids->ids[ids->count++] = id;
}

unsigned char *tokenizer_read_file(const char *path, size_t *size, ContentHash *hash, Error *error) {
    unsigned char *bytes = file_read(path, TOKENIZER_MAX_FILE, size, error);
    if (bytes) content_hash_update(hash, bytes, *size);
    return bytes;
}

json_t *tokenizer_read_json(const char *path, ContentHash *hash, Error *error) {
    size_t size;
    unsigned char *bytes = tokenizer_read_file(path, &size, hash, error);
    json_t *object = bytes ? json_object_parse(path, bytes, size, error) : NULL;
    free(bytes);
    return object;
}

char *tokenizer_sibling(const char *path, const char *name) {
    const char *slash = strrchr(path, '/');
    char *sibling = memory_format("%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, name);
    return sibling;
}

static void describe(Tokenizer *tokenizer, const ContentHash *hash) {
    char text[CONTENT_HASH_TEXT];
    content_hash_text(hash, text);
    const bool of_files = tokenizer->kind->file;
    tokenizer->description =
        memory_format("%s%s%s", tokenizer->kind->name, of_files ? " " : "", of_files ? text : "");
}

static Tokenizer *open_kind(const TokenizerKind *kind, const char *path, Error *error) {
    Tokenizer *tokenizer = memory_need(1, sizeof *tokenizer);
    ContentHash *hash = content_hash_create();
    tokenizer->kind = kind;
    if (kind->open(tokenizer, path, hash, error)) {
        describe(tokenizer, hash);
    } else {
        tokenizer_close(tokenizer);
        tokenizer = NULL;
    }
    content_hash_destroy(hash);
    return tokenizer;
}

Tokenizer *tokenizer_open_file(const char *path, Error *error) {
    const size_t length = strlen(path);
    for (int i = 0; i < KINDS; i++) {
        const size_t suffix = kinds[i]->suffix ? strlen(kinds[i]->suffix) : 0;
        if (suffix && length >= suffix && !strcmp(path + length - suffix, kinds[i]->suffix))
            return open_kind(kinds[i], path, error);
    }
    return open_kind(kinds[0], path, error);
}

Tokenizer *tokenizer_open_folder(const char *folder, Error *error) {
    for (int i = 0; i < KINDS; i++) {
        char *path;
        if (!kinds[i]->file) continue;
        path = memory_format("%s/%s", folder, kinds[i]->file);
        const bool there = !access(path, F_OK);
        Tokenizer *tokenizer = there ? open_kind(kinds[i], path, error) : NULL;
        free(path);
        if (there) return tokenizer;
    }
    error_set(error, "%s: no tokenizer here: none of sentencepiece.bpe.model, vocab.txt, vocab.json", folder);
    return NULL;
}

Tokenizer *tokenizer_open_bytes(void) {
    Error error;
    return open_kind(&bytes_tokenizer, NULL, &error);
}

void tokenizer_close(Tokenizer *tokenizer) {
    if (!tokenizer) return;
    if (tokenizer->state) tokenizer->kind->close(tokenizer->state);
    free(tokenizer->description);
    free(tokenizer);
}

const char *tokenizer_description(const Tokenizer *tokenizer) {
    return tokenizer->description;
}

bool tokenizer_keeps_case(const Tokenizer *tokenizer) {
    return tokenizer->keeps_case;
}

bool tokenizer_is_meant_for(const Tokenizer *tokenizer, const char *model_type, const char *tokenizer_class) {
    const TokenizerKind *kind = tokenizer->kind;
    const size_t length = kind->tokenizer_class ? strlen(kind->tokenizer_class) : 0;
    /* The fast tokenizer is called so with "Fast" behind it. */
    if (length && tokenizer_class && !strncmp(tokenizer_class, kind->tokenizer_class, length)) return true;
    for (int i = 0; kind->model_types && kind->model_types[i]; i++)
        if (!strcmp(kind->model_types[i], model_type)) return true;
    return !kind->model_types;
}

const char *tokenizer_file(const Tokenizer *tokenizer) {
    return tokenizer->kind->file;
}

int64_t tokenizer_vocabulary_size(const Tokenizer *tokenizer) {
    return tokenizer->vocabulary_size;
}

/* The first special token in the text, which then begins at text[*at]; NULL when there is none. */
static const SpecialToken *find_special(const Tokenizer *tokenizer, const char *text, size_t size,
                                        size_t *at) {
    const SpecialToken *found = NULL;
    for (int i = 0; i < TOKENIZER_MAX_SPECIALS && tokenizer->specials[i].text; i++) {
        const char *special = tokenizer->specials[i].text;
        const char *place = memmem(text, size, special, strlen(special));
        if (!place || (found && (size_t)(place - text) >= *at)) continue;
        found = &tokenizer->specials[i];
        *at = (size_t)(place - text);
    }
    return found;
}

/* The ids of a text in which special tokens are parsed: each part between them is a text of its own. */
static bool encode_parts(const Tokenizer *tokenizer, const char *text, size_t size, size_t limit,
                         TokenIds *ids, Error *error) {
    while (size && ids->count < limit) {
        size_t before = size;
        const SpecialToken *special = find_special(tokenizer, text, size, &before);
        size_t part = before;
        while (special && special->takes_spaces && part && strchr(" \t\n\v\f\r", text[part - 1]))
            part--;
        if (part && !tokenizer->kind->encode(tokenizer->state, text, part, limit, ids, error)) return false;
        if (!special) break;
        token_ids_append(ids, special->id);
        text += before + strlen(special->text);
        size -= before + strlen(special->text);
    }
    return true;
}

bool tokenizer_encode(const Tokenizer *tokenizer, const char *text, size_t size, size_t max_tokens,
                      bool parse_special, TokenIds *ids, bool *cut, Error *error) {
    const size_t most = max_tokens - 1; /* the first special token and the text's own */
    ids->count = 0;
    token_ids_append(ids, tokenizer->first);
    const bool fine = parse_special
                          ? encode_parts(tokenizer, text, size, most + 1, ids, error)
                          : tokenizer->kind->encode(tokenizer->state, text, size, most + 1, ids, error);
    if (!fine) return false;
    *cut = ids->count > most;
    if (*cut) ids->count = most;
    token_ids_append(ids, tokenizer->last);
    return true;
}
