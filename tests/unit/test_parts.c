/* What lib/model/README.md asks of every part. The fusion of its example is here as well, as one that a user
 * might add, and the simplest user encoder. */
#include "check.h"
#include "core/memory.h"
#include "model/fusion/fusion.h"
#include "model/objective/objective.h"
#include "model/transformer_block.h"
#include "model/user_encoder/user_encoder.h"

static void *product_create(ParameterSet *set, const Settings *settings) {
    const size_t width = (size_t)settings->dim;
    LinearLayer *output = memory_need(1, sizeof *output);
    *output = linear_layer_create(set, GROUP_REST, INITIAL_XAVIER_NORMAL, width, width, true,
                                  "fusion_module.fc_out");
    return output;
}

static Tensor *product_forward(const void *module, Tape *tape, const ItemTokens *tokens,
                               double dropout_rate) {
    (void)dropout_rate;
    const LinearLayer *output = module;
    Tensor *x = segment_mean(tape, tokens->text, tokens->text_segments);
    Tensor *y = segment_mean(tape, tokens->image, tokens->image_segments);
    return linear(tape, multiply(tape, x, y), output->weight, output->bias, ACTIVATION_NONE);
}

static const FusionKind fusion_product = {.name = "product",
                                          .uses_text = true,
                                          .uses_image = true,
                                          .create = product_create,
                                          .forward = product_forward};

/* The hidden state is the last item alone. */
static void *last_item_create(ParameterSet *set, const Settings *settings) {
    const size_t width = (size_t)settings->dim;
    LinearLayer *output = memory_need(1, sizeof *output);
    *output = linear_layer_create(set, GROUP_REST, INITIAL_XAVIER_NORMAL, width, width, true,
                                  "user_encoder.output");
    return output;
}

static Tensor *last_item_forward(const void *module, Tape *tape, Tensor *items, const UserRows *rows,
                                 double dropout_rate) {
    const LinearLayer *output = module;
    Tensor *x = gather_rows(tape, items, rows->rows, segments_rows(rows->inputs));
    return linear(tape, dropout(tape, x, dropout_rate), output->weight, output->bias, ACTIVATION_NONE);
}

static const UserEncoderKind user_encoder_last_item = {
    .name = "last-item", .create = last_item_create, .forward = last_item_forward};

enum { D = 12, ITEMS = 5, LENGTH = 6 };

/* Tokens of ITEMS items and the padding item, which has an image token, and no text or one masked token. */
static const size_t text_offsets[] = {0, 2, 3, 7, 8, 10, 11}, image_offsets[] = {0, 3, 4, 6, 9, 12, 13};

static Settings small_settings(void) {
    Settings settings = settings_default;
    settings.dim = D, settings.fusion_heads = 3, settings.fusion_intermediate = 20,
    settings.fusion_layers = 2;
    settings.max_seq_len = LENGTH, settings.user_heads = 2;
    return settings;
}

static void fill(float *values, size_t count, uint64_t seed) {
    Random random;
    random_seed(&random, seed, 0);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)random_normal(&random);
}

static void check_names(const ParameterSet *set, const char *prefix) {
    for (size_t i = 0; i < set->count; i++)
        CHECK(!strncmp(set->list[i]->name, prefix, strlen(prefix)), "%s has not the prefix %s",
              set->list[i]->name, prefix);
}

static void run_backward(Tape *tape, Tensor *y) {
    fill(tape_gradient(tape, y), y->rows * y->columns, 77);
    for (size_t i = tape->count; i-- > 0;)
        tape->nodes[i].backward(tape, tape->nodes[i].context);
}

/* All parameters learn, but for merge_attn's token types, which are released and not used. */
static void check_touched(const ParameterSet *set, const char *kind) {
    for (size_t i = 0; i < set->count; i++) {
        const bool unused = !strcmp(kind, "merge_attn") && strstr(set->list[i]->name, "token_type");
        CHECK(set->list[i]->touched != unused, "%s: %s", kind, set->list[i]->name);
    }
}

/* The vectors of items first … first + count − 1 as a batch of their own, with or without the padding item.
 */
static Tensor *fuse(const FusionKind *kind, const void *module, Tape *tape, const float *text,
                    const float *image, size_t first, size_t count, bool padding, double dropout_rate) {
    size_t *texts = arena_take(tape->arena, ITEMS + 2, sizeof *texts);
    size_t *images = arena_take(tape->arena, ITEMS + 2, sizeof *images);
    const size_t t = text_offsets[first], v = image_offsets[first], all = count + padding;
    for (size_t i = 0; i <= all; i++) {
        texts[i] = text_offsets[first + i] - t;
        images[i] = image_offsets[first + i] - v;
    }
    if (padding) texts[all] = texts[count] + kind->padding_text_tokens;
    const ItemTokens tokens = {
        .items = all,
        .text = tape_leaf(tape, (float *)text + t * D, texts[all], D, true),
        .image = tape_leaf(tape, (float *)image + v * D, images[all], D, true),
        .text_segments = {all, texts},
        .image_segments = {all, images},
        .padding = padding,
    };
    return kind->forward(module, tape, &tokens, dropout_rate);
}

static void check_fusion(const FusionKind *kind) {
    const Settings settings = small_settings();
    float text[11 * D], image[13 * D];
    fill(text, 11 * D, 1), fill(image, 13 * D, 2);
    ParameterSet *set = parameter_set_create();
    void *module = kind->create(set, &settings);
    parameter_set_initialise(set, 5);
    parameter_set_make_trainable(set);
    check_names(set, "fusion_module.");
    Tape *tape = tape_create(&backend_cpu, true), *other = tape_create(&backend_cpu, false);
    Tensor *y = fuse(kind, module, tape, text, image, 0, ITEMS, true, 0);
    CHECK(y->rows == ITEMS + 1 && y->columns == D, "%s: %zu × %zu", kind->name, y->rows, y->columns);
    for (size_t i = 0; i < y->rows * D; i++)
        CHECK(isfinite(y->value[i]), "%s", kind->name);
    for (size_t i = 0; i < ITEMS; i++) {
        const Tensor *alone = fuse(kind, module, other, text, image, i, 1, false, 0.5);
        const double difference = relative_difference(alone->value, y->value + i * D, D);
        CHECK(alone->rows == 1 && difference < 1e-5, "%s: item %zu alone is off by %g", kind->name, i,
              difference);
    }
    run_backward(tape, y);
    check_touched(set, kind->name);
    tape_destroy(tape), tape_destroy(other);
    free(module);
    parameter_set_destroy(set);
}

static void test_fusions(void) {
    static const char *const names[] = {"merge_attn", "co_att", "sum",       "concat",
                                        "film",       "gated",  "text-only", "image-only"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Error error = {""};
        const FusionKind *kind = fusion_find(names[i], &error);
        CHECK(kind, "%s", error.message);
        if (kind) check_fusion(kind);
    }
    check_fusion(&fusion_product);
}

static Tensor *encode(const UserEncoderKind *kind, const void *module, Tape *tape, const float *items,
                      Segments segments, const uint32_t *inputs, double dropout_rate) {
    const UserRows rows = {segments, inputs, ITEMS, LENGTH};
    return kind->forward(module, tape, tape_leaf(tape, (float *)items, ITEMS + 1, D, true), &rows,
                         dropout_rate);
}

/* A full row, an empty one, a short one. */
static const size_t input_offsets[] = {0, 6, 6, 8};
static const uint32_t inputs[] = {0, 1, 2, 3, 4, 1, 3, 0};

static void check_user_encoder(const UserEncoderKind *kind) {
    const Settings settings = small_settings();
    float items[(ITEMS + 1) * D];
    fill(items, (ITEMS + 1) * D, 3);
    ParameterSet *set = parameter_set_create();
    void *module = kind->create(set, &settings);
    parameter_set_initialise(set, 5);
    parameter_set_make_trainable(set);
    check_names(set, "user_encoder.");
    Tape *tape = tape_create(&backend_cpu, true), *other = tape_create(&backend_cpu, false);
    Tensor *y = encode(kind, module, tape, items, (Segments){3, input_offsets}, inputs, 0);
    CHECK(y->rows == 8 && y->columns == D, "%s: %zu × %zu", kind->name, y->rows, y->columns);
    const size_t alone[] = {0, 2};
    const Tensor *last = encode(kind, module, other, items, (Segments){1, alone}, inputs + 6, 0.5);
    double difference = relative_difference(last->value, y->value + 6 * D, 2 * D);
    CHECK(last->rows == 2 && difference < 1e-5, "%s: a user alone is off by %g", kind->name, difference);

    const uint32_t changed[] = {0, 1, 2, 3, 0, 2, 3, 0}; /* the full row's last two */
    const Tensor *z = encode(kind, module, other, items, (Segments){3, input_offsets}, changed, 0);
    difference = relative_difference(z->value, y->value, 4 * D);
    CHECK(difference < 1e-5, "%s: later inputs change earlier states by %g", kind->name, difference);
    CHECK(relative_difference(z->value + 5 * D, y->value + 5 * D, D) > 1e-3, "%s does not look", kind->name);

    for (size_t i = 0; i < D; i++)
        items[ITEMS * D + i] += 1;
    const Tensor *w = encode(kind, module, other, items, (Segments){3, input_offsets}, inputs, 0);
    const bool sees = relative_difference(w->value + 6 * D, y->value + 6 * D, 2 * D) > 1e-4;
    CHECK(sees == kind->sees_padding, "%s: sees_padding is not what it does", kind->name);
    run_backward(tape, y);
    check_touched(set, kind->name);
    tape_destroy(tape), tape_destroy(other);
    free(module);
    parameter_set_destroy(set);
}

static void test_user_encoders(void) {
    static const char *const names[] = {"sasrec", "grurec", "nextit"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Error error = {""};
        const UserEncoderKind *kind = user_encoder_find(names[i], &error);
        CHECK(kind, "%s", error.message);
        if (kind) check_user_encoder(kind);
    }
    check_user_encoder(&user_encoder_last_item);
}

/* With dropout the same seed gives the same hidden states, and another one others. */
static void test_dropout_of_user_encoders(void) {
    static const char *const names[] = {"sasrec", "grurec"};
    static const uint64_t seeds[] = {1, 1, 2};
    const Settings settings = small_settings();
    float items[(ITEMS + 1) * D], hidden[3][8 * D];
    fill(items, (ITEMS + 1) * D, 3);
    for (size_t i = 0; i < 2; i++) {
        Error error = {""};
        const UserEncoderKind *kind = user_encoder_find(names[i], &error);
        ParameterSet *set = parameter_set_create();
        void *module = kind->create(set, &settings);
        parameter_set_initialise(set, 5);
        for (size_t run = 0; run < 3; run++) {
            Tape *tape = tape_create(&backend_cpu, true);
            tape_reset(tape, seeds[run]);
            const Tensor *y = encode(kind, module, tape, items, (Segments){3, input_offsets}, inputs, 0.3);
            memcpy(hidden[run], y->value, sizeof hidden[run]);
            tape_destroy(tape);
        }
        CHECK(!memcmp(hidden[0], hidden[1], sizeof hidden[0]), "%s", kind->name);
        CHECK(relative_difference(hidden[2], hidden[0], 8 * D) > 1e-2, "%s", kind->name);
        free(module);
        parameter_set_destroy(set);
    }
}

static void test_unknown_names(void) {
    Error error;
    ObjectiveParts parts;
    CHECK(!fusion_find("mean", &error) && strstr(error.message, "co_att, sum, concat, film, gated"), "%s",
          error.message);
    CHECK(!user_encoder_find("bert4rec", &error) && strstr(error.message, "sasrec, grurec, nextit"), "%s",
          error.message);
    CHECK(!objective_parse(&parts, "dap,clip", &error) &&
              strstr(error.message, "nicl, ncl, icl, vcl, nid, rcl"),
          "%s", error.message);
    CHECK(objective_parse(&parts, "dap,nicl=0.1,vcl=1,icl=1,ncl=1,nid=1,rcl=0.1", &error) && parts.count == 7,
          "%s", error.message);
}

RUN_TESTS(TEST(test_fusions), TEST(test_user_encoders), TEST(test_dropout_of_user_encoders),
          TEST(test_unknown_names))
