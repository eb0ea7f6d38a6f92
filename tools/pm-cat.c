#include "core/file.h"
#include "core/json_file.h"
#include "core/log.h"
#include "core/options.h"
#include "stream/concatenate.h"
#include "stream/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct {
    bool header, keys, verify;
    const char *select, *show, *output;
} arguments = {0};

static Option options[] = {
    OPTION_OUTPUT(arguments.output, "FILE", "write the stream here"),
    {.name = "select",
     .kind = OPTION_TEXT,
     .value = &arguments.select,
     .argument = "GLOBS",
     .help = "only keys like A.*,B.*; !(A.*|B.*) is the others"},
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
    .usage = "[--header | --keys | --show GLOBS | --verify] [--select GLOBS] [-o FILE] [FILE.pmt…]",
    .purpose =
        "Concatenates tensor streams of one kind, selects records from them, or looks into them. Parts of "
        "models become one model when their configurations agree and no tensor comes twice.",
    .example = "  pm-cat --select 'user_encoder.*' old.pmt | pm-cat - encoders.pmt -o new.pmt",
    .options = options,
};

static bool join_files(char **names, int count, Error *error) {
    json_t *record = options_record(&program);
    const Concatenation request = {.names = names,
                                   .count = count,
                                   .output = arguments.output,
                                   .globs = arguments.select,
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
static void print_values(const Record *record) {
    if (!key_matches(arguments.show, record)) return;
    for (size_t i = 0; i < record->count; i++) {
        const RecordTensor *tensor = &record->tensors[i];
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
}

static void print_header(const StreamReader *reader) {
    json_t *content = stream_reader_content(reader);
    json_t *lineage = header_lineage(stream_reader_header(reader), content);
    json_object_set_new(lineage, "records", json_integer((json_int_t)stream_reader_count(reader)));
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

/* Reads to the end in any case: only there it is known that the stream is whole, and what it was made from.
 */
static bool look_into(const char *path, Error *error) {
    StreamReader *reader = stream_reader_open(path, error);
    if (!reader) return false;
    Record record;
    StreamStatus status;
    while ((status = stream_reader_next(reader, &record, error)) == STREAM_RECORD)
        if (arguments.keys)
            print_keys(&record);
        else if (arguments.show)
            print_values(&record);
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
    Error error;
    if (standard_output_finish(&error)) return fine;
    log_error("%s", error.message);
    return false;
}

static void check_usage(void) {
    const int looks = arguments.header + arguments.keys + arguments.verify + (arguments.show != NULL);
    if (looks > 1)
        options_wrong_usage(&program, "only one of --header, --keys, --show and --verify at a time");
    if (looks && arguments.output)
        options_wrong_usage(&program, "-o is for streams, not for --header, --keys, --show and --verify");
    if (arguments.select && (arguments.header || arguments.verify || arguments.show))
        options_wrong_usage(&program, "--select does not go with --header, --show and --verify");
}

int main(int argc, char **argv) {
    static char *standard[] = {"-"};
    const int first = options_parse(&program, argc, argv);
    check_usage();
    char **names = first < argc ? argv + first : standard;
    const int count = first < argc ? argc - first : 1;
    if (arguments.header || arguments.keys || arguments.show || arguments.verify)
        return look_into_all(names, count) ? 0 : 1;
    Error error;
    if (join_files(names, count, &error)) return 0;
    log_error("%s", error.message);
    return 1;
}
