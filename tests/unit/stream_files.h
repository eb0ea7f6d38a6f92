/* Streams for tests, written into a folder that goes away with the program. */
#ifndef TESTS_STREAM_FILES_H
#define TESTS_STREAM_FILES_H

#include "check.h"

#include "stream/writer.h"

#include <dirent.h>
#include <unistd.h>

static char stream_folder[64];

/* How many files the folder has; with `remove` they go. */
static inline int stream_folder_files(bool remove_them) {
    int count = 0;
    DIR *folder = opendir(stream_folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        count++;
        if (remove_them) unlinkat(dirfd(folder), entry->d_name, 0);
    }
    if (folder) closedir(folder);
    return count;
}

static inline void remove_stream_folder(void) {
    stream_folder_files(true);
    rmdir(stream_folder);
}

/* The path of a file in the folder; each of the last four texts is valid. */
static inline const char *stream_path(const char *file) {
    static char paths[4][128];
    static int next;
    if (!*stream_folder) {
        snprintf(stream_folder, sizeof stream_folder, "/tmp/pm-test-streams.XXXXXX");
        CHECK(mkdtemp(stream_folder));
        atexit(remove_stream_folder);
    }
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", stream_folder, file);
    return path;
}

/* Takes the header. */
static inline StreamWriter *stream_start(const char *path, json_t *header) {
    Error error = {""};
    StreamWriter *writer = stream_writer_open(path, header, &error);
    CHECK(writer, "%s", error.message);
    json_decref(header);
    return writer;
}

static inline void stream_put(StreamWriter *writer, const char *key, RecordTensor tensor) {
    Error error = {""};
    const Record record = {.key = key, .key_size = strlen(key), .count = 1, .tensors = {tensor}};
    CHECK(stream_writer_put(writer, &record, &error), "%s", error.message);
}

static inline void stream_finish(StreamWriter *writer) {
    Error error = {""};
    CHECK(stream_writer_close(writer, &error), "%s", error.message);
}

#endif
