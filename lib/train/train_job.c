#include "train/train_job.h"

#include "core/memory.h"
#include "train/output.h"
#include "train/run_identity.h"

#include <string.h>

typedef struct TrainJob {
    TrainRequest *request;
    TrainInputs inputs;
    TrainWeights weights;
    json_t *identity;
    Trainer trainer;
} TrainJob;

static void take_paths(TrainJob *job) {
    const TrainRequest *request = job->request;
    const Settings *settings = &request->settings;
    job->inputs.sides[MODALITY_TEXT] = (Side){.kind = &side_kinds[MODALITY_TEXT],
                                              .path = request->text,
                                              .weights_path = request->text_encoder,
                                              .config_path = settings->text_config,
                                              .config_given = request->text_config_given};
    job->inputs.sides[MODALITY_IMAGE] = (Side){.kind = &side_kinds[MODALITY_IMAGE],
                                               .path = request->image,
                                               .weights_path = request->image_encoder,
                                               .config_path = settings->image_config,
                                               .config_given = request->image_config_given};
}

static bool create_trainer(TrainJob *job, Error *error) {
    const TrainRequest *request = job->request;
    job->identity = run_identity(request, &job->inputs, &job->weights);
    if (!run_identity_agrees(job->identity, request, error)) return false;
    const TrainerOptions options = {.ranks = request->ranks,
                                    .keep_last = !strcmp(request->keep, "last"),
                                    .checkpoint = request->checkpoint,
                                    .checkpoint_every = request->checkpoint_every,
                                    .restart = request->restart,
                                    .check_numerics = request->check_numerics,
                                    .log = request->log,
                                    .identity = job->identity};
    return trainer_create(&job->trainer, job->weights.recommender, &job->inputs.behaviours,
                          &job->inputs.source, &options, error);
}

/* Standard input would go to one of the processes alone. */
static bool check_for_ranks(const TrainRequest *request, Error *error) {
    const char *const paths[] = {request->users, request->text,    request->image,
                                 request->items, request->catalog, request->init};
    for (size_t i = 0; request->ranks->count > 1 && i < sizeof paths / sizeof *paths; i++)
        if (paths[i] && !strcmp(paths[i], "-"))
            return error_set(error, "several processes cannot share standard input; give a file");
    return true;
}

static bool run(TrainJob *job, Program *program, Error *error) {
    TrainRequest *request = job->request;
    TrainInputs *inputs = &job->inputs;
    TrainWeights *weights = &job->weights;
    take_paths(job);
    return check_for_ranks(request, error) && weights_open(weights, inputs, request, error) &&
           weights_inherit_settings(weights, program, error) && inputs_choose_tower(inputs, request, error) &&
           inputs_read(inputs, request, error) && weights_load(weights, inputs, request, error) &&
           create_trainer(job, error) && trainer_run(&job->trainer, error) &&
           output_write(&job->trainer, inputs, weights, request, program, error);
}

bool train_job(TrainRequest *request, Program *program, Error *error) {
    TrainJob *job = memory_need(1, sizeof *job);
    job->request = request;
    const bool fine = run(job, program, error);
    if (job->trainer.recommender) trainer_free(&job->trainer);
    json_decref(job->identity);
    weights_free(&job->weights);
    inputs_free(&job->inputs);
    free(job);
    return fine;
}
