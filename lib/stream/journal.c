#include "stream/journal.h"

#include "core/memory.h"
#include "core/progress.h"
#include "core/same_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Seconds between two times that all is put on the disk: what a power failure can cost. */
enum { SYNC_SECONDS = 5 };

struct Journal {
    OutputFile *stream;
    char *path;
    FILE *file;
    off_t run_size; /* of its first line */
    JournalMark *marks;
    off_t *ends; /* of their lines in the file */
    size_t count, capacity, end_capacity;
    uint64_t records, bytes; /* of the stream so far */
    bool is_kept;            /* there is something to go on with */
    char (*notes)[CONTENT_HASH_TEXT];
    size_t note_count, note_capacity;
    double synced;
};

static const char *part_name(const Journal *journal) {
    return output_file_temporary(journal->stream);
}

static bool cannot_write(const Journal *journal, Error *error) {
    return error_set_errno(error, "cannot write %s", journal->path);
}

static bool sync_both(Journal *journal, Error *error) {
    if (!output_file_flush(journal->stream, error)) return false;
    journal->synced = progress_clock();
    return !fdatasync(fileno(journal->file)) || cannot_write(journal, error);
}

/* ---- reading ---- */

/* Of a line behind the first; one that was cut off is none. */
static bool read_mark(const json_t *line, JournalMark *mark) {
    json_int_t records, bytes;
    const char *hash, *input = "";
    if (json_unpack((json_t *)line, "{s:I, s:I, s:s, s?s}", "records", &records, "bytes", &bytes, "hash",
                    &hash, "input", &input) ||
        records < 0 || bytes < 0 || strlen(input) >= sizeof mark->input)
        return false;
    *mark = (JournalMark){.records = (uint64_t)records, .bytes = (uint64_t)bytes};
    mark->hash = strtoull(hash, NULL, 16);
    strcpy(mark->input, input);
    return true;
}

static bool follows(const Journal *journal, const JournalMark *mark, uint64_t size) {
    const JournalMark *last = journal->count ? &journal->marks[journal->count - 1] : NULL;
    return mark->bytes <= size && mark->records > (last ? last->records : 0) &&
           mark->bytes > (last ? last->bytes : 0);
}

static void add_mark(Journal *journal, const JournalMark *mark, off_t end) {
    journal->marks =
        memory_grow(journal->marks, &journal->capacity, journal->count + 1, sizeof *journal->marks);
    journal->ends =
        memory_grow(journal->ends, &journal->end_capacity, journal->count + 1, sizeof *journal->ends);
    journal->marks[journal->count] = *mark;
    journal->ends[journal->count++] = end;
}

/* The line that begins at `at`; NULL where none is whole. */
static json_t *next_line(const char *text, size_t size, size_t *at) {
    const char *line = text + *at, *end = memchr(line, '\n', size - *at);
    if (!end) return NULL;
    *at = (size_t)(end - text) + 1;
    return json_loadb(line, (size_t)(end - line), 0, NULL);
}

/* The marks of the frames that lie within the stream's size. */
static void read_marks(Journal *journal, const char *text, size_t size, size_t at, uint64_t stream_size) {
    json_t *line;
    JournalMark mark;
    bool fine = true;
    while (fine && (line = next_line(text, size, &at))) {
        fine = read_mark(line, &mark) && follows(journal, &mark, stream_size);
        if (fine) add_mark(journal, &mark, (off_t)at);
        json_decref(line);
    }
}

static bool read_journal(Journal *journal, const json_t *run, uint64_t stream_size, Error *error) {
    size_t size, at = 0;
    Error reason;
    unsigned char *text = file_read(journal->path, SIZE_MAX, &size, &reason);
    if (!text && !access(journal->path, F_OK)) {
        *error = reason;
        return false;
    }
    json_t *theirs = text ? next_line((const char *)text, size, &at) : NULL;
    bool fine =
        theirs || error_set(error, "there is no %s that says of which run it is; remove it", journal->path);
    fine = fine && same_run(theirs, run, "or remove it to begin anew", error);
    journal->run_size = (off_t)at;
    if (fine) read_marks(journal, (const char *)text, size, at, stream_size);
    json_decref(theirs);
    free(text);
    return fine || error_prefix(error, "%s: ", part_name(journal));
}

/* ---- writing ---- */

static bool open_file(Journal *journal, const char *mode, Error *error) {
    journal->file = fopen(journal->path, mode);
    return journal->file || cannot_write(journal, error);
}

static bool begin(Journal *journal, const json_t *run, Error *error) {
    if (!open_file(journal, "we", error)) return false;
    char *line = json_dumps(run, JSON_COMPACT | JSON_SORT_KEYS);
    bool fine = line && fprintf(journal->file, "%s\n", line) > 0 && !fflush(journal->file);
    fine = fine || cannot_write(journal, error);
    journal->run_size = ftello(journal->file);
    free(line);
    return fine && sync_both(journal, error);
}

Journal *journal_open(OutputFile *stream, const json_t *run, Error *error) {
    struct stat status;
    Journal *journal = memory_need(1, sizeof *journal);
    journal->stream = stream;
    journal->path = memory_format("%s.run", part_name(journal));
    bool fine = !fstat(fileno(output_file_stream(stream)), &status) ||
                error_set_errno(error, "cannot read %s", part_name(journal));
    journal->is_kept = !fine || status.st_size > 0;
    if (fine)
        fine = journal->is_kept ? read_journal(journal, run, (uint64_t)status.st_size, error) &&
                                      open_file(journal, "r+e", error)
                                : begin(journal, run, error);
    if (fine) return journal;
    journal_close(journal);
    return NULL;
}

static void journal_free(Journal *journal) {
    if (journal->file) fclose(journal->file);
    free(journal->path);
    free(journal->marks);
    free(journal->ends);
    free(journal->notes);
    free(journal);
}

/* A file goes on behind its first `size` bytes; what has not been written yet lay behind them. */
static bool cut(FILE *file, off_t size) {
    __fpurge(file);
    return !ftruncate(fileno(file), size) && !fseeko(file, size, SEEK_SET);
}

/* An empty stream is removed by output_file_abandon. */
void journal_close(Journal *journal) {
    if (!journal) return;
    if (!journal->is_kept && cut(output_file_stream(journal->stream), 0)) unlink(journal->path);
    journal_free(journal);
}

void journal_end(Journal *journal, bool is_whole) {
    if (!journal) return;
    if (is_whole) unlink(journal->path);
    journal_free(journal);
}

size_t journal_count(const Journal *journal) {
    return journal->count;
}

const JournalMark *journal_mark(const Journal *journal, size_t number) {
    return &journal->marks[number];
}

bool journal_cut(Journal *journal, size_t count, Error *error) {
    const JournalMark *last = count ? &journal->marks[count - 1] : &(JournalMark){0};
    journal->count = count;
    journal->records = last->records;
    journal->bytes = last->bytes;
    journal->is_kept = count > 0;
    if (!cut(output_file_stream(journal->stream), (off_t)last->bytes))
        return error_set_errno(error, "cannot write %s", part_name(journal));
    return cut(journal->file, count ? journal->ends[count - 1] : journal->run_size) ||
           cannot_write(journal, error);
}

void journal_note(Journal *journal, const char input[CONTENT_HASH_TEXT]) {
    journal->notes =
        memory_grow(journal->notes, &journal->note_capacity, journal->note_count + 1, sizeof *journal->notes);
    memcpy(journal->notes[journal->note_count++], input, sizeof *journal->notes);
}

/* The note of the last of so many records; theirs are done with. */
static void take_notes(Journal *journal, uint64_t records, char input[CONTENT_HASH_TEXT]) {
    *input = 0;
    if (!records || journal->note_count < records) return;
    memcpy(input, journal->notes[records - 1], CONTENT_HASH_TEXT);
    journal->note_count -= records;
    memmove(journal->notes, journal->notes + records, journal->note_count * sizeof *journal->notes);
}

bool journal_add(Journal *journal, uint64_t bytes, uint64_t records, uint64_t hash, Error *error) {
    char input[CONTENT_HASH_TEXT];
    take_notes(journal, records, input);
    journal->bytes += bytes;
    journal->records += records;
    if (fflush(output_file_stream(journal->stream)))
        return error_set_errno(error, "cannot write %s", part_name(journal));
    fprintf(journal->file, "{\"records\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"hash\":\"%016" PRIx64 "\"",
            journal->records, journal->bytes, hash);
    fprintf(journal->file, *input ? ",\"input\":\"%s\"}\n" : "}\n", input);
    if (fflush(journal->file)) return cannot_write(journal, error);
    journal->is_kept = true;
    return progress_clock() - journal->synced < SYNC_SECONDS || sync_both(journal, error);
}
