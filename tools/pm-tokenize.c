#include "core/log.h"
#include "core/name_table.h"
#include "core/options.h"
#include "core/progress.h"
#include "core/utf8.h"
#include "data/catalogue.h"
#include "huggingface/tokenizer_folder.h"
#include "stream/shard.h"
#include "stream/writer.h"
#include "text/text_batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct {
    const char *model, *encoder, *output;
    bool bytes, keep_case;
    const char *special, *invalid_utf8, *shard;
    int64_t max_tokens, level;
} arguments = {.special = "literal", .invalid_utf8 = "error", .max_tokens = 50, .level = FRAME_DEFAULT_LEVEL};

static Option options[] = {
    {.name = "model",
     .kind = OPTION_PATH,
     .value = &arguments.model,
     .argument = "FILE",
     .help = "SentencePiece .model, BERT's vocab.txt, RoBERTa's vocab.json"},
    {.name = "encoder",
     .kind = OPTION_PATH,
     .value = &arguments.encoder,
     .argument = "DIR",
     .help = "a Hugging Face folder, whose config.json sets limits"},
    {.name = "bytes",
     .kind = OPTION_FLAG,
     .value = &arguments.bytes,
     .help = "a token per byte; needs no file"},
    {.name = "max-tokens",
     .kind = OPTION_INTEGER,
     .value = &arguments.max_tokens,
     .argument = "N",
     .minimum = 2,
     .maximum = 1 << 24,
     .help = "of the longest text, its first and last included"},
    {.name = "keep-case",
     .kind = OPTION_FLAG,
     .value = &arguments.keep_case,
     .help = "do not lower-case the texts"},
    {.name = "special",
     .kind = OPTION_TEXT,
     .value = &arguments.special,
     .argument = "HOW",
     .choices = "literal|parse",
     .help = "a <s> in a text: literal characters, or parse the token"},
    {.name = "invalid-utf8",
     .kind = OPTION_TEXT,
     .value = &arguments.invalid_utf8,
     .argument = "HOW",
     .choices = "error|replace",
     .help = "what is not UTF-8: an error, or replace by U+FFFD"},
    OPTION_SHARD(arguments.shard),
    OPTION_LEVEL(arguments.level),
    OPTION_OUTPUT(arguments.output, "FILE", "write the stream here"),
    {0},
};

static Program program = {
    .name = "pm-tokenize",
    .usage = "(--model FILE | --encoder DIR | --bytes) [OPTION…] [items.tsv]",
    .purpose = "Turns the texts of items.tsv (item TAB text), lower-cased, into a stream of token ids.",
    .example = "  pm-tokenize --model sentencepiece.bpe.model < items.tsv > tokens.pmt",
    .options = options,
};

/* The run from items.tsv to the stream. */
typedef struct Job {
    Tokenizer *tokenizer;
    LineReader *reader;
    NameTable *names;
    TextBatch *batch;
    StreamWriter *writer;
    Shard shard;
    bool is_range; /* the shard is `count` items from number `first`, from 1; else every N-th */
    uint64_t first, count;
    uint64_t written, empty, cut, replaced;
    Progress progress;
} Job;

static Tokenizer *open_tokenizer(Error *error) {
    if (arguments.bytes) return tokenizer_open_bytes();
    if (arguments.model) return tokenizer_open_file(arguments.model, error);
    return encoder_tokenizer_open(arguments.encoder, (size_t)arguments.max_tokens, error);
}

static StreamWriter *open_writer(const Tokenizer *tokenizer, Error *error) {
    json_t *header = header_create("tokens");
    json_object_set_new(header, "tokenizer", json_string(tokenizer_description(tokenizer)));
    json_object_set_new(header, "vocabulary_size", json_integer(tokenizer_vocabulary_size(tokenizer)));
    json_object_set_new(header, "max_tokens", json_integer(arguments.max_tokens));
    header_sign(header, program.name, options_record(&program));
    header_add_input(header, "items", NULL);
    StreamWriter *writer = stream_writer_open(arguments.output, header, error);
    json_decref(header);
    if (writer) stream_writer_set_level(writer, (int)arguments.level);
    return writer;
}

static bool put_batch(Job *job, Error *error) {
    if (!text_batch_encode(job->batch, error))
        return error_prefix(error, "%s: ", line_reader_name(job->reader));
    for (size_t i = 0; i < text_batch_count(job->batch); i++) {
        const TextItem item = text_batch_item(job->batch, i);
        const Record record = {
            .key = item.name,
            .key_size = item.name_size,
            .count = 1,
            .tensors = {record_tensor("ids", DTYPE_I32, item.ids, 1, (uint64_t)item.count)},
        };
        if (!stream_writer_put(job->writer, &record, error)) return false;
        job->written++;
        job->empty += item.count == 2;
        job->cut += item.cut;
    }
    text_batch_reset(job->batch);
    progress_update(&job->progress, name_table_count(job->names));
    return true;
}

/* Items of other shards are read, too: one may not stand twice, and the hash is of the whole file. */
static bool is_in_shard(const Job *job, uint64_t number) {
    return job->is_range ? number - job->first < job->count : shard_takes(&job->shard, number);
}

/* Adds the item of a line to the batch, which is written when it is full. */
static bool take_line(Job *job, const Line *line, Error *error) {
    CatalogueLine item;
    char *replaced = NULL;
    if (!strcmp(arguments.invalid_utf8, "error")) {
        if (!catalogue_parse_line(job->reader, line, &item, error)) return false;
    } else {
        if (!catalogue_split_line(job->reader, line, &item, error)) return false;
        if (utf8_valid_prefix(item.text, item.text_size) < item.text_size) {
            item.text = replaced = utf8_replace_ill_formed(item.text, item.text_size, &item.text_size);
            job->replaced++;
        }
    }
    const bool is_new = catalogue_add_name(job->names, job->reader, line, &item, error);
    const bool has_room =
        is_new && (!is_in_shard(job, name_table_count(job->names)) ||
                   text_batch_add(job->batch, item.name, item.name_size, item.text, item.text_size));
    free(replaced);
    return is_new && (has_room || put_batch(job, error));
}

static bool tokenize_lines(Job *job, Error *error) {
    Line line;
    int status;
    while ((status = line_reader_next(job->reader, &line, error)) > 0)
        if (!take_line(job, &line, error)) return false;
    if (status < 0 || !put_batch(job, error)) return false;
    return name_table_count(job->names) > 0 ||
           error_set(error, "%s: no items; a line is: item TAB text", line_reader_name(job->reader));
}

/* Of a file the lines are counted first; a pipe is read once. */
static bool choose_shard(Job *job, const char *path, Error *error) {
    struct stat status;
    Line line;
    uint64_t lines = 0;
    int more;
    if (!job->shard.count || !path || stat(path, &status) || !S_ISREG(status.st_mode)) return true;
    LineReader *reader = line_reader_open(path, error);
    if (!reader) return false;
    while ((more = line_reader_next(reader, &line, error)) > 0)
        lines++;
    line_reader_close(reader);
    shard_range(&job->shard, lines, &job->first, &job->count);
    job->is_range = true;
    return more == 0;
}

static bool write_stream(Job *job, const char *path, Error *error) {
    if (!choose_shard(job, path, error)) return false;
    job->tokenizer = open_tokenizer(error);
    if (!job->tokenizer || !(job->reader = line_reader_open(path, error))) return false;
    if (!(job->writer = open_writer(job->tokenizer, error))) return false;
    job->names = name_table_create();
    job->batch = text_batch_create(&(TextRules){
        .tokenizer = job->tokenizer,
        .max_tokens = (size_t)arguments.max_tokens,
        .keep_case = arguments.keep_case || tokenizer_keeps_case(job->tokenizer),
        .parse_special = !strcmp(arguments.special, "parse"),
    });
    progress_start(&job->progress, "items", 0);
    const bool fine = tokenize_lines(job, error);
    progress_finish(&job->progress);
    if (!fine) {
        stream_writer_abandon(job->writer);
        return false;
    }
    stream_writer_add_content(job->writer, "items", line_reader_content(job->reader));
    return stream_writer_close(job->writer, error);
}

static void report(const Job *job) {
    char replaced[64] = "";
    if (job->replaced)
        snprintf(replaced, sizeof replaced, ", %" PRIu64 " with U+FFFD for what was not UTF-8",
                 job->replaced);
    log_report("%" PRIu64 " items, %" PRIu64 " texts empty, %" PRIu64 " cut to %" PRId64 " tokens%s",
               job->written, job->empty, job->cut, arguments.max_tokens, replaced);
}

static bool run(const char *path, const Shard *shard, Error *error) {
    Job job = {.shard = *shard};
    const bool fine = write_stream(&job, path, error);
    if (fine) report(&job);
    text_batch_destroy(job.batch);
    name_table_destroy(job.names);
    line_reader_close(job.reader);
    tokenizer_close(job.tokenizer);
    return fine;
}

int main(int argc, char **argv) {
    const int first = options_parse(&program, argc, argv);
    const int ways = (arguments.model != NULL) + (arguments.encoder != NULL) + arguments.bytes;
    if (ways != 1) options_wrong_usage(&program, "give one of --model, --encoder and --bytes");
    if (argc - first > 1)
        options_wrong_usage(&program, "one file of items is read, not also %s", argv[first + 1]);
    Error error;
    Shard shard;
    if (!shard_parse(&shard, arguments.shard, &error)) options_wrong_usage(&program, "%s", error.message);
    if (run(first < argc ? argv[first] : NULL, &shard, &error)) return 0;
    log_error("%s", error.message);
    return 1;
}
