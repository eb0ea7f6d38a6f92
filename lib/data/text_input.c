#include "data/text_input.h"

#include "core/memory.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MAGIC = 4, READ_SIZE = 1 << 16 };

struct TextInput {
    FILE *stream;
    struct archive *archive; /* what decompresses; NULL for a plain file */
    unsigned char head[MAGIC];
    size_t head_size; /* bytes of it that were read and not yet handed on */
    unsigned char *buffer;
    bool is_started; /* the first bytes were looked at */
    bool is_empty;   /* after decompression; libarchive then reads no data */
};

/* What libarchive reads: the first bytes again, then the rest. */
static la_ssize_t give_bytes(struct archive *archive, void *context, const void **bytes) {
    TextInput *input = context;
    *bytes = input->buffer;
    memcpy(input->buffer, input->head, input->head_size);
    const size_t before = input->head_size;
    input->head_size = 0;
    const size_t got = fread(input->buffer + before, 1, READ_SIZE - before, input->stream);
    if (!ferror(input->stream)) return (la_ssize_t)(before + got);
    archive_set_error(archive, errno, "cannot be read");
    return -1;
}

static bool refuse(const TextInput *input, Error *error) {
    return error_set(error, "a compressed file that cannot be read: %s",
                     archive_error_string(input->archive));
}

static bool start_decompressing(TextInput *input, Error *error) {
    struct archive_entry *entry;
    input->buffer = memory_need(READ_SIZE, 1);
    input->archive = archive_read_new();
    if (!input->archive) return error_set(error, "out of memory");
    archive_read_support_filter_gzip(input->archive);
    archive_read_support_filter_zstd(input->archive);
    archive_read_support_format_raw(input->archive);
    archive_read_support_format_empty(input->archive);
    if (archive_read_open(input->archive, input, NULL, give_bytes, NULL)) return refuse(input, error);
    const int status = archive_read_next_header(input->archive, &entry);
    input->is_empty = status == ARCHIVE_EOF;
    return status == ARCHIVE_OK || input->is_empty || refuse(input, error);
}

static bool is_compressed(const TextInput *input) {
    return (input->head_size >= 2 && !memcmp(input->head, "\x1f\x8b", 2)) ||
           (input->head_size == MAGIC && !memcmp(input->head, "\x28\xb5\x2f\xfd", MAGIC));
}

TextInput *text_input_open(const char *path, Error *error) {
    const bool standard = !path || !strcmp(path, "-");
    FILE *stream = standard ? stdin : fopen(path, "rb");
    if (!stream) {
        error_set_errno(error, "cannot read %s", path);
        return NULL;
    }
    TextInput *input = memory_need(1, sizeof *input);
    input->stream = stream;
    return input;
}

void text_input_close(TextInput *input) {
    if (!input) return;
    archive_read_free(input->archive);
    if (input->stream != stdin) fclose(input->stream);
    free(input->buffer);
    free(input);
}

static bool read_plain(TextInput *input, void *bytes, size_t room, size_t *got, Error *error) {
    *got = input->head_size < room ? input->head_size : room;
    memcpy(bytes, input->head, *got);
    memmove(input->head, input->head + *got, input->head_size - *got);
    input->head_size -= *got;
    if (*got) return true;
    *got = fread(bytes, 1, room, input->stream);
    return !ferror(input->stream) || error_set_errno(error, "cannot be read");
}

bool text_input_read(TextInput *input, void *bytes, size_t room, size_t *got, Error *error) {
    if (!input->is_started) {
        input->is_started = true;
        input->head_size = fread(input->head, 1, MAGIC, input->stream);
        if (ferror(input->stream)) return error_set_errno(error, "cannot be read");
        if (is_compressed(input) && !start_decompressing(input, error)) return false;
    }
    if (!input->archive) return read_plain(input, bytes, room, got, error);
    const la_ssize_t size = input->is_empty ? 0 : archive_read_data(input->archive, bytes, room);
    *got = size > 0 ? (size_t)size : 0;
    return size >= 0 || refuse(input, error);
}
