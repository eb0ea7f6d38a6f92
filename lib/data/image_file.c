#include "data/image_file.h"

#include "core/file.h"
#include "data/image_decode.h"

#include <stdlib.h>
#include <sys/stat.h>

/* A pipe or a device under the name of an image must not be waited for. */
static uint8_t *read_image(const char *path, size_t *size, Error *error) {
    struct stat status;
    if (stat(path, &status)) {
        error_set_errno(error, "cannot read %s", path);
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        error_set(error, "%s: not a regular file", path);
        return NULL;
    }
    return file_read(path, IMAGE_MAX_FILE, size, error);
}

bool image_file_decode(const char *path, const ImageSink *sink, Error *warning, Error *error) {
    size_t size;
    uint8_t *bytes = read_image(path, &size, error);
    bool fine = bytes != NULL;
    if (fine && !image_decode(bytes, size, sink, warning, error))
        fine = error_prefix(error, "%s: ", path);
    else if (fine && warning->message[0])
        error_prefix(warning, "%s: ", path);
    free(bytes);
    return fine;
}
