#include "stream/join.h"

#include "core/file.h"
#include "core/memory.h"
#include "core/name_table.h"
#include "core/progress.h"
#include "stream/content_hash.h"
#include "stream/model_header.h"
#include "stream/reader.h"
#include "stream/writer.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

bool key_matches(const char *globs, const Record *record) {
    if (!globs) return true;
    if (strlen(record->key) != record->key_size) return false; /* a NUL in it */
    char *list = memory_copy_text(globs, strlen(globs)), *rest = list, *glob;
    bool matches = false;
    while (!matches && (glob = strsep(&rest, ",")))
        matches = !fnmatch(glob, record->key, FNM_EXTMATCH);
    free(list);
    return matches;
}

/* What is being written, from all files. */
typedef struct Joined {
    const JoinRequest *request;
    StreamReader **readers; /* one a file; NULL before its turn and after it */
    bool is_model;
    json_t *header; /* of the output */
    StreamWriter *writer;
    json_t *content;  /* of the files read so far */
    NameTable *known; /* the tensors of a model or an encoder */
    uint64_t seen, kept;
    Progress progress;
} Joined;

/* A selection, or a model from several files, is something new, and says from what it was made. */
static bool is_new(const Joined *joined) {
    return joined->request->globs || (joined->is_model && joined->request->count > 1);
}

/* The parts of a model are inputs of their own; other files are together one. */
static void role_of_file(const Joined *joined, int i, char role[32]) {
    if (joined->is_model && joined->request->count > 1)
        snprintf(role, 32, "part-%d", i + 1);
    else
        snprintf(role, 32, "stream");
}

static bool need_reader(Joined *joined, int i, Error *error) {
    if (!joined->readers[i]) joined->readers[i] = stream_reader_open(joined->request->names[i], error);
    return joined->readers[i];
}

static bool check_header(Joined *joined, int i, Error *error) {
    const json_t *header = stream_reader_header(joined->readers[i]);
    const char *first = file_display_name(joined->request->names[0]),
               *name = file_display_name(joined->request->names[i]);
    if (!joined->is_model) {
        char differences[HEADER_DIFFERENCES_TEXT];
        header_differences(joined->header, header, differences);
        return !*differences || error_set(error, "%s and %s cannot be joined: %s", first, name, differences);
    }
    Error reason;
    if (model_header_join(joined->header, header, &reason)) return true;
    return error_set(error, "%s and %s are parts of models that do not fit together: %s", first, name,
                     reason.message);
}

/* The headers of all parts of a model must be known before its own is written. */
static bool make_header(Joined *joined, Error *error) {
    if (!need_reader(joined, 0, error)) return false;
    const json_t *header = stream_reader_header(joined->readers[0]);
    const char *kind = json_string_value(json_object_get(header, "kind"));
    joined->header = json_deep_copy(header);
    joined->is_model = !strcmp(kind, "model");
    if (joined->is_model || !strcmp(kind, "encoder")) joined->known = name_table_create();
    if (joined->is_model)
        for (int i = 1; i < joined->request->count; i++)
            if (!need_reader(joined, i, error) || !check_header(joined, i, error)) return false;
    if (!is_new(joined)) return true;
    header_sign(joined->header, joined->request->tool, json_incref(joined->request->options));
    for (int i = 0; i < (joined->is_model ? joined->request->count : 1); i++) {
        char role[32];
        role_of_file(joined, i, role);
        header_add_input(joined->header, role, stream_reader_header(joined->readers[i]));
    }
    return true;
}

static bool copy_record(Joined *joined, const Record *record, Error *error) {
    bool is_first = true;
    if (joined->known) name_table_add(joined->known, record->key, record->key_size, &is_first);
    if (!is_first) {
        char where[RECORD_WHERE_TEXT];
        record_where(record, where);
        return error_set(error, "%s: a tensor of this name came before; choose one by --select", where);
    }
    joined->kept++;
    return stream_writer_put(joined->writer, record, error);
}

/* Takes the content of a file that was read to its end. */
static void take_content(Joined *joined, int i) {
    json_t *content = stream_reader_content(joined->readers[i]);
    if (joined->is_model && joined->request->count > 1) {
        char role[32];
        role_of_file(joined, i, role);
        stream_writer_add_content(joined->writer, role, content);
    } else if (joined->content) {
        json_t *both = content_join(joined->content, content);
        json_decref(joined->content);
        json_decref(content);
        joined->content = both;
    } else {
        joined->content = content;
    }
}

static bool copy_file(Joined *joined, int i, Error *error) {
    if (!need_reader(joined, i, error)) return false;
    if (!joined->is_model && i && !check_header(joined, i, error)) return false;
    Record record;
    StreamStatus status;
    while ((status = stream_reader_next(joined->readers[i], &record, error)) == STREAM_RECORD) {
        joined->seen++;
        if (key_matches(joined->request->globs, &record) && !copy_record(joined, &record, error))
            return false;
        progress_update(&joined->progress, joined->seen);
    }
    if (status == STREAM_ERROR) return false;
    take_content(joined, i);
    stream_reader_close(joined->readers[i]);
    joined->readers[i] = NULL;
    return true;
}

static void add_contents(Joined *joined) {
    if (!joined->content) return;
    if (is_new(joined)) {
        stream_writer_add_content(joined->writer, "stream", json_incref(joined->content));
        return;
    }
    const char *role;
    json_t *content;
    json_object_foreach(json_object_get(joined->content, "inputs"), role, content)
        stream_writer_add_content(joined->writer, role, json_incref(content));
}

static bool write_joined(Joined *joined, Error *error) {
    if (!make_header(joined, error)) return false;
    joined->writer = stream_writer_open(joined->request->output, joined->header, error);
    if (!joined->writer) return false;
    progress_start(&joined->progress, "records", 0);
    bool fine = true;
    for (int i = 0; fine && i < joined->request->count; i++)
        fine = copy_file(joined, i, error);
    progress_finish(&joined->progress);
    if (!fine) {
        stream_writer_abandon(joined->writer);
        return false;
    }
    add_contents(joined);
    return stream_writer_close(joined->writer, error);
}

bool stream_join(const JoinRequest *request, JoinCounts *counts, Error *error) {
    Joined joined = {.request = request};
    joined.readers = memory_need((size_t)request->count, sizeof *joined.readers);
    const bool fine = write_joined(&joined, error);
    *counts = (JoinCounts){joined.seen, joined.kept};
    for (int i = 0; i < request->count; i++)
        stream_reader_close(joined.readers[i]);
    free(joined.readers);
    json_decref(joined.header);
    json_decref(joined.content);
    name_table_destroy(joined.known);
    return fine;
}
