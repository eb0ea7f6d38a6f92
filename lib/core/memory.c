#include "core/memory.h"

#include "core/cleanup.h"
#include "core/log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *memory_allocate(size_t count, size_t size, Error *error) {
    void *block = calloc(count ? count : 1, size ? size : 1);
    if (!block) memory_error(error, count, size);
    return block;
}

bool memory_error(Error *error, size_t count, size_t size) {
    error_set(error, "out of memory: %zu × %zu bytes were needed", count, size);
    error->of_machine = true;
    return false;
}

static const char *advice;

void memory_advise(const char *what) {
    advice = what;
}

void memory_end(size_t count, size_t size) {
    char needed[64] = "";
    if (size) snprintf(needed, sizeof needed, ": %zu × %zu bytes were needed", count, size);
    log_error("out of memory%s%s%s", needed, advice ? "; " : "", advice ? advice : "");
    cleanup_and_fail();
}

static void *must(void *block, size_t count, size_t size) {
    if (!block) memory_end(count, size);
    return block;
}

void *memory_need(size_t count, size_t size) {
    return must(calloc(count ? count : 1, size ? size : 1), count, size);
}

void *memory_take(size_t size) {
    return must(malloc(size), 1, size);
}

enum { ALIGNMENT = 64, LARGE_PAGE = 1 << 21 };

void *memory_take_aligned(size_t size) {
    const size_t alignment = size >= LARGE_PAGE ? LARGE_PAGE : ALIGNMENT;
    const size_t whole = (size + alignment - 1) / alignment * alignment;
    void *block = must(aligned_alloc(alignment, whole ? whole : alignment), 1, size);
    memory_use_large_pages(block, size);
    return block;
}

void memory_use_large_pages(void *block, size_t size) {
    const uintptr_t start = (uintptr_t)block, end = (start + size) / LARGE_PAGE * LARGE_PAGE;
    const uintptr_t first = (start + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
    if (first < end) madvise((char *)block + (first - start), end - first, MADV_HUGEPAGE);
}

void *memory_resize(void *block, size_t count, size_t size) {
    return must(reallocarray(block, count ? count : 1, size ? size : 1), count, size);
}

void memory_want(const void *bytes, size_t size) {
    const size_t before = (uintptr_t)bytes % (uintptr_t)sysconf(_SC_PAGESIZE); /* in its first page */
    if (size) madvise((char *)bytes - before, before + size, MADV_WILLNEED);
}

char *memory_copy_text(const char *bytes, size_t size) {
    char *copy = memory_need(size + 1, 1);
    if (size) memcpy(copy, bytes, size);
    return copy;
}

void *memory_grow(void *block, size_t *capacity, size_t needed, size_t size) {
    if (needed <= *capacity) return block;
    size_t grown = *capacity ? *capacity : 16;
    while (grown < needed)
        grown = grown > SIZE_MAX / 2 ? needed : grown * 2;
    *capacity = grown;
    return memory_resize(block, grown, size);
}

char *memory_format(const char *format, ...) {
    va_list arguments;
    char *text;
    va_start(arguments, format);
    const int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return must(length < 0 ? NULL : text, 1, strlen(format));
}

static uint64_t record_limit; /* 0: not set */

uint64_t memory_record_limit(void) {
    if (record_limit) return record_limit;
    const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 2 : (uint64_t)1 << 32;
}

void memory_set_record_limit(uint64_t bytes) {
    record_limit = bytes;
}
