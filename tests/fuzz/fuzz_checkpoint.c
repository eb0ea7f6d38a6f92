/* The checkpoint of a training that goes on. The bytes are what its one frame decompresses to; its run is
 * taken for ours, so that all behind it is looked at. */
#include "fuzz.h"

#include "core/memory.h"
#include "model/recommender.h"
#include "stream/reader.h"
#include "train/checkpoint.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* An ID table of four items, whose rows are moved when they are in use, and a small user encoder. */
static Recommender *make_recommender(Error *error) {
    Settings settings = settings_default;
    settings.tower = TOWER_ID;
    settings.dim = 4, settings.user_heads = 1, settings.user_blocks = 1, settings.max_seq_len = 5;
    settings.sparse_updates = true;
    const RecommenderInputs inputs = {
        .item_towers = true, .user_encoder = true, .objectives = true, .id_items = 4};
    Recommender *recommender = recommender_create(&settings, &inputs, error);
    if (!recommender) return NULL;
    parameter_set_initialise(recommender->parameters, 1);
    parameter_set_move(recommender->parameters, &backend_cpu);
    parameter_set_make_trainable(recommender->parameters);
    parameter_update_by_rows(recommender->item_table);
    return recommender;
}

static json_t *run_of(const char *path) {
    Error error;
    StreamReader *reader = stream_reader_open(path, &error);
    json_t *run = reader ? json_deep_copy(json_object_get(stream_reader_header(reader), "run")) : NULL;
    stream_reader_close(reader);
    return run;
}

static void read_checkpoint(const char *path, json_t *run) {
    Error error;
    int64_t log_bytes;
    Trainer trainer = {.recommender = make_recommender(&error),
                       .options = {.checkpoint = path, .identity = run}};
    const char *keep = json_string_value(json_object_get(run, "keep"));
    if (!trainer.recommender) abort();
    trainer.options.keep_last = keep && !strcmp(keep, "last");
    optimizer_create(&trainer.optimizer, trainer.recommender->parameters);
    checkpoint_read(&trainer, &log_bytes, &error);
    Recommender *recommender = trainer.recommender;
    trainer_free(&trainer);
    recommender_destroy(recommender);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const size_t room = ZSTD_compressBound(size);
    uint8_t *frame = memory_need(room, 1);
    const char *path = fuzz_file("checkpoint.pmt", frame, ZSTD_compress(frame, room, bytes, size, -5));
    json_t *run = run_of(path);
    if (json_is_object(run)) read_checkpoint(path, run);
    json_decref(run);
    free(frame);
    return 0;
}
