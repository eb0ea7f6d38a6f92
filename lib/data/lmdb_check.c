#include "data/lmdb_check.h"

#include "core/file_kind.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The layout is that of LMDB 0.9's mdb.c (struct MDB_page, MDB_node, MDB_meta, MDB_db). */
enum {
    PAGE_HEADER = 16,
    NODE_HEADER = 8,
    PAGE_BRANCH = 0x01,
    PAGE_LEAF = 0x02,
    PAGE_META = 0x08,
    PAGE_KINDS = 0x6f, /* all but the mark of a page being written */
    NODE_BIG = 0x01,   /* the value stands in pages of its own, whose number is here */
    FIXED_MAP = 0x01,
    MAX_DEPTH = 31,
    META_SIZE = PAGE_HEADER + 24 + 2 * 48 + 16,
};

static const uint32_t MAGIC = 0xbeefc0de, VERSION = 1;

typedef struct Database {
    uint32_t pad; /* of the first: the page size */
    uint16_t flags, depth;
    uint64_t pages[3]; /* with branches, with keys, of big values */
    uint64_t entries, root;
} Database;

typedef struct Meta {
    uint32_t magic, version;
    uint64_t address, map_size;
    Database databases[2]; /* the free pages, the main database */
    uint64_t last_page, transaction;
} Meta;

_Static_assert(sizeof(Meta) == META_SIZE - PAGE_HEADER, "an LMDB meta page has no gaps");

typedef struct Check {
    const uint8_t *bytes;
    size_t size, page_size;
    Meta meta;
    uint64_t pages, entries; /* seen so far */
} Check;

static uint16_t read_16(const uint8_t *bytes) {
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

bool lmdb_is_one(const void *bytes, size_t size) {
    uint32_t magic;
    if (size < PAGE_HEADER + sizeof magic) return false;
    memcpy(&magic, (const uint8_t *)bytes + PAGE_HEADER, sizeof magic);
    return magic == MAGIC && (read_16((const uint8_t *)bytes + 10) & PAGE_META);
}

static bool read_meta(const Check *check, size_t offset, Meta *meta, Error *error) {
    if (!offset && !lmdb_is_one(check->bytes, check->size)) {
        const size_t size = check->size < FILE_KIND_BYTES ? check->size : FILE_KIND_BYTES;
        const char *what = file_kind_describe(check->bytes, size);
        return error_set(error, "not an LMDB file%s%s", what ? " but " : "", what ? what : "");
    }
    if (check->size < META_SIZE || offset > check->size - META_SIZE)
        return error_set(error, "the file is truncated");
    if (!lmdb_is_one(check->bytes + offset, META_SIZE)) return error_set(error, "not an LMDB file");
    memcpy(meta, check->bytes + offset + PAGE_HEADER, sizeof *meta);
    const uint32_t page = meta->databases[0].pad;
    if (meta->version != VERSION || page < 512 || page > 65536 || (page & (page - 1)))
        return error_set(error, "an LMDB file of another version or machine");
    return true;
}

/* The newer of the two; the same choice as LMDB's. */
static bool choose_meta(Check *check, Error *error) {
    Meta second;
    if (!read_meta(check, 0, &check->meta, error)) return false;
    check->page_size = check->meta.databases[0].pad;
    if (!read_meta(check, check->page_size, &second, error)) return false;
    if (second.databases[0].pad != check->page_size)
        return error_set(error, "damaged: its two heads disagree about the page size");
    if (second.transaction > check->meta.transaction) check->meta = second;
    const Meta *meta = &check->meta;
    if (meta->last_page >= check->size / check->page_size)
        return error_set(error, "truncated: it holds %zu bytes and its head speaks of %llu pages of %zu",
                         check->size, (unsigned long long)meta->last_page + 1, check->page_size);
    if (meta->databases[0].flags & FIXED_MAP || meta->databases[1].flags)
        return error_set(error, "an LMDB file of a kind that is not read here");
    return true;
}

static bool check_leaf_node(const Check *check, const uint8_t *node, size_t room) {
    const size_t value = read_16(node) | (size_t)read_16(node + 2) << 16, key = read_16(node + 6);
    const unsigned flags = read_16(node + 4);
    if (flags & ~(unsigned)NODE_BIG || key > room) return false;
    if (!(flags & NODE_BIG)) return value <= room - key;
    uint64_t page;
    if (room - key < sizeof page) return false;
    memcpy(&page, node + NODE_HEADER + key, sizeof page);
    if (page < 2 || page > check->meta.last_page) return false;
    return value <= (check->meta.last_page + 1 - page) * check->page_size - PAGE_HEADER;
}

static bool check_page(Check *check, uint64_t page, int depth);

static bool check_node(Check *check, const uint8_t *bytes, unsigned offset, bool is_leaf, int depth) {
    if (offset & 1 || offset < PAGE_HEADER || offset > check->page_size - NODE_HEADER) return false;
    const uint8_t *node = bytes + offset;
    const size_t room = check->page_size - offset - NODE_HEADER;
    if (is_leaf) {
        check->entries++;
        return check_leaf_node(check, node, room);
    }
    const uint64_t child =
        read_16(node) | (uint64_t)read_16(node + 2) << 16 | (uint64_t)read_16(node + 4) << 32;
    return read_16(node + 6) <= room && check_page(check, child, depth + 1);
}

/* Counting the pages bounds the walk where a damaged tree runs together again. */
static bool check_page(Check *check, uint64_t page, int depth) {
    const bool is_leaf = depth == check->meta.databases[1].depth;
    if (page < 2 || page > check->meta.last_page || ++check->pages > check->meta.last_page) return false;
    const uint8_t *bytes = check->bytes + page * check->page_size;
    const unsigned kind = read_16(bytes + 10) & PAGE_KINDS, lower = read_16(bytes + 12),
                   upper = read_16(bytes + 14);
    if (kind != (is_leaf ? PAGE_LEAF : PAGE_BRANCH)) return false;
    if (lower & 1 || lower < PAGE_HEADER || lower > upper || upper > check->page_size) return false;
    const unsigned nodes = (lower - PAGE_HEADER) / 2;
    if (nodes < (is_leaf ? 1 : 2)) return false;
    for (unsigned i = 0; i < nodes; i++)
        if (!check_node(check, bytes, read_16(bytes + PAGE_HEADER + 2 * i), is_leaf, depth)) return false;
    return true;
}

static bool check_file(Check *check, Error *error) {
    if (!choose_meta(check, error)) return false;
    const Database *database = &check->meta.databases[1];
    if (!database->depth || !database->entries) return error_set(error, "an LMDB file without a key");
    if (database->depth > MAX_DEPTH || !check_page(check, database->root, 1) ||
        check->entries != database->entries || check->pages != database->pages[0] + database->pages[1])
        return error_set(error, "damaged: its tree of keys is broken");
    return true;
}

bool lmdb_check(const char *path, size_t *size, Error *error) {
    Check check = {0};
    struct stat status;
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return error_set_errno(error, "cannot read %s", path);
    bool fine = !fstat(file, &status) || error_set_errno(error, "cannot read %s", path);
    if (fine && !S_ISREG(status.st_mode)) fine = error_set(error, "%s: not a regular file", path);
    if (fine && !status.st_size) fine = error_set(error, "%s: the file is empty", path);
    if (fine) {
        check.size = *size = (size_t)status.st_size;
        void *map = mmap(NULL, check.size, PROT_READ, MAP_SHARED, file, 0);
        check.bytes = map;
        fine = map != MAP_FAILED || error_set_errno(error, "cannot read %s", path);
        if (fine && !check_file(&check, error)) fine = error_prefix(error, "%s: ", path);
        if (map != MAP_FAILED) munmap(map, check.size);
    }
    close(file);
    return fine;
}
