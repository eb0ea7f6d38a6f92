#include "streams.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <vector>

/* A place in a stream, which an event was recorded at. */
struct Place {
    bool reached = false;
};

struct Command {
    std::function<void()> run;
    std::shared_ptr<Place> after; /* NULL: nothing */
};

struct CudaOnHostStream {
    std::deque<Command> commands;
};

struct CudaOnHostEvent {
    std::shared_ptr<Place> place; /* NULL: none yet */
};

static std::vector<CudaOnHostStream *> &streams() {
    static std::vector<CudaOnHostStream *> *all = new std::vector<CudaOnHostStream *>();
    return *all;
}

static const char *seed() {
    static const char *text = std::getenv("PM_STREAM_SEED");
    return text;
}

bool streams_are_late() {
    return seed();
}

/* SplitMix64. */
static size_t random_below(size_t bound) {
    static uint64_t state = std::strtoull(seed(), nullptr, 10);
    uint64_t bits = state += 0x9e3779b97f4a7c15u;
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111ebu;
    return static_cast<size_t>((bits ^ bits >> 31) % bound);
}

static bool can_go_on(const CudaOnHostStream *stream) {
    return !stream->commands.empty() &&
           (!stream->commands.front().after || stream->commands.front().after->reached);
}

/* One command of any stream. */
static void go_on() {
    std::vector<CudaOnHostStream *> ready;
    for (CudaOnHostStream *stream : streams())
        if (can_go_on(stream)) ready.push_back(stream);
    if (ready.empty()) {
        std::fprintf(stderr, "cuda on host: what is waited for was never queued\n");
        std::abort();
    }
    CudaOnHostStream *stream = ready[random_below(ready.size())];
    const Command command = std::move(stream->commands.front());
    stream->commands.pop_front();
    command.run();
}

cudaStream_t stream_create() {
    streams().push_back(new CudaOnHostStream());
    return streams().back();
}

void stream_keep(cudaStream_t stream, std::function<void()> command) {
    stream->commands.push_back({std::move(command), nullptr});
}

/* The host asks again and again: meanwhile something is done. */
bool stream_is_done(cudaStream_t stream) {
    if (!stream->commands.empty()) go_on();
    return stream->commands.empty();
}

void stream_finish(cudaStream_t stream) {
    while (stream && !stream->commands.empty())
        go_on();
}

void streams_finish() {
    for (CudaOnHostStream *stream : streams())
        stream_finish(stream);
}

cudaEvent_t event_create() {
    return new CudaOnHostEvent();
}

void event_destroy(cudaEvent_t event) {
    delete event;
}

void event_record(cudaEvent_t event, cudaStream_t stream) {
    const std::shared_ptr<Place> place = std::make_shared<Place>();
    event->place = place;
    stream_queue(stream, [place] { place->reached = true; });
}

static bool is_reached(cudaEvent_t event) {
    return !event->place || event->place->reached;
}

bool event_is_done(cudaEvent_t event) {
    if (!is_reached(event)) go_on();
    return is_reached(event);
}

void event_finish(cudaEvent_t event) {
    while (!is_reached(event))
        go_on();
}

void stream_wait(cudaStream_t stream, cudaEvent_t event) {
    if (!is_reached(event)) stream->commands.push_back({[] {}, event->place});
}
