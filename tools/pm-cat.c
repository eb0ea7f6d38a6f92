#include "core/file.h"
#include "core/json_file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/options.h"
#include "stream/concatenate.h"
#include "stream/hidden_states.h"
#include "stream/key_search.h"
#include "stream/reindex.h"
#include "stream/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct {
    bool header, keys, verify, index;
    const char *select, *show, *shard, *output;
    int64_t level;
} arguments = {.level = FRAME_DEFAULT_LEVEL};

static Option options[] = {
    OPTION_OUTPUT(arguments.output, "FILE", "write the stream here"),
    {.name = "select",
     .kind = OPTION_TEXT,
     .value = &arguments.select,
     .argument = "GLOBS",
     .help = "only keys like A.*,B.*; !(A.*|B.*) is the others"},
    OPTION_SHARD(arguments.shard),
    {.name = "index",
     .kind = OPTION_FLAG,
     .value = &arguments.index,
     .unrecorded = true,
     .help = "write a stream as it is, with an index for what has none"},
    OPTION_LEVEL(arguments.level),
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
    {.name = "show",
     .kind = OPTION_TEXT,
     .value = &arguments.show,
     .argument = "GLOBS",
     .unrecorded = true,
     .help = "print the values of such records, a line a row"},
    {.name = "verify",
     .kind = OPTION_FLAG,
     .value = &arguments.verify,
     .unrecorded = true,
     .help = "read everything and say whether it is whole"},
    {0},
};

static Program program = {
    .name = "pm-cat",
    .usage =
        "[--header | --keys | --show GLOBS | --verify] [--select GLOBS | --shard I/N | --index] [-o FILE] "
        "[FILE.pmt…]",
    .purpose =
        "Concatenates tensor streams of one kind, selects records from them, or looks into them. Parts of "
        "models become one model when their configurations agree and no tensor comes twice.",
    .example = "  pm-cat --select 'user_encoder.*' old.pmt | pm-cat - encoders.pmt -o new.pmt",
    .options = options,
};

static bool join_files(char **names, int count, const Shard *shard, Error *error) {
    json_t *record = options_record(&program);
    const Concatenation request = {.names = names,
                                   .count = count,
                                   .output = arguments.output,
                                   .globs = arguments.select,
                                   .shard = *shard,
                                   .level = (int)arguments.level,
                                   .tool = program.name,
                                   .options = record};
    RecordCounts counts;
    const bool fine = stream_concatenate(&request, &counts, error);
    json_decref(record);
    if (fine && arguments.select)
        log_report("kept %" PRIu64 " of %" PRIu64 " records", counts.kept, counts.seen);
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
    if (!key_matches(arguments.select, record)) return;
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

/* Key and tensor before each row of its last dimension, the values with TABs between. */
static void print_tensor(const Record *record, const RecordTensor *tensor) {
    const uint64_t count = record_tensor_elements(tensor);
    const uint64_t width = tensor->dimensions ? tensor->shape[tensor->dimensions - 1] : 1;
    for (uint64_t at = 0; at < count; at++) {
        char value[DTYPE_VALUE_TEXT];
        dtype_print_value(tensor->dtype, tensor->data, at, value);
        if (at % width == 0) {
            print_key(record);
            printf("\t%s", tensor->name);
        }
        printf("\t%s%s", value, at % width == width - 1 ? "\n" : "");
    }
}

/* What i8 with scales stands for. */
static void print_scaled(const Record *record, RecordTensor tensor, const HiddenStates *hidden) {
    float *values = memory_need(hidden->rows * hidden->width, sizeof *values);
    hidden_states_to_f32(hidden, values);
    tensor.dtype = DTYPE_F32;
    tensor.data = values;
    print_tensor(record, &tensor);
    free(values);
}

static void print_values(const Record *record) {
    if (!key_matches(arguments.show, record)) return;
    for (size_t i = 0; i < record->count; i++) {
        const RecordTensor *tensor = &record->tensors[i];
        HiddenStates hidden;
        Error not_hidden;
        if (tensor->dtype == DTYPE_I8 && !strcmp(tensor->name, "hidden") &&
            hidden_states_of(record, &hidden, &not_hidden))
            print_scaled(record, *tensor, &hidden);
        else
            print_tensor(record, tensor);
    }
}

static void print_header(const StreamReader *reader, json_t *content, uint64_t records) {
    json_t *lineage = header_lineage(stream_reader_header(reader), content);
    json_object_set_new(lineage, "records", json_integer((json_int_t)records));
    json_print(lineage, stdout);
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

/* The header is all there is to see, where an index says how many records there are, and of what content. */
static bool look_at_index(const StreamReader *reader, Error *error) {
    const StreamIndex *index = stream_reader_index(reader);
    json_t *content = stream_index_content(index, error);
    if (!content) return error_prefix(error, "%s: ", stream_reader_name(reader));
    print_header(reader, content, index->records);
    return true;
}

/* Reads to the end: only there it is known that the stream is whole, and what it was made from. */
static bool look_at_all(StreamReader *reader, Error *error) {
    Record record;
    StreamStatus status;
    while ((status = stream_reader_next(reader, &record, error)) == STREAM_RECORD)
        if (arguments.keys)
            print_keys(&record);
        else if (arguments.show)
            print_values(&record);
    if (status == STREAM_END && arguments.header)
        print_header(reader, stream_reader_content(reader), stream_reader_count(reader));
    if (status == STREAM_END && arguments.verify) print_verdict(reader);
    return status == STREAM_END;
}

static bool look_into(const char *path, Error *error) {
    StreamReader *reader = stream_reader_open(path, error);
    if (!reader) return false;
    const bool fine = arguments.header && stream_reader_index(reader) ? look_at_index(reader, error)
                                                                      : look_at_all(reader, error);
    stream_reader_close(reader);
    return fine;
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
    Error error;
    if (standard_output_finish(&error)) return fine;
    log_error("%s", error.message);
    return false;
}

static void check_usage(int count, Shard *shard) {
    Error error;
    const int looks = arguments.header + arguments.keys + arguments.verify + (arguments.show != NULL);
    if (looks > 1)
        options_wrong_usage(&program, "only one of --header, --keys, --show and --verify at a time");
    if (looks && arguments.output)
        options_wrong_usage(&program, "-o is for streams, not for --header, --keys, --show and --verify");
    if (arguments.select && (arguments.header || arguments.verify || arguments.show))
        options_wrong_usage(&program, "--select does not go with --header, --show and --verify");
    if (!shard_parse(shard, arguments.shard, &error)) options_wrong_usage(&program, "%s", error.message);
    if (shard->count && (looks || arguments.index || arguments.select))
        options_wrong_usage(&program, "--shard does not go with --select, --index and what only looks");
    if (arguments.index && (looks || arguments.select))
        options_wrong_usage(&program, "--index does not go with --select and what only looks");
    if ((shard->count || arguments.index) && count > 1)
        options_wrong_usage(&program, "--shard and --index take one stream");
}

int main(int argc, char **argv) {
    static char *standard[] = {"-"};
    const int first = options_parse(&program, argc, argv);
    char **names = first < argc ? argv + first : standard;
    const int count = first < argc ? argc - first : 1;
    Shard shard;
    check_usage(count, &shard);
    if (arguments.header || arguments.keys || arguments.show || arguments.verify)
        return look_into_all(names, count) ? 0 : 1;
    Error error;
    if (arguments.index ? stream_reindex(names[0], arguments.output, (int)arguments.level, &error)
                        : join_files(names, count, &shard, &error))
        return 0;
    log_error("%s", error.message);
    return 1;
}
