/* jobs JOB [--dtype f32|bf16] [--repeats N] [--threads N] [--dim D] [--length L] [--batch B] [--images DIR]
 *
 * Times one job over made-up data and prints a JSON line: seconds of processor time and of the clock by
 * repetition, after those that warm up, the users, items or images of one (units), and the GFLOP of its
 * matrix products. peer.py does the same work over the same data in PyTorch. */
#include "core/file.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/parallel.h"
#include "data/image_decode.h"
#include "data/image_resize.h"
#include "eval/scorer.h"
#include "model/recommender.h"
#include "nn/optimizer.h"

#include <glob.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ITEMS = 3168, USERS = 5755, IMAGE_TOKENS = 50, ENCODED_TEXTS = 128, ENCODED_IMAGES = 32 };

static struct {
    const char *device, *dtype;
    const char *images;
    int64_t repeats, dim, length, batch;
} arguments = {"cpu", "f32", NULL, 3, 64, 20, 0};

static Option options[] = {
    OPTION_DEVICE(arguments.device),
    {.name = "dtype",
     .kind = OPTION_TEXT,
     .value = &arguments.dtype,
     .choices = "f32|bf16",
     .argument = "TYPE",
     .help = "of the matrix products"},
    {.name = "repeats",
     .kind = OPTION_INTEGER,
     .value = &arguments.repeats,
     .argument = "N",
     .minimum = 1,
     .maximum = 1000,
     .help = "timed runs"},
    {.name = "dim",
     .kind = OPTION_INTEGER,
     .value = &arguments.dim,
     .argument = "D",
     .minimum = 2,
     .maximum = 65536,
     .help = "id-step: width of item vectors"},
    {.name = "length",
     .kind = OPTION_INTEGER,
     .value = &arguments.length,
     .argument = "L",
     .minimum = 1,
     .maximum = 1000,
     .help = "most inputs of a sequence"},
    {.name = "batch",
     .kind = OPTION_INTEGER,
     .value = &arguments.batch,
     .argument = "B",
     .minimum = 0,
     .maximum = 100000,
     .help = "users in a step; 0: the job's own"},
    {.name = "images",
     .kind = OPTION_TEXT,
     .value = &arguments.images,
     .argument = "DIR",
     .help = "decode: a folder of JPEG files"},
    {0},
};

static Program program = {
    .name = "jobs",
    .usage =
        "id-step | features-step | cached-step | encode-text | encode-image | eval | decode |\n"
        "            limit [options]",
    .purpose = "Times a job over made-up data.",
    .example = "  jobs cached-step --dtype bf16 --threads 1",
    .options = options,
    .version_details = backend_describe,
};

static const Backend *products;
static double flop;

static void count_and_multiply(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                               size_t c_stride) {
    flop += 2.0 * (double)m * (double)n * (double)k;
    products->matmul(m, n, k, a, b, beta, c, c_stride);
}

static void count_and_multiply_with_bias(size_t m, size_t n, size_t k, Matrix a, Matrix b, const float *bias,
                                         float *c) {
    flop += 2.0 * (double)m * (double)n * (double)k;
    products->matmul_with_bias(m, n, k, a, b, bias, c);
}

/* The products, as a backend that counts what it multiplies. */
static Backend counting(void) {
    Backend backend = *products;
    backend.matmul = count_and_multiply;
    if (backend.matmul_with_bias) backend.matmul_with_bias = count_and_multiply_with_bias;
    return backend;
}

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void print_times(const char *name, const double *times) {
    printf(", \"%s\": [", name);
    for (int64_t i = 0; i < arguments.repeats; i++)
        printf("%s%.6f", i ? ", " : "", times[i]);
    printf("]");
}

/* What is queued on a device is done when something of it has been read. */
static void wait_for_device(float *memory) {
    float value;
    products->memory->download(sizeof value, memory, &value);
}

static void measure(const char *job, size_t units, void (*work)(void *), void *context) {
    double *cpu = memory_need((size_t)arguments.repeats, sizeof *cpu);
    double *wall = memory_need((size_t)arguments.repeats, sizeof *wall);
    float *waited = products->memory->take(sizeof *waited);
    products->memory->fill(1, 0, waited);
    work(context);
    work(context); /* the arena is one block from here on */
    wait_for_device(waited);
    flop = 0;
    for (int64_t i = 0; i < arguments.repeats; i++) {
        const double cpu_start = seconds(CLOCK_PROCESS_CPUTIME_ID), start = seconds(CLOCK_MONOTONIC);
        work(context);
        wait_for_device(waited);
        cpu[i] = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
        wall[i] = seconds(CLOCK_MONOTONIC) - start;
    }
    printf("{\"job\": \"%s\", \"dtype\": \"%s\", \"threads\": %d, \"units\": %zu, \"gflop\": %.3f", job,
           arguments.dtype, parallel_threads(), units, 1e-9 * flop / (double)arguments.repeats);
    print_times("cpu", cpu);
    print_times("wall", wall);
    printf("}\n");
    products->memory->release(waited, sizeof *waited);
    free(cpu);
    free(wall);
}

/* Made-up data, the same as in peer.py. */
static double draw(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 33) / 2147483648.0;
}

static uint32_t draw_item(uint64_t *state) {
    const double u = draw(state);
    return 1 + (uint32_t)(ITEMS * u * u);
}

static size_t text_length(uint32_t item) {
    return 34 + (size_t)item * 7 % 17;
}

static void fill(float *values, size_t count, uint64_t seed) {
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(draw(&seed) - 0.5);
}

static void *need(void *pointer, const Error *error) {
    if (pointer) return pointer;
    fprintf(stderr, "jobs: %s\n", error->message);
    exit(1);
}

typedef struct Step {
    Recommender *recommender;
    Tape *tape;
    Optimizer optimizer;
    ItemBatch items;
    TrainingRows rows;
    UserRows inputs;
    uint64_t number;
} Step;

/* Rows of L + 1 items; the distinct ones become rows of the item vectors. */
static void make_rows(Step *step, size_t users, size_t length) {
    const size_t count = users * (length + 1);
    size_t *offsets = memory_need(users + 1, sizeof *offsets),
           *shorter = memory_need(users + 1, sizeof *shorter);
    uint32_t *items = memory_need(count, sizeof *items), *inputs = memory_need(count, sizeof *inputs);
    uint32_t *numbers = memory_need(ITEMS, sizeof *numbers), place[ITEMS + 1] = {0};
    float *popularity = memory_need(ITEMS, sizeof *popularity);
    uint64_t state = 1;
    for (size_t i = 0; i < count; i++) {
        const uint32_t item = draw_item(&state);
        if (!place[item]) {
            numbers[step->items.count] = item;
            popularity[step->items.count] = 1.0f / (float)item;
            place[item] = (uint32_t)++step->items.count;
        }
        items[i] = place[item] - 1;
    }
    for (size_t user = 0; user <= users; user++) {
        offsets[user] = user * (length + 1);
        shorter[user] = user * length;
        if (user < users) memcpy(inputs + shorter[user], items + offsets[user], length * sizeof *items);
    }
    step->items.numbers = numbers;
    step->rows = (TrainingRows){users, {users, offsets}, items, step->items.count, popularity};
    step->inputs = (UserRows){{users, shorter}, inputs, 0, length};
}

static Segments make_segments(const Step *step, size_t fixed) {
    size_t *offsets = memory_need(step->items.count + 1, sizeof *offsets);
    for (size_t i = 0; i < step->items.count; i++)
        offsets[i + 1] = offsets[i] + (fixed ? fixed : text_length(step->items.numbers[i]));
    return (Segments){step->items.count, offsets};
}

static float *make_hidden(Segments segments, size_t width, uint64_t seed) {
    float *values = memory_need(segments_rows(segments) * width, sizeof *values);
    fill(values, segments_rows(segments) * width, seed);
    return values;
}

static void run_step(void *context) {
    static const GroupRate rates[GROUP_COUNT] = {{1e-4, 0.1}, {1e-4, 0.1}, {1e-4, 0.1}};
    Step *step = context;
    const Recommender *recommender = step->recommender;
    ItemTokens tokens;
    tape_reset(step->tape, ++step->number);
    Tensor *items = recommender_items(recommender, step->tape, &step->items, false, &tokens);
    const ObjectiveInput input = {.settings = &recommender->settings,
                                  .rows = &step->rows,
                                  .inputs = &step->inputs,
                                  .tokens = &tokens,
                                  .items = items,
                                  .hidden = recommender_users(recommender, step->tape, items, &step->inputs)};
    Tensor *loss = recommender->objective.kinds[0]->loss(NULL, step->tape, &input);
    tape_send(step->tape);
    products->memory->collect(); /* of the step before, as in training */
    tape_backward(step->tape, loss);
    optimizer_step(&step->optimizer, recommender->parameters, rates, 1, 0);
    parameter_set_clear_gradients(recommender->parameters);
}

static const EncoderConfig text_config = {ENCODER_ROBERTA, 768, 12, 12, 3072, 1e-5, ACTIVATION_GELU,
                                          20000,           514, 1,  1,  0,    0,    0};
static const EncoderConfig image_config = {
    ENCODER_CLIP_VISION, 768, 12, 12, 3072, 1e-5, ACTIVATION_QUICK_GELU, 0, 0, 0, 0, 224, 32, 3};

/* `trained`: blocks of each encoder that train; −1: an ID tower. */
static void time_step(const char *job, Tape *tape, int trained) {
    Error error;
    Step step = {.tape = tape};
    Settings settings = settings_default;
    settings.max_seq_len = arguments.length;
    if (trained < 0) {
        settings.tower = TOWER_ID;
        settings.dim = arguments.dim;
    }
    make_rows(&step,
              arguments.batch ? (size_t)arguments.batch
              : trained < 0   ? 128
                              : 32,
              (size_t)arguments.length);
    RecommenderInputs inputs = {.item_towers = true, .user_encoder = true, .objectives = true};
    if (trained < 0) {
        inputs.id_items = ITEMS;
    } else {
        inputs.text_width = inputs.image_width = text_config.width;
        inputs.text = trained ? &text_config : NULL;
        inputs.image = trained ? &image_config : NULL;
        inputs.text_blocks = inputs.image_blocks = 12 - trained;
        step.items.text_segments = make_segments(&step, 0);
        step.items.image_segments = make_segments(&step, IMAGE_TOKENS);
        step.items.text_hidden = make_hidden(step.items.text_segments, text_config.width, 2);
        step.items.image_hidden = make_hidden(step.items.image_segments, text_config.width, 3);
        step.items.image_tokens = IMAGE_TOKENS;
    }
    step.recommender = need(recommender_create(&settings, &inputs, &error), &error);
    parameter_set_initialise(step.recommender->parameters, 1);
    parameter_set_move(step.recommender->parameters, tape->backend);
    parameter_set_make_trainable(step.recommender->parameters);
    optimizer_create(&step.optimizer, step.recommender->parameters);
    measure(job, step.rows.users, run_step, &step);
}

typedef struct Encoding {
    Encoder *encoder;
    Tape *tape;
    bool text;
    size_t count;
    uint32_t *ids;
    float *pixels;
} Encoding;

/* In windows of about as many tokens as the tools take. */
static void run_encoding(void *context) {
    const Encoding *e = context;
    const size_t window = 32;
    const uint32_t *ids = e->ids;
    const float *pixels = e->pixels;
    for (size_t first = 0; first < e->count; first += window) {
        size_t offsets[33] = {0};
        Segments segments = {window, offsets};
        Tensor *hidden;
        tape_reset(e->tape, 0);
        for (size_t i = 0; i < window; i++)
            offsets[i + 1] = offsets[i] + text_length((uint32_t)(first + i + 1));
        hidden = e->text ? encoder_embed_text(e->encoder, e->tape, ids, segments, 0)
                         : encoder_embed_images(e->encoder, e->tape, pixels, window, &segments, 0);
        if (e->text)
            ids += segments_rows(segments);
        else
            pixels += window * 3 * 224 * 224;
        encoder_run_blocks(e->encoder, e->tape, hidden, segments, e->encoder->config.blocks, 0);
    }
}

static void time_encoding(const char *job, Tape *tape, bool text) {
    ParameterSet *set = parameter_set_create();
    Encoding e = {.tape = tape, .text = text, .count = text ? ENCODED_TEXTS : ENCODED_IMAGES};
    const EncoderConfig *config = text ? &text_config : &image_config;
    uint64_t state = 4;
    e.encoder = encoder_create(set, config, "", ENCODER_FROM_INPUT, config->blocks);
    parameter_set_initialise(set, 1);
    parameter_set_move(set, tape->backend);
    e.ids = memory_need(e.count * 50, sizeof *e.ids);
    for (size_t i = 0; i < e.count * 50; i++)
        e.ids[i] = 5 + (uint32_t)(19000 * draw(&state));
    if (!text) {
        e.pixels = memory_need(e.count * 3 * 224 * 224, sizeof *e.pixels);
        fill(e.pixels, e.count * 3 * 224 * 224, 5);
    }
    measure(job, e.count, run_encoding, &e);
}

typedef struct Evaluation {
    Behaviours behaviours;
    float *users, *items;
    double *ranks;
    size_t dim;
} Evaluation;

static void run_evaluation(void *context) {
    Evaluation *e = context;
    Error error;
    const Backend backend = counting();
    Tape *tape = tape_create(&backend, false);
    const Scorer scorer = {NULL, tape, {e->dim, .padding = e->items, .array = e->items}};
    const UserChoice users = {.behaviours = &e->behaviours, .split = SPLIT_TEST, .count = USERS};
    if (!scorer_rank_states(&scorer, e->users, &users, ITEMS, e->ranks, &error)) need(NULL, &error);
    tape_destroy(tape);
}

static void time_evaluation(const char *job) {
    Evaluation e = {.dim = 768};
    const size_t length = (size_t)arguments.length + 3;
    uint64_t state = 6;
    e.behaviours = (Behaviours){.user_count = USERS, .item_count = ITEMS, .known_count = ITEMS};
    e.behaviours.options = (BehavioursOptions){.min_seq_len = 3, .max_seq_len = (uint32_t)arguments.length};
    e.behaviours.offsets = memory_need(USERS + 1, sizeof(size_t));
    e.behaviours.sequences = memory_need(USERS * length, sizeof(uint32_t));
    for (size_t i = 0; i <= USERS; i++)
        e.behaviours.offsets[i] = i * length;
    for (size_t i = 0; i < USERS * length; i++)
        e.behaviours.sequences[i] = draw_item(&state);
    e.items = memory_need((ITEMS + 1) * e.dim, sizeof(float));
    e.ranks = memory_need(USERS, sizeof(double));
    float *users = memory_need(USERS * e.dim, sizeof *users);
    fill(users, USERS * e.dim, 7);
    e.users = products->memory->take(USERS * e.dim * sizeof *users);
    products->memory->upload(USERS * e.dim * sizeof *users, users, e.users);
    free(users);
    fill(e.items, (ITEMS + 1) * e.dim, 8);
    measure(job, USERS, run_evaluation, &e);
}

typedef struct Decoding {
    char **files;
    size_t count, size;
    uint8_t *pixels;
} Decoding;

static void run_decoding(void *context) {
    const Decoding *d = context;
    Error error, warning;
    ImageResizer *resizer = image_resizer_create((uint32_t)d->size, &image_recipe_standard);
    for (size_t i = 0; i < d->count; i++) {
        size_t size;
        uint8_t *bytes = need(file_read(d->files[i], SIZE_MAX, &size, &error), &error);
        const ImageSink sink = image_resizer_sink(resizer, d->pixels);
        if (!image_decode(bytes, size, &sink, &warning, &error)) need(NULL, &error);
        free(bytes);
    }
    image_resizer_destroy(resizer);
}

static void time_decoding(const char *job) {
    glob_t found = {0};
    char *pattern;
    if (!arguments.images) options_wrong_usage(&program, "decode needs --images");
    if (asprintf(&pattern, "%s/*.jpg", arguments.images) < 0 || glob(pattern, 0, NULL, &found))
        options_wrong_usage(&program, "there is no JPEG file in %s", arguments.images);
    Decoding d = {found.gl_pathv, found.gl_pathc, 224, memory_need(224 * 224, 3)};
    measure(job, d.count, run_decoding, &d);
}

/* The rate of products alone, of the sizes of a block's layers. */
typedef struct Limit {
    Tape *tape;
    Tensor *inputs[3];
    Parameter *weights[3];
    float *result;
} Limit;

static void run_limit(void *context) {
    const Limit *limit = context;
    const Backend *backend = limit->tape->backend;
    for (size_t i = 0; i < 3; i++)
        backend->matmul(limit->inputs[i]->rows, limit->weights[i]->rows, limit->inputs[i]->columns,
                        tape_matrix(limit->tape, limit->inputs[i]),
                        transposed(parameter_matrix(limit->weights[i])), 0, limit->result,
                        limit->weights[i]->rows);
}

static void time_limit(const char *job, Tape *tape) {
    static const size_t sizes[3][2] = {{768, 768}, {3072, 768}, {768, 3072}};
    ParameterSet *set = parameter_set_create();
    Limit limit = {.tape = tape};
    for (size_t i = 0; i < 3; i++) {
        limit.inputs[i] = tape_tensor(tape, 1600, sizes[i][1], false);
        float *values = memory_need(1600 * sizes[i][1], sizeof *values);
        fill(values, 1600 * sizes[i][1], i);
        tape->backend->memory->upload(1600 * sizes[i][1] * sizeof *values, values, limit.inputs[i]->value);
        free(values);
        limit.weights[i] =
            parameter_add(set, GROUP_REST, INITIAL_NORMAL, sizes[i][0], sizes[i][1], "weight%zu", i);
    }
    parameter_set_initialise(set, 1);
    parameter_set_move(set, tape->backend);
    limit.result = tape->backend->memory->take(1600 * 3072 * sizeof(float));
    measure(job, 1, run_limit, &limit);
}

int main(int argc, char **argv) {
    const int first = options_parse(&program, argc, argv);
    Error error;
    if (first + 1 != argc) options_wrong_usage(&program, "name one job");
    const char *job = argv[first];
    products = need((void *)backend_find(arguments.device, arguments.dtype, &error), &error);
    const Backend backend = counting();
    Tape *tape = tape_create(&backend, !strstr(job, "encode"));
    if (!strcmp(job, "id-step"))
        time_step(job, tape, -1);
    else if (!strcmp(job, "features-step"))
        time_step(job, tape, 0);
    else if (!strcmp(job, "cached-step"))
        time_step(job, tape, 2);
    else if (!strcmp(job, "encode-text") || !strcmp(job, "encode-image"))
        time_encoding(job, tape, !strcmp(job, "encode-text"));
    else if (!strcmp(job, "eval"))
        time_evaluation(job);
    else if (!strcmp(job, "decode"))
        time_decoding(job);
    else if (!strcmp(job, "limit"))
        time_limit(job, tape);
    else
        options_wrong_usage(&program, "there is no job %s", job);
    return 0;
}
