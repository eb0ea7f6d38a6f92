/* The streams and events of the card. As a rule what is queued is done at once. With a seed in the
 * environment variable PM_STREAM_SEED it is done late, while the host waits or asks: commands of streams that
 * are drawn from the seed, one after the other. So what is read before it is there, or changed while it is
 * still to be read, shows as a wrong result. */
#ifndef CUDA_ON_HOST_STREAMS_H
#define CUDA_ON_HOST_STREAMS_H

#include <functional>

typedef struct CudaOnHostStream *cudaStream_t;
typedef struct CudaOnHostEvent *cudaEvent_t;

cudaStream_t stream_create();
bool stream_is_done(cudaStream_t stream);
void stream_finish(cudaStream_t stream);
void streams_finish();

/* Does the command later; it has copies of all it reads of the host's but what is copied to the card. */
bool streams_are_late();
void stream_keep(cudaStream_t stream, std::function<void()> command);

/* Does it now, or later. */
template <typename Command> static inline void stream_queue(cudaStream_t stream, const Command &command) {
    if (stream && streams_are_late())
        stream_keep(stream, command);
    else
        command();
}

cudaEvent_t event_create();
void event_destroy(cudaEvent_t event);
void event_record(cudaEvent_t event, cudaStream_t stream);
bool event_is_done(cudaEvent_t event); /* when it was last recorded; also if it never was */
void event_finish(cudaEvent_t event);

/* What is queued in the stream from here on is done after that. */
void stream_wait(cudaStream_t stream, cudaEvent_t event);

#endif
