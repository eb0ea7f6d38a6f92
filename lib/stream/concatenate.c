#include "stream/concatenate.h"

#include "core/file.h"
#include "core/memory.h"
#include "core/name_table.h"
#include "core/progress.h"
#include "stream/content_hash.h"
#include "stream/key_search.h"
#include "stream/model_header.h"
#include "stream/reader.h"
#include "stream/writer.h"

#include <stdio.h>
#include <string.h>

/* What is being written, from all files. */
typedef struct Output {
    const Concatenation *request;
    StreamReader **readers; /* one a file; NULL before its turn and after it */
    bool is_model;
    json_t *header; /* of the output */
    StreamWriter *writer;
    json_t *content;  /* of the files read so far */
    NameTable *known; /* the tensors of a model or an encoder */
    uint64_t seen, kept;
    Progress progress;
} Output;

/* A selection or a share, or a model from several files, is something new, and says from what it was made. */
static bool is_new(const Output *output) {
    return output->request->globs || output->request->shard.count ||
           (output->is_model && output->request->count > 1);
}

/* The parts of a model are inputs of their own; other files are together one. */
static void role_of_file(const Output *output, int i, char role[32]) {
    if (output->is_model && output->request->count > 1)
        snprintf(role, 32, "part-%d", i + 1);
    else
        snprintf(role, 32, "stream");
}

static bool need_reader(Output *output, int i, Error *error) {
    if (!output->readers[i]) output->readers[i] = stream_reader_open(output->request->names[i], error);
    return output->readers[i];
}

static bool check_header(Output *output, int i, Error *error) {
    const json_t *header = stream_reader_header(output->readers[i]);
    const char *first = file_display_name(output->request->names[0]),
               *name = file_display_name(output->request->names[i]);
    if (!output->is_model) {
        char differences[HEADER_DIFFERENCES_TEXT];
        header_differences(output->header, header, differences);
        return !*differences || error_set(error, "%s and %s cannot be joined: %s", first, name, differences);
    }
    Error reason;
    if (model_header_merge(output->header, header, &reason)) return true;
    return error_set(error, "%s and %s are parts of models that do not fit together: %s", first, name,
                     reason.message);
}

/* The headers of all parts of a model must be known before its own is written. */
static bool make_header(Output *output, Error *error) {
    if (!need_reader(output, 0, error)) return false;
    const json_t *header = stream_reader_header(output->readers[0]);
    const char *kind = json_string_value(json_object_get(header, "kind"));
    output->header = json_deep_copy(header);
    output->is_model = !strcmp(kind, "model");
    if (output->is_model || !strcmp(kind, "encoder")) output->known = name_table_create();
    if (output->is_model)
        for (int i = 1; i < output->request->count; i++)
            if (!need_reader(output, i, error) || !check_header(output, i, error)) return false;
    if (!is_new(output)) return true;
    header_sign(output->header, output->request->tool, json_incref(output->request->options));
    for (int i = 0; i < (output->is_model ? output->request->count : 1); i++) {
        char role[32];
        role_of_file(output, i, role);
        header_add_input(output->header, role, stream_reader_header(output->readers[i]));
    }
    return true;
}

static bool copy_record(Output *output, const Record *record, Error *error) {
    bool is_first = true;
    if (output->known) name_table_add(output->known, record->key, record->key_size, &is_first);
    if (!is_first) {
        char where[RECORD_WHERE_TEXT];
        record_where(record, where);
        return error_set(error, "%s: a tensor of this name came before; choose one by --select", where);
    }
    output->kept++;
    return stream_writer_put(output->writer, record, error);
}

/* Takes the content of a file that was read to its end. */
static void take_content(Output *output, int i) {
    json_t *content = stream_reader_content(output->readers[i]);
    if (output->is_model && output->request->count > 1) {
        char role[32];
        role_of_file(output, i, role);
        stream_writer_add_content(output->writer, role, content);
    } else {
        output->content = content_extend(output->content, content);
    }
}

static bool copy_all(Output *output, StreamReader *reader, Error *error) {
    Record record;
    StreamStatus status;
    while ((status = stream_reader_next(reader, &record, error)) == STREAM_RECORD) {
        output->seen++;
        if (key_matches(output->request->globs, &record) && !copy_record(output, &record, error))
            return false;
        progress_update(&output->progress, output->seen);
    }
    return status == STREAM_END;
}

/* Only the records that an index finds. */
static bool copy_found(Output *output, StreamReader *reader, const KeySearch *found, Error *error) {
    Record record;
    for (size_t i = 0; i < found->count; i++) {
        if (!stream_reader_seek(reader, found->numbers[i], 1, error) ||
            stream_reader_next(reader, &record, error) != STREAM_RECORD)
            return false;
        if (key_matches(output->request->globs, &record) && !copy_record(output, &record, error))
            return false;
    }
    output->seen += stream_reader_index(reader)->records;
    return true;
}

static bool copy_records(Output *output, StreamReader *reader, Error *error) {
    KeySearch found = {0};
    if (output->request->shard.count)
        return stream_reader_take_shard(reader, &output->request->shard, error) &&
               copy_all(output, reader, error);
    if (!key_search(&found, reader, output->request->globs, error)) return false;
    const bool fine =
        found.by_index ? copy_found(output, reader, &found, error) : copy_all(output, reader, error);
    free(found.numbers);
    return fine;
}

static bool copy_file(Output *output, int i, Error *error) {
    if (!need_reader(output, i, error)) return false;
    if (!output->is_model && i && !check_header(output, i, error)) return false;
    if (!copy_records(output, output->readers[i], error)) return false;
    take_content(output, i);
    stream_reader_close(output->readers[i]);
    output->readers[i] = NULL;
    return true;
}

static void add_contents(Output *output) {
    if (!output->content) return;
    if (is_new(output)) {
        stream_writer_add_content(output->writer, "stream", json_incref(output->content));
        return;
    }
    const char *role;
    json_t *content;
    json_object_foreach(json_object_get(output->content, "inputs"), role, content)
        stream_writer_add_content(output->writer, role, json_incref(content));
}

static bool write_output(Output *output, Error *error) {
    if (!make_header(output, error)) return false;
    output->writer = stream_writer_open(output->request->output, output->header, error);
    if (!output->writer) return false;
    stream_writer_set_level(output->writer, output->request->level);
    progress_start(&output->progress, "records", 0);
    bool fine = true;
    for (int i = 0; fine && i < output->request->count; i++)
        fine = copy_file(output, i, error);
    progress_finish(&output->progress);
    if (!fine) {
        stream_writer_abandon(output->writer);
        return false;
    }
    add_contents(output);
    return stream_writer_close(output->writer, error);
}

bool stream_concatenate(const Concatenation *request, RecordCounts *counts, Error *error) {
    Output output = {.request = request};
    output.readers = memory_need((size_t)request->count, sizeof *output.readers);
    const bool fine = write_output(&output, error);
    *counts = (RecordCounts){output.seen, output.kept};
    for (int i = 0; i < request->count; i++)
        stream_reader_close(output.readers[i]);
    free(output.readers);
    json_decref(output.header);
    json_decref(output.content);
    name_table_destroy(output.known);
    return fine;
}
