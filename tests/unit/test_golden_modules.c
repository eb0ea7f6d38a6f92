/* The whole model against the released PyTorch code: outputs, losses, gradients and three AdamW steps of one
 * batch, with stub encoders (an embedding table for text, one linear layer for image hidden states).
 *
 * The released code encodes every place of the batch, padding too. Here each distinct item is encoded once,
 * and the padding item where a user encoder sees it; an item's vector is the same wherever it stands, and the
 * gradients of its places add up, so all figures must agree. Every model runs twice: with the padding item
 * only where it is needed, and with it always, since then it must change nothing. */
#include "golden.h"
#include "model/recommender.h"
#include "nn/optimizer.h"

/* A batch of the golden file: rows of L + 1 places, padded on the left. */
typedef struct Places {
    size_t users, width;
    const uint32_t *ids;  /* [users, width], 0 is padding */
    const uint32_t *text; /* [users, width, 2·T]: token ids, then their mask */
    size_t text_tokens, image_tokens, image_width;
    const float *image; /* [users, width, P, W] */
} Places;

typedef struct Model {
    Golden golden;
    Recommender *recommender;
    Parameter *words;       /* the stub of the text encoder */
    LinearLayer image_stub; /* the stub of the image encoder */
    Tape *tape;
    Optimizer optimizer;
    bool padding; /* encode the padding item, as the last */
    Places places;
    size_t distinct;
    size_t first[64];   /* by distinct item, and at last the padding item: a place where it stands */
    uint32_t index[64]; /* by place: which distinct item; for padding: their number */
    uint32_t numbers[64], items[64], inputs[64]; /* by distinct item; by position of rows and of inputs */
    size_t row_offsets[16], input_offsets[16];
    float popularity[64];
} Model;

typedef struct Outputs {
    ItemTokens tokens;
    Tensor *items, *hidden, *loss;
} Outputs;

static void read_places(Model *model) {
    Places *places = &model->places;
    const GoldenArray *ids = golden_need(&model->golden, "in.item_ids");
    const GoldenArray *text = golden_need(&model->golden, "in.text");
    const GoldenArray *image = golden_need(&model->golden, "in.image_hidden");
    *places = (Places){ids->shape[0],      ids->shape[1],   ids->integers,   text->integers,
                       text->shape[2] / 2, image->shape[2], image->shape[3], image->values};
}

/* Rows, inputs and distinct items, as a batch of the trainer has them. */
static void lay_out_batch(Model *model) {
    const Places *places = &model->places;
    const float *popularity = golden_need(&model->golden, "in.pop_prob")->values;
    size_t positions = 0, inputs = 0;
    for (size_t place = 0; place < places->users * places->width; place++) {
        const size_t user = place / places->width;
        if (place % places->width == 0)
            model->row_offsets[user] = positions, model->input_offsets[user] = inputs;
        size_t d = 0;
        if (!places->ids[place]) continue;
        while (d < model->distinct && model->numbers[d] != places->ids[place])
            d++;
        if (d == model->distinct) {
            model->numbers[model->distinct] = places->ids[place];
            model->popularity[d] = popularity[places->ids[place]];
            model->first[model->distinct++] = place;
        }
        model->index[place] = model->items[positions++] = (uint32_t)d;
        if ((place + 1) % places->width) model->inputs[inputs++] = (uint32_t)d;
    }
    model->row_offsets[places->users] = positions, model->input_offsets[places->users] = inputs;
    for (size_t place = 0; place < places->users * places->width; place++)
        if (!places->ids[place])
            model->index[place] = (uint32_t)model->distinct, model->first[model->distinct] = place;
}

static void load_parameters(const Model *model) {
    const ParameterSet *set = model->recommender->parameters;
    size_t in_file = 0;
    for (size_t i = 0; i < name_table_count(model->golden.names); i++)
        in_file += !strncmp(name_table_name(model->golden.names, i, NULL), "param.", 6);
    CHECK(in_file == set->count, "%zu parameters, %zu in the file", set->count, in_file);
    for (size_t i = 0; i < set->count; i++) {
        Parameter *parameter = set->list[i];
        const GoldenArray *array = golden_find(&model->golden, "param.", parameter->name);
        Error error = {"it is not in the file"};
        RecordTensor tensor = {
            "value", DTYPE_F32, array ? array->dimensions : 0, {0}, array ? array->values : NULL};
        if (array) memcpy(tensor.shape, array->shape, sizeof tensor.shape);
        CHECK(array && parameter_load(parameter, &tensor, &error), "%s: %s", parameter->name, error.message);
    }
}

static void create(Model *model, const char *name, bool always_padding) {
    *model = (Model){.golden = golden_read(name), .tape = tape_create(&backend_cpu, true)};
    Error error = {""};
    /* Their texts live as long as the program. */
    static Settings all_settings[32];
    static size_t settings_count;
    Settings *settings = &all_settings[settings_count++ % 32];
    read_places(model);
    lay_out_batch(model);
    const size_t width = model->places.image_width;
    const int64_t items = json_integer_value(json_object_get(model->golden.header, "items"));
    if (settings_read(settings, json_object_get(model->golden.header, "config"), &error))
        model->recommender = recommender_create(settings,
                                                &(RecommenderInputs){.item_towers = true,
                                                                     .user_encoder = true,
                                                                     .objectives = true,
                                                                     .text_width = width,
                                                                     .image_width = width,
                                                                     .id_items = (size_t)items},
                                                &error);
    if (!model->recommender) {
        printf("Bail out! %s: %s\n", name, error.message);
        exit(2);
    }
    ParameterSet *set = model->recommender->parameters;
    const FusionKind *fusion = model->recommender->fusion;
    if (fusion && fusion->uses_text)
        model->words =
            parameter_add(set, GROUP_TEXT, INITIAL_ZERO, 50, width, "text_encoder.bert_model.emb.weight");
    if (fusion && fusion->uses_image)
        model->image_stub = linear_layer_create(set, GROUP_IMAGE, INITIAL_ZERO, width, width, true,
                                                "cv_encoder.image_net.lin");
    load_parameters(model);
    parameter_set_make_trainable(set);
    optimizer_create(&model->optimizer, set);
    model->padding = always_padding || recommender_sees_padding(model->recommender);
}

static void destroy(Model *model) {
    optimizer_free(&model->optimizer);
    recommender_destroy(model->recommender);
    tape_destroy(model->tape);
    golden_free(&model->golden);
}

static size_t encoded_items(const Model *model) {
    return model->distinct + model->padding;
}

static Tensor *encode_text(Model *model, Segments *segments) {
    const Places *places = &model->places;
    Tape *tape = model->tape;
    const size_t count = encoded_items(model);
    size_t *offsets = arena_take(tape->arena, count + 1, sizeof *offsets), tokens = 0;
    uint32_t *ids = arena_take(tape->arena, count * places->text_tokens, sizeof *ids);
    for (size_t i = 0; i < count; i++) {
        const uint32_t *item = places->text + model->first[i] * 2 * places->text_tokens;
        offsets[i] = tokens;
        for (size_t t = 0; t < places->text_tokens; t++)
            if (item[places->text_tokens + t] ||
                (i == model->distinct && t < model->recommender->fusion->padding_text_tokens))
                ids[tokens++] = item[t];
    }
    offsets[count] = tokens;
    *segments = (Segments){count, offsets};
    Tensor *hidden = embedding_sum(tape, NULL, &(EmbeddingRows){model->words, ids, 0, -1}, 1, tokens);
    const LinearLayer projection = model->recommender->text_projection;
    return linear(tape, hidden, projection.weight, projection.bias, ACTIVATION_NONE);
}

static Tensor *encode_images(Model *model, Segments *segments) {
    const Places *places = &model->places;
    Tape *tape = model->tape;
    const size_t count = encoded_items(model), size = places->image_tokens * places->image_width;
    size_t *offsets = arena_take(tape->arena, count + 1, sizeof *offsets);
    Tensor *x = tape_tensor(tape, count * places->image_tokens, places->image_width, false);
    for (size_t i = 0; i < count; i++)
        memcpy(x->value + i * size, places->image + model->first[i] * size, size * sizeof(float));
    for (size_t i = 0; i <= count; i++)
        offsets[i] = i * places->image_tokens;
    *segments = (Segments){count, offsets};
    x = linear(tape, x, model->image_stub.weight, model->image_stub.bias, ACTIVATION_NONE);
    const LinearLayer projection = model->recommender->image_projection;
    return linear(tape, x, projection.weight, projection.bias, ACTIVATION_NONE);
}

static Outputs forward(Model *model) {
    const Recommender *recommender = model->recommender;
    const FusionKind *fusion = recommender->fusion;
    Outputs out = {.tokens = {.items = encoded_items(model), .padding = model->padding}};
    tape_reset(model->tape, 0);
    if (fusion) {
        if (fusion->uses_text) out.tokens.text = encode_text(model, &out.tokens.text_segments);
        if (fusion->uses_image) out.tokens.image = encode_images(model, &out.tokens.image_segments);
        out.items = fusion->forward(recommender->fusion_module, model->tape, &out.tokens, 0);
    } else {
        const ItemBatch batch = {.count = model->distinct, .numbers = model->numbers};
        out.items = recommender_items(recommender, model->tape, &batch, model->padding, &out.tokens);
    }
    const size_t users = model->places.users;
    const UserRows inputs = {{users, model->input_offsets},
                             model->inputs,
                             (uint32_t)model->distinct,
                             (size_t)recommender->settings.max_seq_len};
    const TrainingRows rows = {
        users, {users, model->row_offsets}, model->items, model->distinct, model->popularity};
    out.hidden = recommender_users(recommender, model->tape, out.items, &inputs);
    const ObjectiveInput input = {.settings = &recommender->settings,
                                  .rows = &rows,
                                  .inputs = &inputs,
                                  .tokens = &out.tokens,
                                  .items = out.items,
                                  .hidden = out.hidden};
    out.loss = recommender->objective.kinds[0]->loss(recommender->objective_modules[0], model->tape, &input);
    return out;
}

/* Compares what is kept of an output [places, tokens, D], where `row(context, place, token)` gives ours or
 * NULL for one that nothing depends on. */
static void check_output(const Model *model, const char *name, size_t tokens,
                         const float *(*row)(const Model *, const Outputs *, size_t, size_t),
                         const Outputs *out) {
    const GoldenArray *want = golden_find(&model->golden, "out.", name);
    const size_t d = (size_t)model->recommender->settings.dim;
    double worst = 0;
    size_t compared = 0;
    for (size_t i = 0; want && i < want->count; i++) {
        const size_t at = i * want->every;
        const float *got = row(model, out, at / d / tokens, at / d % tokens);
        if (!got) continue;
        const double difference = fabs((double)got[at % d] - (double)want->values[i]);
        if (!(difference <= worst)) worst = difference;
        compared++;
    }
    CHECK(want && compared > want->count / 4 && worst <= 1e-5, "%s: off by %g in %zu", name, worst, compared);
}

static const float *token_row(const Tensor *tokens, Segments segments, size_t item, size_t token) {
    if (item >= segments.count || token >= segments_length(segments, item)) return NULL;
    return tokens->value + (segments.offsets[item] + token) * tokens->columns;
}

static const float *text_row(const Model *model, const Outputs *out, size_t place, size_t token) {
    return token_row(out->tokens.text, out->tokens.text_segments, model->index[place], token);
}

static const float *image_row(const Model *model, const Outputs *out, size_t place, size_t token) {
    return token_row(out->tokens.image, out->tokens.image_segments, model->index[place], token);
}

static const float *item_row(const Model *model, const Outputs *out, size_t place, size_t token) {
    (void)token;
    const size_t item = model->index[place];
    return item < out->items->rows ? out->items->value + item * out->items->columns : NULL;
}

static const float *hidden_row(const Model *model, const Outputs *out, size_t user, size_t column) {
    const size_t count = model->input_offsets[user + 1] - model->input_offsets[user];
    const size_t padding = model->places.width - 1 - count;
    if (column < padding) return NULL;
    return out->hidden->value + (model->input_offsets[user] + column - padding) * out->hidden->columns;
}

static void check_outputs(const Model *model, const Outputs *out) {
    const FusionKind *fusion = model->recommender->fusion;
    if (fusion && fusion->uses_text)
        check_output(model, "text_encoder", model->places.text_tokens, text_row, out);
    if (fusion && fusion->uses_image)
        check_output(model, "cv_encoder", model->places.image_tokens, image_row, out);
    if (fusion && fusion->uses_text && fusion->uses_image)
        check_output(model, "fusion_module", 1, item_row, out);
    check_output(model, "user_encoder", model->places.width - 1, hidden_row, out);
}

/* A key's bias moves all scores of a softmax alike: its gradient is 0 but for rounding, which AdamW makes
 * steps of. */
static bool is_key_bias(const char *name) {
    const size_t length = strlen(name);
    return length > 8 && !strcmp(name + length - 8, "key.bias");
}

static void check_gradients(const Model *model, double tolerance) {
    const ParameterSet *set = model->recommender->parameters;
    for (size_t i = 0; i < set->count; i++) {
        const Parameter *parameter = set->list[i];
        const GoldenArray *want = golden_find(&model->golden, "grad.", parameter->name);
        CHECK(!want == !parameter->touched, "%s: only one of us has a gradient", parameter->name);
        if (!want) continue;
        if (is_key_bias(parameter->name)) {
            for (size_t j = 0; j < parameter->count; j++)
                CHECK(fabsf(parameter->gradient[j]) < 1e-6f, "%s: %g", parameter->name,
                      (double)parameter->gradient[j]);
            continue;
        }
        const double difference = golden_difference(want, parameter->gradient);
        CHECK(difference <= tolerance, "gradient of %s: off by %g of %g", parameter->name, difference,
              want->largest);
    }
}

static void check_parameters(const Model *model, const GroupRate *rates, double tolerance) {
    const ParameterSet *set = model->recommender->parameters;
    for (size_t i = 0; i < set->count; i++) {
        const Parameter *parameter = set->list[i];
        if (is_key_bias(parameter->name)) {
            const GoldenArray *before = golden_find(&model->golden, "param.", parameter->name);
            for (size_t j = 0; j < parameter->count; j++)
                CHECK(fabs((double)parameter->value[j] - (double)before->values[j]) <
                          10 * rates[parameter->group].learning_rate,
                      "%s moved far", parameter->name);
            continue;
        }
        const GoldenArray *want = golden_find(&model->golden, "after.", parameter->name);
        const double difference = want ? golden_difference(want, parameter->value) : INFINITY;
        CHECK(difference <= tolerance, "%s after three steps: off by %g of %g", parameter->name, difference,
              want ? want->largest : 0);
    }
}

static void run(const char *name) {
    const GroupRate rates[GROUP_COUNT] = {
        [GROUP_TEXT] = {1e-3, 0}, [GROUP_IMAGE] = {1e-3, 0}, [GROUP_REST] = {2e-3, 0.1}};
    for (int always_padding = 0; always_padding < 2; always_padding++) {
        Model model;
        create(&model, name, always_padding);
        const GoldenArray *losses = golden_need(&model.golden, "out.loss_per_step");
        for (size_t step = 0; step < losses->count; step++) {
            const Outputs out = forward(&model);
            const double loss = (double)*out.loss->value, want = (double)losses->values[step];
            CHECK(fabs(loss - want) <= 1e-5 * want, "%s: loss %.8g instead of %.8g in step %zu", name, loss,
                  want, step + 1);
            if (step == 0) check_outputs(&model, &out);
            parameter_set_clear_gradients(model.recommender->parameters);
            tape_backward(model.tape, out.loss);
            if (step == 0) check_gradients(&model, 1e-4);
            optimizer_step(&model.optimizer, model.recommender->parameters, rates, 1, 0);
        }
        check_parameters(&model, rates, 1e-4);
        destroy(&model);
    }
}

static void test_merge_attention_sasrec(void) {
    run("modal-merge_attn-sasrec");
}

static void test_co_attention(void) {
    run("modal-co_att-sasrec");
}

static void test_sum(void) {
    run("modal-sum-sasrec");
}

static void test_concat(void) {
    run("modal-concat-sasrec");
}

static void test_film(void) {
    run("modal-film-sasrec");
}

static void test_gated(void) {
    run("modal-gated-sasrec");
}

static void test_grurec(void) {
    run("modal-merge_attn-grurec");
}

static void test_nextit(void) {
    run("modal-merge_attn-nextit");
}

static void test_text_only(void) {
    run("text-only-sasrec");
}

static void test_image_only(void) {
    run("cv-only-sasrec");
}

static void test_id(void) {
    run("id-sasrec");
}

RUN_TESTS(TEST(test_merge_attention_sasrec), TEST(test_co_attention), TEST(test_sum), TEST(test_concat),
          TEST(test_film), TEST(test_gated), TEST(test_grurec), TEST(test_nextit), TEST(test_text_only),
          TEST(test_image_only), TEST(test_id))
