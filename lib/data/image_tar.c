#include "data/image_tar.h"

#include "core/file.h"
#include "core/memory.h"
#include "data/image_file.h"
#include "data/image_names.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

enum { BLOCK = 1 << 16 };

struct ImageTar {
    const char *name;
    struct archive *archive;
};

static bool refuse(const ImageTar *tar, Error *error) {
    return error_set(error, "%s: %s", tar->name, archive_error_string(tar->archive));
}

ImageTar *image_tar_open(const char *path, Error *error) {
    ImageTar *tar = memory_need(1, sizeof *tar);
    const bool standard = !strcmp(path, "-");
    tar->name = file_display_name(path);
    tar->archive = archive_read_new();
    if (!tar->archive) memory_end(1, 0);
    archive_read_support_filter_all(tar->archive);
    archive_read_support_format_tar(tar->archive);
    if (!archive_read_open_filename(tar->archive, standard ? NULL : path, BLOCK)) return tar;
    refuse(tar, error);
    image_tar_close(tar);
    return NULL;
}

void image_tar_close(ImageTar *tar) {
    if (!tar) return;
    archive_read_free(tar->archive);
    free(tar);
}

/* A damaged archive is the end of the work; a file that is too large is only a broken image. */
static bool read_bytes(const ImageTar *tar, const struct archive_entry *entry, ImageFile *file,
                       Error *error) {
    const int64_t size = archive_entry_size((struct archive_entry *)entry);
    if (size < 0 || size > IMAGE_MAX_FILE) {
        error_set(&file->error, "larger than the limit of %d bytes for such a file", IMAGE_MAX_FILE);
        return true;
    }
    file->size = (size_t)size;
    file->bytes = memory_allocate(file->size + 1, 1, &file->error);
    if (!file->bytes) return true;
    const la_ssize_t got = archive_read_data(tar->archive, file->bytes, file->size);
    if (got == (la_ssize_t)size) return true;
    return got < 0 ? refuse(tar, error) : error_set(error, "%s: cut off within %s", tar->name, file->label);
}

static int next(const void *context, ImageFile *file, Error *error) {
    const ImageTar *tar = context;
    struct archive_entry *entry;
    int status;
    while ((status = archive_read_next_header(tar->archive, &entry)) == ARCHIVE_OK ||
           status == ARCHIVE_WARN) {
        const char *path = archive_entry_pathname(entry), *slash = path ? strrchr(path, '/') : NULL;
        const char *name = slash ? slash + 1 : path;
        const size_t size = name ? image_stem_size(name) : 0;
        const char *link = archive_entry_hardlink(entry);
        if (!size || (!link && archive_entry_filetype(entry) != AE_IFREG)) continue;
        *file =
            (ImageFile){.item = name, .item_size = size, .label = memory_format("%s: %s", tar->name, path)};
        if (!link) return read_bytes(tar, entry, file, error) ? 1 : -1;
        error_set(&file->error, "a link to %s; make the tar file with --hard-dereference", link);
        return 1;
    }
    return status == ARCHIVE_EOF || refuse(tar, error) ? 0 : -1;
}

ImageSource image_tar_source(ImageTar *tar) {
    return (ImageSource){.context = tar, .name = tar->name, .next = next};
}
