#include "core/file_kind.h"

#include "core/memory.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

typedef struct Signature {
    const char *bytes;
    size_t offset, size;
    const char *what;
} Signature;

#define PICTURE "picture; pm-imgpack packs such files, named after their items"

/* The first that fits counts. */
static const Signature signatures[] = {
    {"\x1f\x8b", 0, 2, "a gzip file; gunzip it (texts may stay so)"},
    {"PK\3\4", 0, 4, "a zip file, as .npz and PyTorch checkpoints are; pm-import takes those"},
    {"PK\5\6", 0, 4, "an empty zip file"},
    {"\x93NUMPY", 0, 6, "an array of NumPy (.npy); pm-import takes it"},
    {"\x80\2\x8a\x0a\x6c\xfc\x9c\x46", 0, 8, "an older checkpoint of PyTorch; pm-import takes it"},
    {"\xde\xc0\xef\xbe", 16, 4,
     "an LMDB file; pm-imgpack's image stores are for pm-encode-image, pm-train-user --image and pm-export, "
     "and "
     "PMMRec's pickled images for pm-imgpack --pickled"},
    {"\xff\xd8\xff", 0, 3, "a JPEG " PICTURE},
    {"\x89PNG", 0, 4, "a PNG " PICTURE},
    {"GIF8", 0, 4, "a GIF picture; convert it to JPEG or PNG"},
    {"WEBP", 8, 4, "a WebP " PICTURE},
    {"ustar", 257, 5, "a tar file; pm-imgpack --tar takes one of pictures"},
    {"BZh", 0, 3, "a bzip2 file; bunzip2 it"},
    {"\xfd"
     "7zXZ",
     0, 5, "an xz file; unxz it"},
    {"%PDF", 0, 4, "a PDF"},
    {"\x7f"
     "ELF",
     0, 4, "a program"},
    {"<!DOCTYPE", 0, 9, "a web page (HTML); was it saved in the place of a download?"},
    {"<!doctype", 0, 9, "a web page (HTML); was it saved in the place of a download?"},
    {"<html", 0, 5, "a web page (HTML); was it saved in the place of a download?"},
    {"version https://git-lfs", 0, 23, "a pointer of Git LFS, not the file itself; git lfs pull fetches it"},
};

static const struct {
    const char *kind, *what;
} streams[] = {
    {"tokens", "a .pmt stream of token ids; pm-encode-text and pm-train-user --text take it"},
    {"hidden",
     "a .pmt stream of hidden states; pm-encode-text, pm-encode-image, pm-fuse and pm-train-user take it"},
    {"pixels", "a .pmt stream of images; pm-encode-image and pm-train-user --image take it"},
    {"items", "a .pmt stream of item vectors; pm-eval, pm-recommend and pm-train-user take it as --items"},
    {"encoder",
     "an encoder in a .pmt stream; pm-encode-text and pm-encode-image take it as --encoder, pm-train-user as "
     "--text-encoder or --image-encoder"},
    {"model",
     "a model in a .pmt stream; pm-encode-text, pm-encode-image, pm-fuse, pm-eval and pm-recommend take it "
     "as "
     "--model, pm-train-user as --init"},
    {"checkpoint", "a checkpoint in a .pmt stream; pm-train-user --checkpoint goes on from it"},
};

const char *file_kind_of_stream(const char *kind) {
    for (size_t i = 0; kind && i < sizeof streams / sizeof *streams; i++)
        if (!strcmp(kind, streams[i].kind)) return streams[i].what;
    return NULL;
}

/* The value of "kind" in the msgpack map that a stream begins with: short strings both. */
static const char *describe_header(const unsigned char *bytes, size_t size) {
    static const char key[] = "\xa4kind";
    const unsigned char *found = memmem(bytes, size, key, sizeof key - 1);
    if (!memmem(bytes, size,
                "\xa6"
                "format\xa3pmt",
                11))
        return NULL;
    const size_t at = found ? (size_t)(found - bytes) + sizeof key - 1 : size;
    char kind[32] = "";
    if (at < size && (bytes[at] & 0xe0) == 0xa0 && at + 1 + (bytes[at] & 0x1fu) <= size)
        memcpy(kind, bytes + at + 1, bytes[at] & 0x1fu);
    const char *what = file_kind_of_stream(kind);
    return what ? what : "a .pmt stream; pm-cat shows what is in it";
}

static const char *describe_zstd(const unsigned char *bytes, size_t size) {
    unsigned char text[4096];
    ZSTD_outBuffer out = {text, sizeof text, 0};
    ZSTD_inBuffer in = {bytes, size, 0};
    ZSTD_DCtx *context = ZSTD_createDCtx();
    while (context && out.pos < out.size) {
        const size_t in_before = in.pos, out_before = out.pos;
        if (ZSTD_isError(ZSTD_decompressStream(context, &out, &in))) break;
        if (in.pos == in_before && out.pos == out_before) break;
    }
    ZSTD_freeDCtx(context);
    const char *what = describe_header(text, out.pos);
    return what ? what : "a zstd file of something else than a .pmt stream; unzstd it (texts may stay so)";
}

static bool is_text(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size && i < 4096; i++)
        if (bytes[i] < ' ' && !strchr("\t\n\r\f\v", bytes[i])) return false;
    return size > 0 && memchr(bytes, 0, size) == NULL;
}

static const char *describe_text(const unsigned char *bytes, size_t size) {
    if (!is_text(bytes, size)) return NULL;
    if (*bytes == '{' || *bytes == '[') return "JSON, as a config.json or settings are";
    const unsigned char *end = memchr(bytes, '\n', size);
    return memchr(bytes, '\t', end ? (size_t)(end - bytes) : size)
               ? "a text with TABs, as items.tsv (for pm-tokenize, pm-imgpack and --items) and users.tsv "
                 "(for --users) are"
               : "a text";
}

static const char *describe_binary(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        const Signature *signature = &signatures[i];
        if (size >= signature->offset + signature->size &&
            !memcmp(bytes + signature->offset, signature->bytes, signature->size))
            return signature->what;
    }
    if (size >= 4 && !memcmp(bytes, "\x28\xb5\x2f\xfd", 4)) return describe_zstd(bytes, size);
    if (size && bytes[0] >= 0x80) { /* a stream that was decompressed */
        const char *what = describe_header(bytes, size < 4096 ? size : 4096);
        if (what) return what;
    }
    /* The length of the header, which no file has so long that its upper bytes are used, and the header. */
    if (size > 9 && !bytes[5] && !bytes[6] && !bytes[7] && bytes[8] == '{')
        return "a safetensors file; pm-import takes it";
    return NULL;
}

const char *file_kind_describe(const void *bytes, size_t size) {
    const char *what = describe_binary(bytes, size);
    return what ? what : describe_text(bytes, size);
}

bool file_kind_is_binary(const void *bytes, size_t size) {
    return describe_binary(bytes, size);
}

bool file_kind_explain(const char *path, Error *error) {
    struct stat status;
    if (stat(path, &status) || !S_ISREG(status.st_mode))
        return false; /* opening a FIFO would wake its writer */
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    unsigned char *bytes = memory_need(FILE_KIND_BYTES, 1);
    const ssize_t size = file < 0 ? 0 : read(file, bytes, FILE_KIND_BYTES);
    if (file >= 0) close(file);
    const char *what = size > 0 ? file_kind_describe(bytes, (size_t)size) : NULL;
    const size_t used = strlen(error->message);
    if (what) snprintf(error->message + used, sizeof error->message - used, "; it is %s", what);
    free(bytes);
    return false;
}
