#include "stream/shard.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { MAX_SHARDS = 1000000 };

bool shard_parse(Shard *shard, const char *text, Error *error) {
    char *slash, *end;
    *shard = (Shard){0};
    if (!text) return true;
    errno = 0;
    const long long number = strtoll(text, &slash, 10);
    const long long count = *slash == '/' ? strtoll(slash + 1, &end, 10) : 0;
    if (*slash != '/' || *end || errno || number < 1 || number > count || count > MAX_SHARDS)
        return error_set(error, "--shard takes I/N, with I from 1 to N, not '%.32s'", text);
    *shard = (Shard){(uint64_t)number, (uint64_t)count};
    return true;
}

/* total · i / count without overflow. */
static uint64_t boundary(const Shard *shard, uint64_t total, uint64_t i) {
    return total / shard->count * i + total % shard->count * i / shard->count;
}

void shard_range(const Shard *shard, uint64_t total, uint64_t *first, uint64_t *count) {
    const uint64_t before = shard->count ? boundary(shard, total, shard->number - 1) : 0,
                   end = shard->count ? boundary(shard, total, shard->number) : total;
    *first = before + 1;
    *count = end - before;
}

bool shard_takes(const Shard *shard, uint64_t number) {
    return !shard->count || (number - 1) % shard->count == shard->number - 1;
}
