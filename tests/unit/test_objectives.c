/* The pre-training objectives. The golden numbers give every place of a batch embeddings of its own, also
 * where an item stands twice, which no batch of distinct items can; so they check `by_places`, the formulas
 * place by place, and the objectives, which see distinct items, are checked against that. */
#include "golden.h"
#include "gradient_check.h"
#include "model/objective/objective.h"

typedef struct Variant {
    const char *name;
    bool next_item, same_modality;
} Variant;

static const Variant variants[] = {
    {"nicl", true, true}, {"ncl", true, false}, {"icl", false, true}, {"vcl", false, false}};

/* Rows of items, place after place. */
typedef struct Rows {
    size_t users, places;
    const size_t *offsets;
    const uint32_t *items;
} Rows;

/* As lists of the places that stand against each place. The candidates are all places in the other modality
 * and then all in the anchors' own. */
static ContrastivePairs pair_places(Arena *arena, const Rows *rows, Variant variant) {
    const size_t n = rows->places;
    float *weights = arena_take(arena, 2 * n, sizeof *weights);
    uint32_t *groups = arena_take(arena, n, sizeof *groups);
    size_t *grouped = arena_take_zeroed(arena, rows->users + 1, sizeof *grouped);
    size_t *excluded = arena_take_zeroed(arena, n + 1, sizeof *excluded);
    size_t *positives = arena_take_zeroed(arena, n + 1, sizeof *positives);
    uint32_t *own = arena_take(arena, 2 * n, sizeof *own);
    uint32_t *equal = arena_take(arena, 2 * n * n, sizeof *equal);
    uint32_t *wanted = arena_take(arena, 3 * n, sizeof *wanted);
    size_t owns = 0, equals = 0, wants = 0;
    for (size_t user = 0; user < rows->users; user++) {
        for (size_t p = rows->offsets[user]; p < rows->offsets[user + 1]; p++) {
            const bool last = p + 1 == rows->offsets[user + 1];
            groups[p] = (uint32_t)user;
            weights[p] = 1, weights[n + p] = variant.same_modality;
            own[owns++] = (uint32_t)p;
            if (variant.same_modality) own[owns++] = (uint32_t)(n + p);
            for (size_t q = 0; q < n; q++)
                if (rows->items[q] == rows->items[p] || (!last && rows->items[q] == rows->items[p + 1])) {
                    equal[equals++] = (uint32_t)q;
                    if (variant.same_modality) equal[equals++] = (uint32_t)(n + q);
                }
            wanted[wants++] = (uint32_t)p;
            if (variant.next_item && !last) {
                wanted[wants++] = (uint32_t)(p + 1);
                wanted[wants++] = (uint32_t)(n + p + 1);
            }
            excluded[p + 1] = equals, positives[p + 1] = wants;
        }
        grouped[user + 1] = owns;
    }
    return (ContrastivePairs){weights,       groups, {rows->users, grouped}, own,
                              {n, excluded}, equal,  {n, positives},         wanted};
}

static Tensor *by_places(Tape *tape, const Rows *rows, Variant variant, double temperature, Tensor *text,
                         Tensor *image) {
    size_t *ends = arena_take_zeroed(tape->arena, 2, sizeof *ends);
    ends[1] = rows->places;
    const Segments all = {1, ends};
    const ContrastivePairs pairs = pair_places(tape->arena, rows, variant);
    Segments both;
    Tensor *t = normalise_rows(tape, text), *v = normalise_rows(tape, image);
    Tensor *const losses[] = {
        contrastive_loss(tape, t, join_segments(tape, v, all, t, all, &both), temperature, &pairs),
        contrastive_loss(tape, v, join_segments(tape, t, all, v, all, &both), temperature, &pairs)};
    return weighted_sum(tape, losses, (const double[]){0.5, 0.5}, 2);
}

/* The places of a padded array that `ids` (or labels) say are real: rows [real, d] out of [users · width, d].
 */
static size_t take_real(const uint32_t *ids, uint32_t padding, size_t count, const float *from, size_t d,
                        float *to) {
    size_t real = 0;
    for (size_t i = 0; i < count; i++)
        if (ids[i] != padding) memcpy(to + d * real++, from + i * d, d * sizeof *to);
    return real;
}

enum { USERS = 5, WIDTH = 7, D = 16, PLACES = USERS * WIDTH };

static Rows golden_rows(const Golden *golden, size_t offsets[USERS + 1], uint32_t items[PLACES]) {
    const uint32_t *ids = golden_need(golden, "in.item_ids")->integers;
    size_t places = 0;
    offsets[0] = 0;
    for (size_t i = 0; i < PLACES; i++) {
        if (ids[i]) items[places++] = ids[i];
        offsets[i / WIDTH + 1] = places;
    }
    return (Rows){USERS, places, offsets, items};
}

/* A golden gradient against the one of `tensor`, whose rows are the real places alone. */
static void check_gradient(const Golden *golden, const char *name, const uint32_t *ids, uint32_t padding,
                           Tape *tape, Tensor *tensor) {
    const GoldenArray *all = golden_need(golden, name);
    float want[PLACES * D];
    const size_t count = all->shape[0] * all->shape[1], rows = all->count / count * all->every;
    CHECK(all->every == 1 && rows == D, "%s is not whole", name);
    const size_t real = take_real(ids, padding, count, all->values, D, want);
    const double difference = relative_difference(tape_gradient(tape, tensor), want, real * D);
    CHECK(real == tensor->rows && difference < 1e-5, "%s: off by %g of the largest", name, difference);
}

static void check_loss(const Golden *golden, const char *name, const Tensor *loss) {
    const double want = (double)*golden_need(golden, name)->values, got = (double)*loss->value;
    CHECK(fabs(got - want) <= 1e-5 * fabs(want), "%s: %.8g instead of %.8g", name, got, want);
}

static void test_golden_contrast(void) {
    Golden golden = golden_read("objectives");
    size_t offsets[USERS + 1];
    uint32_t items[PLACES];
    const uint32_t *ids = golden_need(&golden, "in.item_ids")->integers;
    const Rows rows = golden_rows(&golden, offsets, items);
    float text[PLACES * D], image[PLACES * D];
    take_real(ids, 0, PLACES, golden_need(&golden, "in.text_embedding")->values, D, text);
    take_real(ids, 0, PLACES, golden_need(&golden, "in.image_embedding")->values, D, image);
    Tape *tape = tape_create(&backend_cpu, true);
    for (size_t v = 0; v < 4; v++)
        for (int cold = 0; cold < 2; cold++) {
            char name[128];
            tape_reset(tape, 0);
            Tensor *t = tape_leaf(tape, text, rows.places, D, true);
            Tensor *i = tape_leaf(tape, image, rows.places, D, true);
            Tensor *loss = by_places(tape, &rows, variants[v], cold ? 0.1 : 1, t, i);
            tape_backward(tape, loss);
            const char *temperature = cold ? "0.1" : "1.0";
            snprintf(name, sizeof name, "out.%s.tau%s.loss", variants[v].name, temperature);
            check_loss(&golden, name, loss);
            snprintf(name, sizeof name, "out.%s.tau%s.grad_text", variants[v].name, temperature);
            check_gradient(&golden, name, ids, 0, tape, t);
            snprintf(name, sizeof name, "out.%s.tau%s.grad_image", variants[v].name, temperature);
            check_gradient(&golden, name, ids, 0, tape, i);
        }
    tape_destroy(tape);
    golden_free(&golden);
}

static const ObjectiveKind *find_objective(const char *name) {
    ObjectiveParts parts;
    Error error = {""};
    const bool found = objective_parse(&parts, name, &error);
    CHECK(found, "%s", error.message);
    return found ? parts.kinds[0] : NULL;
}

/* Four users over six distinct items: items that stand twice, in one row and next to each other too, and a
 * row of one item. Item 4 has no text token; the padding item is the last. */
static const size_t row_offsets[] = {0, 4, 7, 8, 13};
static const uint32_t row_items[] = {0, 1, 2, 0, 3, 1, 1, 4, 5, 2, 2, 3, 0};
static const Rows some_rows = {4, 13, row_offsets, row_items};
static const size_t text_offsets[] = {0, 2, 3, 6, 7, 7, 9, 10}, image_offsets[] = {0, 2, 4, 6, 8, 10, 12, 14};
enum { DISTINCT = 6, TEXT_TOKENS = 10, IMAGE_TOKENS = 14 };

static Tensor *contrast_of_items(Tape *tape, const char *name, double temperature, Tensor *text,
                                 Tensor *image) {
    Settings settings = settings_default;
    settings.temperature = temperature;
    const ItemTokens tokens = {
        DISTINCT + 1, text, image, {DISTINCT + 1, text_offsets}, {DISTINCT + 1, image_offsets}, true};
    const TrainingRows rows = {4, {4, row_offsets}, row_items, DISTINCT, NULL};
    const ObjectiveInput input = {.settings = &settings, .rows = &rows, .tokens = &tokens};
    return find_objective(name)->loss(NULL, tape, &input);
}

/* Each place's own copy of its item's first token; zero where it has none. */
static Tensor *spread(Tape *tape, Tensor *tokens, const size_t *offsets) {
    return gather_rows(tape, segment_first(tape, tokens, (Segments){DISTINCT, offsets}), row_items,
                       some_rows.places);
}

static void test_contrast_of_distinct_items(void) {
    float text[TEXT_TOKENS * D], image[IMAGE_TOKENS * D];
    Random random;
    random_seed(&random, 4, 0);
    fill(&random, text, TEXT_TOKENS * D), fill(&random, image, IMAGE_TOKENS * D);
    Tape *tape = tape_create(&backend_cpu, true);
    for (size_t v = 0; v < 4; v++) {
        tape_reset(tape, 0);
        Tensor *leaves[4];
        for (size_t i = 0; i < 4; i++)
            leaves[i] = i % 2 ? tape_leaf(tape, image, IMAGE_TOKENS, D, true)
                              : tape_leaf(tape, text, TEXT_TOKENS, D, true);
        Tensor *const losses[] = {contrast_of_items(tape, variants[v].name, 0.5, leaves[0], leaves[1]),
                                  by_places(tape, &some_rows, variants[v], 0.5,
                                            spread(tape, leaves[2], text_offsets),
                                            spread(tape, leaves[3], image_offsets))};
        const double got = (double)*losses[0]->value, want = (double)*losses[1]->value;
        CHECK(fabs(got - want) <= 1e-6 * want, "%s: %.8g instead of %.8g", variants[v].name, got, want);
        tape_backward(tape, weighted_sum(tape, losses, (const double[]){1, 1}, 2));
        for (size_t i = 0; i < 2; i++) {
            const double difference =
                relative_difference(leaves[i]->gradient, leaves[i + 2]->gradient, leaves[i]->rows * D);
            CHECK(difference < 1e-5, "%s: gradient off by %g", variants[v].name, difference);
        }
    }
    tape_destroy(tape);
}

static size_t variant_under_test;

static Tensor *apply_contrast(Case *c) {
    Tensor *loss =
        contrast_of_items(c->tape, variants[variant_under_test].name, 0.5, c->inputs[0], c->inputs[1]);
    return weighted_sum(c->tape, &loss, (const double[]){10}, 1);
}

static void test_contrast_gradients(void) {
    for (variant_under_test = 0; variant_under_test < 4; variant_under_test++) {
        Case c = {.apply = apply_contrast};
        start(&c, 9);
        add_input(&c, TEXT_TOKENS, 4);
        add_input(&c, IMAGE_TOKENS, 4);
        check_gradients(&c);
    }
}

/* One user has no negatives, one item nothing to be told from: the loss is 0. */
static void test_contrast_without_negatives(void) {
    const size_t one[] = {0, 1}, tokens_of_one[] = {0, 2};
    const uint32_t items[] = {0};
    float values_[] = {1, 2, 3, 4};
    Tape *tape = tape_create(&backend_cpu, true);
    Tensor *x = tape_leaf(tape, values_, 2, 2, true);
    const ItemTokens tokens = {1, x, x, {1, tokens_of_one}, {1, tokens_of_one}, false};
    const TrainingRows rows = {1, {1, one}, items, 1, NULL},
                       empty = {1, {1, (const size_t[]){0, 0}}, items, 0, NULL};
    ObjectiveInput input = {.settings = &settings_default, .rows = &rows, .tokens = &tokens};
    for (size_t v = 0; v < 4; v++) {
        const ObjectiveKind *kind = find_objective(variants[v].name);
        input.rows = &rows;
        Tensor *loss = kind->loss(NULL, tape, &input);
        CHECK(fabsf(*loss->value) < 1e-6f, "%g", (double)*loss->value);
        tape_backward(tape, loss);
        for (size_t i = 0; i < 4; i++)
            CHECK(fabsf(x->gradient[i]) < 1e-6f);
        input.rows = &empty;
        CHECK(!kind->loss(NULL, tape, &input));
    }
    tape_destroy(tape);
}

/* Hidden states of the golden file, clean and corrupted, without padding. */
typedef struct Corrupted {
    Golden golden;
    const uint32_t *labels; /* of all places, padding too */
    uint32_t real[PLACES];
    size_t offsets[USERS + 1];
    float hidden[PLACES * D], corrupted[PLACES * D];
} Corrupted;

static const uint32_t NO_LABEL = (uint32_t)-100;

static Corrupted read_corrupted(void) {
    Corrupted c = {.golden = golden_read("objectives")};
    c.labels = golden_need(&c.golden, "in.nid_labels")->integers;
    const size_t count = USERS * (WIDTH - 1);
    size_t real = 0;
    for (size_t i = 0; i < count; i++) {
        if (c.labels[i] != NO_LABEL) c.real[real++] = c.labels[i];
        c.offsets[i / (WIDTH - 1) + 1] = real;
    }
    take_real(c.labels, NO_LABEL, count, golden_need(&c.golden, "in.hidden")->values, D, c.hidden);
    take_real(c.labels, NO_LABEL, count, golden_need(&c.golden, "in.hidden_corrupted")->values, D,
              c.corrupted);
    return c;
}

static void test_golden_nid(void) {
    Corrupted c = read_corrupted();
    Tape *tape = tape_create(&backend_cpu, true);
    ParameterSet *set = parameter_set_create();
    Settings settings = settings_default;
    settings.dim = D;
    const ObjectiveKind *kind = find_objective("nid");
    void *module = kind->create(set, &settings);
    Parameter *weight = parameter_find(set, "objective.nid.weight", 20);
    Parameter *bias = parameter_find(set, "objective.nid.bias", 18);
    parameter_set_make_trainable(set);
    memcpy(weight->value, golden_need(&c.golden, "in.nid_weight")->values, weight->count * sizeof(float));
    memcpy(bias->value, golden_need(&c.golden, "in.nid_bias")->values, bias->count * sizeof(float));
    ObjectiveInput input = {.settings = &settings,
                            .corrupted_hidden = tape_leaf(tape, c.corrupted, c.offsets[USERS], D, true),
                            .corruption = c.real};
    Tensor *loss = kind->loss(module, tape, &input);
    tape_backward(tape, loss);
    check_loss(&c.golden, "out.nid.loss", loss);
    check_gradient(&c.golden, "out.nid.grad_hidden_corrupted", c.labels, NO_LABEL, tape,
                   input.corrupted_hidden);
    CHECK(golden_difference(golden_need(&c.golden, "out.nid.grad_weight"), weight->gradient) < 1e-5);
    CHECK(golden_difference(golden_need(&c.golden, "out.nid.grad_bias"), bias->gradient) < 1e-5);
    input.corrupted_hidden = tape_leaf(tape, NULL, 0, D, true);
    CHECK(!kind->loss(module, tape, &input));
    free(module);
    parameter_set_destroy(set);
    tape_destroy(tape);
    golden_free(&c.golden);
}

static Tensor *rcl(Tape *tape, double temperature, Segments segments, Tensor *hidden, Tensor *corrupted) {
    Settings settings = settings_default;
    settings.temperature = temperature;
    const UserRows inputs = {.inputs = segments};
    const ObjectiveInput input = {
        .settings = &settings, .inputs = &inputs, .hidden = hidden, .corrupted_hidden = corrupted};
    return find_objective("rcl")->loss(NULL, tape, &input);
}

static void test_golden_rcl(void) {
    Corrupted c = read_corrupted();
    Tape *tape = tape_create(&backend_cpu, true);
    for (int cold = 0; cold < 2; cold++) {
        tape_reset(tape, 0);
        Tensor *hidden = tape_leaf(tape, c.hidden, c.offsets[USERS], D, true);
        Tensor *corrupted = tape_leaf(tape, c.corrupted, c.offsets[USERS], D, true);
        Tensor *loss = rcl(tape, cold ? 0.1 : 1, (Segments){USERS, c.offsets}, hidden, corrupted);
        tape_backward(tape, loss);
        check_loss(&c.golden, cold ? "out.rcl.tau0.1.loss" : "out.rcl.tau1.0.loss", loss);
        check_gradient(&c.golden, cold ? "out.rcl.tau0.1.grad_hidden" : "out.rcl.tau1.0.grad_hidden",
                       c.labels, NO_LABEL, tape, hidden);
        check_gradient(&c.golden,
                       cold ? "out.rcl.tau0.1.grad_hidden_corrupted" : "out.rcl.tau1.0.grad_hidden_corrupted",
                       c.labels, NO_LABEL, tape, corrupted);
    }
    tape_destroy(tape);
    golden_free(&c.golden);
}

static const size_t rcl_offsets[] = {0, 0, 2, 3, 3, 6, 6}, rcl_real[] = {0, 2, 3, 6};

static Tensor *apply_rcl(Case *c) {
    Tensor *loss = rcl(c->tape, 0.5, (Segments){6, rcl_offsets}, c->inputs[0], c->inputs[1]);
    return weighted_sum(c->tape, &loss, (const double[]){10}, 1);
}

/* Users without an input are left out. */
static void test_rcl_of_some_users(void) {
    Case c = {.apply = apply_rcl};
    start(&c, 2);
    add_input(&c, 6, 5);
    add_input(&c, 6, 5);
    Tensor *leaves[3];
    const float got = *forward(&c, leaves)->value;
    const float want = 10 * *rcl(c.tape, 0.5, (Segments){3, rcl_real}, leaves[0], leaves[1])->value;
    CHECK(got == want && got > 0, "%g instead of %g", (double)got, (double)want);
    CHECK(!rcl(c.tape, 0.5, (Segments){2, (const size_t[]){0, 0, 0}}, leaves[0], leaves[1]));
    check_gradients(&c);
}

enum { ROWS = 2000, LENGTH = 10, ITEMS = 50 };

/* Rows of one item, of one item again and again, and of LENGTH different ones. */
static UserRows long_rows(size_t offsets[ROWS + 1], uint32_t items[ROWS * LENGTH]) {
    size_t count = 0;
    for (size_t user = 0; user < ROWS; user++) {
        offsets[user] = count;
        const size_t length = user == 0 ? 1 : LENGTH;
        for (size_t i = 0; i < length; i++)
            items[count++] = user == 1 ? 7 : (uint32_t)((user + i) % ITEMS);
    }
    offsets[ROWS] = count;
    return (UserRows){{ROWS, offsets}, items, 0, LENGTH};
}

static void test_corruption_rates(void) {
    static size_t offsets[ROWS + 1];
    static uint32_t items[ROWS * LENGTH], corrupted[ROWS * LENGTH], corruption[ROWS * LENGTH],
        again[ROWS * LENGTH];
    const UserRows rows = long_rows(offsets, items);
    Random random;
    size_t counts[3] = {0};
    for (int run = 0; run < 2; run++) {
        random_seed(&random, 3, 0);
        objective_corrupt(&rows, ITEMS, &settings_default, &random, run ? again : corrupted, corruption);
    }
    CHECK(!memcmp(corrupted, again, offsets[ROWS] * sizeof *again), "the same seed gave another copy");
    for (size_t p = 0; p < offsets[ROWS]; p++) {
        counts[corruption[p]]++;
        CHECK(corrupted[p] < ITEMS && (corrupted[p] == items[p]) == (corruption[p] == CORRUPTION_NONE));
    }
    /* Of 10 inputs 1.5 are shuffled, but one that is alone stays: 0.15 − 0.15·0.85⁹ = 0.115. */
    const double all = (double)offsets[ROWS], shuffled = (double)counts[1] / all,
                 replaced = (double)counts[2] / all;
    CHECK(fabs(shuffled - 0.115) < 0.01, "%g are shuffled", shuffled);
    CHECK(fabs(replaced - 0.05) < 0.007, "%g are replaced", replaced);
}

static void test_corruption_extremes(void) {
    static size_t offsets[ROWS + 1];
    static uint32_t items[ROWS * LENGTH], corrupted[ROWS * LENGTH], corruption[ROWS * LENGTH];
    const UserRows rows = long_rows(offsets, items);
    Settings settings = settings_default;
    Random random;
    random_seed(&random, 3, 0);
    settings.shuffle_rate = 1, settings.replace_rate = 1;
    objective_corrupt(&rows, ITEMS, &settings, &random, corrupted, corruption);
    CHECK(corruption[0] == CORRUPTION_NONE, "an input alone in its row was shuffled");
    for (size_t user = 1; user < ROWS; user++) {
        uint64_t before = 0, after = 0; /* sets of items */
        for (size_t p = offsets[user]; p < offsets[user + 1]; p++) {
            before |= 1ull << items[p], after |= 1ull << corrupted[p];
            CHECK(corruption[p] == (user == 1 ? CORRUPTION_NONE : CORRUPTION_SHUFFLED));
        }
        CHECK(before == after, "row %zu lost an item", user);
    }
    settings.shuffle_rate = 0;
    objective_corrupt(&rows, ITEMS, &settings, &random, corrupted, corruption);
    for (size_t p = 0; p < offsets[ROWS]; p++)
        CHECK(corruption[p] == CORRUPTION_REPLACED && corrupted[p] != items[p] && corrupted[p] < ITEMS);
    memset(items, 0, sizeof items);
    objective_corrupt(&rows, 1, &settings, &random, corrupted, corruption);
    for (size_t p = 0; p < offsets[ROWS]; p++)
        CHECK(corruption[p] == CORRUPTION_NONE && corrupted[p] == 0, "there is nothing to replace it with");
}

RUN_TESTS(TEST(test_golden_contrast), TEST(test_contrast_of_distinct_items), TEST(test_contrast_gradients),
          TEST(test_contrast_without_negatives), TEST(test_golden_nid), TEST(test_golden_rcl),
          TEST(test_rcl_of_some_users), TEST(test_corruption_rates), TEST(test_corruption_extremes))
