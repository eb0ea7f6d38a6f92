#include "arrays/zip_archive.h"

#include "core/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

struct ZipArchive {
    zip_t *zip;
    char *path;
    uint64_t file_size;
};

struct ZipReader {
    const ZipArchive *archive;
    const char *name;
    zip_file_t *file;
};

/* Deflate packs at most 1032 bytes into one. */
enum { DEFLATE_RATIO = 1032, DIRECTORY_ENTRY = 46 };

/* libzip takes some of its failures to get memory for those of the file. */
static bool lacks_memory(const zip_error_t *problem) {
    return zip_error_code_zip(problem) == ZIP_ER_MEMORY || errno == ENOMEM;
}

static const char *reason(zip_error_t *problem) {
    return lacks_memory(problem) ? "out of memory" : zip_error_strerror(problem);
}

ZipArchive *zip_archive_open(const char *path, Error *error) {
    struct stat status;
    int code = errno = 0;
    zip_t *zip = zip_open(path, ZIP_RDONLY, &code);
    if (!zip) {
        zip_error_t problem;
        zip_error_init_with_code(&problem, code);
        if (lacks_memory(&problem))
            error_set(error, "%s: out of memory", path);
        else
            error_set(error, "%s: not a whole zip file (%s)", path, zip_error_strerror(&problem));
        zip_error_fini(&problem);
        return NULL;
    }
    ZipArchive *archive = memory_need(1, sizeof *archive);
    archive->zip = zip;
    archive->path = memory_copy_text(path, strlen(path));
    archive->file_size = stat(path, &status) ? 0 : (uint64_t)status.st_size;
    if (zip_archive_count(archive) > archive->file_size / DIRECTORY_ENTRY) {
        error_set(error, "%s: %zu entries do not fit into a file of %" PRIu64 " bytes", path,
                  zip_archive_count(archive), archive->file_size);
        zip_archive_close(archive);
        return NULL;
    }
    return archive;
}

void zip_archive_close(ZipArchive *archive) {
    if (!archive) return;
    zip_discard(archive->zip);
    free(archive->path);
    free(archive);
}

size_t zip_archive_count(const ZipArchive *archive) {
    return (size_t)zip_get_num_entries(archive->zip, 0);
}

const char *zip_archive_name(const ZipArchive *archive, size_t index) {
    return zip_get_name(archive->zip, index, ZIP_FL_ENC_RAW);
}

size_t zip_archive_find(const ZipArchive *archive, const char *name) {
    const zip_int64_t index = zip_name_locate(archive->zip, name, ZIP_FL_ENC_RAW);
    return index < 0 ? SIZE_MAX : (size_t)index;
}

bool zip_archive_entry(const ZipArchive *archive, size_t index, ZipEntry *entry, Error *error) {
    enum { NEEDED = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD };
    zip_stat_t status;
    if (zip_stat_index(archive->zip, index, ZIP_FL_ENC_RAW, &status) || (status.valid & NEEDED) != NEEDED)
        return error_set(error, "entry %zu of the archive is broken", index);
    for (const char *at = status.name; *at; at++) /* it stands in messages */
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return error_set(error, "the name of entry %zu of the archive is not printable", index);
    const bool stored = status.comp_method == ZIP_CM_STORE;
    if ((status.valid & ZIP_STAT_ENCRYPTION_METHOD) && status.encryption_method != ZIP_EM_NONE)
        return error_set(error, "%s is encrypted", status.name);
    if (!stored && status.comp_method != ZIP_CM_DEFLATE)
        return error_set(error, "%s is compressed by a method other than deflate", status.name);
    if (status.comp_size > archive->file_size || (stored && status.size != status.comp_size) ||
        status.size / DEFLATE_RATIO > status.comp_size)
        return error_set(error, "%s claims %" PRIu64 " bytes in a file of %" PRIu64, status.name, status.size,
                         archive->file_size);
    *entry = (ZipEntry){status.name, status.size, stored};
    return true;
}

ZipReader *zip_reader_open(ZipArchive *archive, size_t index, Error *error) {
    errno = 0;
    zip_file_t *file = zip_fopen_index(archive->zip, index, 0);
    const char *name = zip_archive_name(archive, index);
    if (!file) {
        error_set(error, "%s: cannot read %s (%s)", archive->path, name ? name : "an entry",
                  reason(zip_get_error(archive->zip)));
        return NULL;
    }
    ZipReader *reader = memory_need(1, sizeof *reader);
    *reader = (ZipReader){archive, name, file};
    return reader;
}

void zip_reader_close(ZipReader *reader) {
    if (!reader) return;
    zip_fclose(reader->file);
    free(reader);
}

bool zip_reader_read(ZipReader *reader, void *bytes, size_t size, Error *error) {
    for (size_t done = 0; done < size;) {
        errno = 0;
        const zip_int64_t got = zip_fread(reader->file, (char *)bytes + done, size - done);
        if (got < 0)
            return error_set(error, "%s: cannot read %s (%s)", reader->archive->path, reader->name,
                             reason(zip_file_get_error(reader->file)));
        if (got == 0) return error_set(error, "%s: %s ends too early", reader->archive->path, reader->name);
        done += (size_t)got;
    }
    return true;
}

bool zip_reader_finish(ZipReader *reader, Error *error) {
    char byte;
    const zip_int64_t got = zip_fread(reader->file, &byte, 1);
    if (got == 0) return true;
    return error_set(error, "%s: %s is damaged (%s)", reader->archive->path, reader->name,
                     got > 0 ? "bytes follow its end" : zip_file_strerror(reader->file));
}

unsigned char *zip_archive_read(ZipArchive *archive, size_t index, uint64_t limit, size_t *size,
                                Error *error) {
    ZipEntry entry;
    if (!zip_archive_entry(archive, index, &entry, error)) {
        error_prefix(error, "%s: ", archive->path);
        return NULL;
    }
    if (entry.size > limit) {
        error_set(error, "%s: %s has %" PRIu64 " bytes; the limit is %" PRIu64, archive->path, entry.name,
                  entry.size, limit);
        return NULL;
    }
    ZipReader *reader = zip_reader_open(archive, index, error);
    if (!reader) return NULL;
    unsigned char *bytes = memory_allocate((size_t)entry.size + 1, 1, error);
    bool fine = bytes && zip_reader_read(reader, bytes, (size_t)entry.size, error) &&
                zip_reader_finish(reader, error);
    zip_reader_close(reader);
    *size = (size_t)entry.size;
    if (fine) return bytes;
    free(bytes);
    return NULL;
}
