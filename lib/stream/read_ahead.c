#include "stream/read_ahead.h"

#include "core/memory.h"
#include "core/parallel.h"
#include "stream/zstd_input.h"

#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Together a few of the largest records that are usual. */
enum { CHUNK_BYTES = 1 << 17, CHUNKS = 16 };

typedef struct Chunk {
    unsigned char *bytes; /* taken when the thread first gets here */
    size_t used;
} Chunk;

struct ReadAhead {
    ZstdInput *input;
    int stop; /* an eventfd that ends the thread's waiting for input */
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t moved;
    Chunk chunks[CHUNKS];    /* a ring */
    size_t filled, consumed; /* chunks so far */
    size_t at;               /* bytes that the caller has had of the first chunk in the ring */
    bool closing, ended, failed;
    Error problem; /* when it failed */
};

/* A chunk in which there is nothing yet; NULL when the caller wants no more. */
static Chunk *wait_for_room(ReadAhead *ahead) {
    pthread_mutex_lock(&ahead->lock);
    while (ahead->filled - ahead->consumed == CHUNKS && !ahead->closing)
        pthread_cond_wait(&ahead->moved, &ahead->lock);
    Chunk *chunk = ahead->closing ? NULL : &ahead->chunks[ahead->filled % CHUNKS];
    pthread_mutex_unlock(&ahead->lock);
    return chunk;
}

/* What came is passed on at once, for a pipe may bring no more for long. */
static bool fill(ReadAhead *ahead, Chunk *chunk, Error *error) {
    if (!chunk->bytes) chunk->bytes = memory_need(CHUNK_BYTES, 1);
    return zstd_input_read(ahead->input, chunk->bytes, CHUNK_BYTES, &chunk->used, error);
}

static void *run(void *context) {
    ReadAhead *ahead = context;
    bool more = true;
    while (more) {
        Chunk *chunk = wait_for_room(ahead);
        Error problem;
        if (!chunk) break;
        const bool fine = fill(ahead, chunk, &problem);
        more = fine && chunk->used;
        pthread_mutex_lock(&ahead->lock);
        if (more) ahead->filled++;
        ahead->ended = fine && !more;
        ahead->failed = !fine;
        if (!fine) ahead->problem = problem;
        pthread_cond_signal(&ahead->moved);
        pthread_mutex_unlock(&ahead->lock);
    }
    return NULL;
}

ReadAhead *read_ahead_open(int file, const char *name, Error *error) {
    ZstdInput *input = zstd_input_open(file, error);
    if (!input) return NULL;
    ReadAhead *ahead = memory_need(1, sizeof *ahead);
    ahead->input = input;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->moved, NULL);
    ahead->stop = eventfd(0, EFD_CLOEXEC);
    zstd_input_stop_by(input, ahead->stop);
    ahead->has_thread = ahead->stop >= 0 && parallel_start_thread(&ahead->thread, run, ahead);
    if (ahead->has_thread) return ahead;
    error_set(error, "no thread could be started to read %s; too many may be running", name);
    read_ahead_close(ahead);
    return NULL;
}

void read_ahead_close(ReadAhead *ahead) {
    if (!ahead) return;
    if (ahead->has_thread) {
        pthread_mutex_lock(&ahead->lock);
        ahead->closing = true;
        pthread_cond_signal(&ahead->moved);
        pthread_mutex_unlock(&ahead->lock);
        eventfd_write(ahead->stop, 1);
        pthread_join(ahead->thread, NULL);
    }
    pthread_cond_destroy(&ahead->moved);
    pthread_mutex_destroy(&ahead->lock);
    for (size_t i = 0; i < CHUNKS; i++)
        free(ahead->chunks[i].bytes);
    if (ahead->stop >= 0) close(ahead->stop);
    zstd_input_close(ahead->input);
    free(ahead);
}

/* The first chunk in the ring; NULL at the end and after a failure, once all before it was had. */
static const Chunk *wait_for_chunk(ReadAhead *ahead, bool *fine, Error *error) {
    pthread_mutex_lock(&ahead->lock);
    while (ahead->filled == ahead->consumed && !ahead->ended && !ahead->failed)
        pthread_cond_wait(&ahead->moved, &ahead->lock);
    const bool any = ahead->filled > ahead->consumed;
    *fine = any || !ahead->failed;
    if (!*fine) *error = ahead->problem;
    pthread_mutex_unlock(&ahead->lock);
    return any ? &ahead->chunks[ahead->consumed % CHUNKS] : NULL;
}

bool read_ahead_read(ReadAhead *ahead, void *bytes, size_t room, size_t *got, Error *error) {
    bool fine;
    const Chunk *chunk = wait_for_chunk(ahead, &fine, error);
    *got = 0;
    if (!chunk) return fine;
    const size_t left = chunk->used - ahead->at;
    *got = left < room ? left : room;
    memcpy(bytes, chunk->bytes + ahead->at, *got);
    ahead->at += *got;
    if (ahead->at < chunk->used) return true;
    pthread_mutex_lock(&ahead->lock);
    ahead->at = 0;
    ahead->consumed++;
    pthread_cond_signal(&ahead->moved);
    pthread_mutex_unlock(&ahead->lock);
    return true;
}
