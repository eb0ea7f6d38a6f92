/* What C++ libraries (oneDNN, SentencePiece) do without memory: the same as everybody. */
#include <new>

extern "C" {
#include "core/memory.h"
}

static void end_of_memory() {
    memory_end(0, 0);
}

void memory_watch_new() {
    std::set_new_handler(end_of_memory);
}
