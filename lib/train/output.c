#include "train/output.h"

#include "model/model_file.h"
#include "train/run_identity.h"

static void describe_epoch(json_t *header, const Trainer *trainer) {
    const KeptModel *kept = trainer_kept(trainer);
    if (!kept->epoch) return;
    json_object_set_new(header, "epoch", json_integer(kept->epoch));
    if (kept->valid) json_object_set(header, "valid", kept->valid);
}

static json_t *model_header(const Trainer *trainer, const TrainInputs *inputs, const TrainWeights *weights,
                            const TrainRequest *request, const Program *program) {
    json_t *header = header_create("model");
    json_object_set_new(header, "config", settings_record(&request->settings));
    for (const Side *side = inputs->sides; side < inputs->sides + MODALITIES; side++)
        json_object_set_new(header, modality_encoder_key(side->kind->modality),
                            side->encoder_json ? json_incref(side->encoder_json) : json_null());
    if (request->ranks->count > 1) json_object_set_new(header, "ranks", json_integer(request->ranks->count));
    describe_epoch(header, trainer);
    header_sign(header, program->name, options_record(program));
    header_add_input(header, "users", NULL);
    for (const Side *side = inputs->sides; side < inputs->sides + MODALITIES; side++) {
        if (side->store) header_add_input(header, side->kind->name, side->store->header);
        if (side->weights)
            header_add_input(header, side->kind->encoder_option, stream_reader_header(side->weights));
    }
    if (inputs->vectors) header_add_input(header, "items", inputs->vectors->header);
    if (inputs->catalogue.names) header_add_input(header, "catalog", NULL);
    if (weights->init) header_add_input(header, "init", stream_reader_header(weights->init));
    return header;
}

static void add_contents(StreamWriter *writer, const TrainInputs *inputs, const TrainWeights *weights) {
    json_t *contents = run_contents(inputs, weights), *content;
    const char *role;
    json_object_foreach(contents, role, content)
        stream_writer_add_content(writer, role, json_incref(content));
    json_decref(contents);
}

bool output_write(const Trainer *trainer, const TrainInputs *inputs, const TrainWeights *weights,
                  const TrainRequest *request, const Program *program, Error *error) {
    if (!ranks_writes(request->ranks)) return true;
    json_t *header = model_header(trainer, inputs, weights, request, program);
    StreamWriter *writer = stream_writer_open(request->output, header, error);
    json_decref(header);
    if (!writer) return false;
    add_contents(writer, inputs, weights);
    if (model_file_write(writer, weights->recommender->parameters, error))
        return stream_writer_close(writer, error);
    stream_writer_abandon(writer);
    return false;
}
