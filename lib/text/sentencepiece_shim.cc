#include "text/sentencepiece_shim.h"

#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <new>
#include <sentencepiece_processor.h>
#include <string>
#include <unistd.h>
#include <vector>

struct SentencePieceModel {
    sentencepiece::SentencePieceProcessor processor;
};

namespace {

/* While it lives, what is written to standard error is lost: the library reports there what it also returns.
 * Want of memory must be reported all the same; the library does not bear it as an exception. */
class QuietStandardError {
  public:
    QuietStandardError() {
        handler = std::set_new_handler(speak_again);
        kept = dup(STDERR_FILENO);
        const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (kept >= 0 && nowhere >= 0) dup2(nowhere, STDERR_FILENO);
        if (nowhere >= 0) close(nowhere);
    }
    ~QuietStandardError() {
        std::set_new_handler(handler);
        speak();
    }

  private:
    static void speak() {
        if (kept < 0) return;
        dup2(kept, STDERR_FILENO);
        close(kept);
        kept = -1;
    }
    /* Called again, as the other handler, for the memory that is still missing. */
    static void speak_again() {
        speak();
        std::set_new_handler(handler);
    }

    static int kept;
    static std::new_handler handler;
};

int QuietStandardError::kept = -1;
std::new_handler QuietStandardError::handler;

bool refuse(char *message, const char *text) {
    std::snprintf(message, SENTENCEPIECE_MESSAGE, "%s", text);
    return false;
}

/* Runs what may throw, or return a status that is not fine. */
template <class Call> bool guarded(char *message, Call call) {
    try {
        const sentencepiece::util::Status status = call();
        return status.ok() || refuse(message, status.error_message());
    } catch (const std::exception &exception) {
        return refuse(message, exception.what());
    } catch (...) {
        return refuse(message, "unknown exception");
    }
}

} // namespace

SentencePieceModel *sentencepiece_load(const void *bytes, size_t size, char *message) {
    const QuietStandardError quiet;
    SentencePieceModel *model = nullptr;
    const bool fine = guarded(message, [&] {
        model = new SentencePieceModel;
        return model->processor.LoadFromSerializedProto({static_cast<const char *>(bytes), size});
    });
    if (fine) return model;
    delete model;
    return nullptr;
}

void sentencepiece_free(SentencePieceModel *model) {
    delete model;
}

int32_t sentencepiece_count(const SentencePieceModel *model) {
    return model->processor.GetPieceSize();
}

bool sentencepiece_is_unknown(const SentencePieceModel *model, int32_t piece) {
    return model->processor.IsUnknown(piece);
}

bool sentencepiece_is_control(const SentencePieceModel *model, int32_t piece) {
    return model->processor.IsControl(piece);
}

bool sentencepiece_keeps_words_apart(const SentencePieceModel *model) {
    for (int32_t piece = 0; piece < sentencepiece_count(model); piece++) {
        const std::string &text = model->processor.IdToPiece(piece);
        if (text.find("\u2581", 1) != text.npos || text.find(' ', 1) != text.npos) return false;
    }
    return true;
}

bool sentencepiece_encode(const SentencePieceModel *model, const char *text, size_t size,
                          void (*take)(void *context, int32_t piece), void *context, char *message) {
    return guarded(message, [&] {
        std::vector<int> pieces;
        const auto status = model->processor.Encode({text, size}, &pieces);
        for (const int piece : pieces)
            take(context, piece);
        return status;
    });
}
