#include "core/file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/name_table.h"
#include "core/options.h"
#include "core/progress.h"
#include "stream/content_hash.h"
#include "stream/model_header.h"
#include "stream/reader.h"
#include "stream/writer.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct {
    bool header, keys, verify;
    const char *select, *output;
} arguments = {0};

static Option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = OPTION_PATH,
     .value = &arguments.output,
     .argument = "FILE",
     .help = "write the stream here"},
    {.name = "select",
     .kind = OPTION_TEXT,
     .value = &arguments.select,
     .argument = "GLOB",
     .help = "only records whose key matches; !(A|B) is all others"},
    {.name = "header",
     .kind = OPTION_FLAG,
     .value = &arguments.header,
     .unrecorded = true,
     .help = "print as JSON what it is and was made from"},
    {.name = "keys",
     .kind = OPTION_FLAG,
     .value = &arguments.keys,
     .unrecorded = true,
     .help = "print key, tensor, dtype and shape, a line a tensor"},
    {.name = "verify",
     .kind = OPTION_FLAG,
     .value = &arguments.verify,
     .unrecorded = true,
     .help = "read everything and say whether it is whole"},
    {0},
};

static Program program = {
    .name = "pm-cat",
    .usage = "[--header | --keys | --verify] [--select GLOB] [-o FILE] [FILE.pmt…]",
    .purpose =
        "Joins tensor streams of one kind, selects records from them, or looks into them. Parts of\n"
        "models become one model when their configurations agree and no tensor comes twice.",
    .example = "  pm-cat --select 'user_encoder.*' old.pmt | pm-cat - encoders.pmt -o new.pmt",
    .options = options,
};

static bool is_selected(const Record *record) {
    if (!arguments.select) return true;
    return strlen(record->key) == record->key_size && !fnmatch(arguments.select, record->key, FNM_EXTMATCH);
}

/* What is being written, from all files. */
typedef struct Joined {
    StreamReader **readers; /* one a file; NULL before its turn and after it */
    char **names;
    int count;
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
    return arguments.select || (joined->is_model && joined->count > 1);
}

/* The parts of a model are inputs of their own; other files are together one. */
static void role_of_file(const Joined *joined, int i, char role[32]) {
    if (joined->is_model && joined->count > 1)
        snprintf(role, 32, "part-%d", i + 1);
    else
        snprintf(role, 32, "stream");
}

static bool need_reader(Joined *joined, int i, Error *error) {
    if (!joined->readers[i]) joined->readers[i] = stream_reader_open(joined->names[i], error);
    return joined->readers[i];
}

static bool check_header(Joined *joined, int i, Error *error) {
    const json_t *header = stream_reader_header(joined->readers[i]);
    const char *first = file_display_name(joined->names[0]), *name = file_display_name(joined->names[i]);
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
        for (int i = 1; i < joined->count; i++)
            if (!need_reader(joined, i, error) || !check_header(joined, i, error)) return false;
    if (!is_new(joined)) return true;
    header_sign(joined->header, program.name, options_record(&program));
    for (int i = 0; i < (joined->is_model ? joined->count : 1); i++) {
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
    if (joined->is_model && joined->count > 1) {
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
        if (is_selected(&record) && !copy_record(joined, &record, error)) return false;
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
    joined->writer = stream_writer_open(arguments.output, joined->header, error);
    if (!joined->writer) return false;
    progress_start(&joined->progress, "records", 0);
    bool fine = true;
    for (int i = 0; fine && i < joined->count; i++)
        fine = copy_file(joined, i, error);
    progress_finish(&joined->progress);
    if (!fine) {
        stream_writer_abandon(joined->writer);
        return false;
    }
    add_contents(joined);
    if (!stream_writer_close(joined->writer, error)) return false;
    if (arguments.select) log_report("kept %" PRIu64 " of %" PRIu64 " records", joined->kept, joined->seen);
    return true;
}

static bool join_files(char **names, int count, Error *error) {
    Joined joined = {.names = names, .count = count};
    joined.readers = memory_need((size_t)count, sizeof *joined.readers);
    const bool fine = write_joined(&joined, error);
    for (int i = 0; i < count; i++)
        stream_reader_close(joined.readers[i]);
    free(joined.readers);
    json_decref(joined.header);
    json_decref(joined.content);
    name_table_destroy(joined.known);
    return fine;
}

/* Tabs, line ends and other control bytes as \t, \n, \xNN. */
static void print_key(const Record *record) {
    for (size_t i = 0; i < record->key_size; i++) {
        const unsigned char byte = (unsigned char)record->key[i];
        if (byte == '\t' || byte == '\n' || byte == '\\')
            printf("\\%c", byte == '\t' ? 't' : byte == '\n' ? 'n' : '\\');
        else if (byte < 0x20 || byte == 0x7f)
            printf("\\x%02x", byte);
        else
            putchar(byte);
    }
}

static void print_keys(const Record *record) {
    if (!is_selected(record)) return;
    for (size_t i = 0; i < record->count; i++) {
        const RecordTensor *tensor = &record->tensors[i];
        char text[RECORD_TENSOR_TEXT];
        record_tensor_describe(tensor, text);
        print_key(record);
        printf("\t%s\t%s\t%s\n", tensor->name, dtype_name(tensor->dtype), strchr(text, '['));
    }
    if (record->count) return;
    print_key(record);
    putchar('\n');
}

static void print_header(const StreamReader *reader) {
    json_t *content = stream_reader_content(reader);
    json_t *lineage = header_lineage(stream_reader_header(reader), content);
    json_object_set_new(lineage, "records", json_integer((json_int_t)stream_reader_count(reader)));
    json_dumpf(lineage, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(lineage);
    json_decref(content);
}

static void print_verdict(const StreamReader *reader) {
    json_t *content = stream_reader_content(reader);
    printf("%s: %s, %" PRIu64 " records, %s\n", stream_reader_name(reader),
           json_string_value(json_object_get(stream_reader_header(reader), "kind")),
           stream_reader_count(reader), json_string_value(json_object_get(content, "hash")));
    json_decref(content);
}

/* Reads to the end in any case: only there it is known that the stream is whole, and what it was made from.
 */
static bool look_into(const char *path, Error *error) {
    StreamReader *reader = stream_reader_open(path, error);
    if (!reader) return false;
    Record record;
    StreamStatus status;
    while ((status = stream_reader_next(reader, &record, error)) == STREAM_RECORD)
        if (arguments.keys) print_keys(&record);
    if (status == STREAM_END && arguments.header) print_header(reader);
    if (status == STREAM_END && arguments.verify) print_verdict(reader);
    stream_reader_close(reader);
    return status == STREAM_END;
}

/* Looks into every file, whatever is wrong with those before it. */
static bool look_into_all(char **names, int count) {
    bool fine = true;
    for (int i = 0; i < count; i++) {
        Error error;
        if (look_into(names[i], &error)) continue;
        log_error("%s", error.message);
        fine = false;
    }
    if (!fflush(stdout) && !ferror(stdout)) return fine;
    log_error("cannot write standard output");
    return false;
}

static void check_usage(void) {
    const int looks = arguments.header + arguments.keys + arguments.verify;
    if (looks > 1) options_wrong_usage(&program, "only one of --header, --keys and --verify at a time");
    if (looks && arguments.output)
        options_wrong_usage(&program, "-o is for streams, not for --header, --keys and --verify");
    if (arguments.select && (arguments.header || arguments.verify))
        options_wrong_usage(&program, "--select does not go with --header and --verify");
}

int main(int argc, char **argv) {
    static char *standard[] = {"-"};
    const int first = options_parse(&program, argc, argv);
    check_usage();
    char **names = first < argc ? argv + first : standard;
    const int count = first < argc ? argc - first : 1;
    if (arguments.header || arguments.keys || arguments.verify) return look_into_all(names, count) ? 0 : 1;
    Error error;
    if (join_files(names, count, &error)) return 0;
    log_error("%s", error.message);
    return 1;
}
