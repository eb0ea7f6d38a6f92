#include "check.h"

#include "core/file.h"
#include "core/random.h"
#include "data/image_decode.h"
#include "data/image_resize.h"

#include <unistd.h>
#include <xxhash.h>

enum { MAX_FILE = 1 << 24, HASH_TEXT = 33, PATH_TEXT = 512 };

static const uint32_t sizes[] = {32, 224, 384};

static void golden_path(char path[PATH_TEXT], const char *name) {
    const char *project = getenv("PROJECT");
    snprintf(path, PATH_TEXT, "%s/tests/golden/images/%s", project ? project : ".", name);
}

static uint8_t *read_golden(const char *name, size_t *size) {
    char path[PATH_TEXT];
    Error error;
    golden_path(path, name);
    uint8_t *bytes = file_read(path, MAX_FILE, size, &error);
    CHECK(bytes, "%s", error.message);
    return bytes;
}

static void hash_text(const void *bytes, size_t size, char text[HASH_TEXT]) {
    const XXH128_hash_t hash = XXH3_128bits(bytes, size);
    snprintf(text, HASH_TEXT, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

/* A line of expected.tsv: what Pillow makes of a file, or that it is refused. */
typedef struct Expected {
    char name[128], rgb[HASH_TEXT], resized[3][HASH_TEXT];
    uint32_t width, height;
    bool refused;
} Expected;

static size_t read_expected(Expected *expected, size_t capacity) {
    size_t size, count = 0;
    char *text = (char *)read_golden("expected.tsv", &size), *rest = NULL;
    if (!text) return 0;
    strtok_r(text, "\n", &rest); /* the head line */
    for (char *line; count < capacity && (line = strtok_r(NULL, "\n", &rest)); count++) {
        Expected *e = &expected[count];
        const int fields = sscanf(line, "%127s\t%u\t%u\t%32s\t%32s\t%32s\t%32s", e->name, &e->width,
                                  &e->height, e->rgb, e->resized[0], e->resized[1], e->resized[2]);
        e->refused = fields == 1 && strstr(line, "\trefused");
        CHECK(e->refused || fields == 7, "line '%s'", line);
    }
    free(text);
    return count;
}

static void check_resized(const Expected *expected, const uint8_t *bytes, size_t size,
                          ImageResizer *const *resizers) {
    for (int i = 0; i < 3; i++) {
        const size_t result_size = 3 * (size_t)sizes[i] * sizes[i];
        uint8_t *pixels = malloc(result_size);
        const ImageSink sink = image_resizer_sink(resizers[i], pixels);
        Error warning, error;
        char text[HASH_TEXT];
        const bool fine = image_decode(bytes, size, &sink, &warning, &error);
        CHECK(fine, "%s: %s", expected->name, error.message);
        if (fine) {
            hash_text(pixels, result_size, text);
            CHECK(!strcmp(text, expected->resized[i]), "%s at %u", expected->name, sizes[i]);
        }
        free(pixels);
    }
}

static void check_decoded(const Expected *expected, const uint8_t *bytes, size_t size,
                          ImageResizer *const *resizers) {
    Image image;
    Error warning, error;
    const bool fine = image_decode_whole(bytes, size, &image, &warning, &error);
    CHECK(fine == !expected->refused, "%s: %s", expected->name, fine ? "accepted" : error.message);
    if (!fine) {
        CHECK(strlen(error.message) > 8 && !strchr(error.message, '\n'), "%s", expected->name);
        return;
    }
    char text[HASH_TEXT];
    hash_text(image.pixels, 3 * (size_t)image.width * image.height, text);
    CHECK(image.width == expected->width && image.height == expected->height, "%s is %u × %u", expected->name,
          image.width, image.height);
    CHECK(!strcmp(text, expected->rgb), "%s", expected->name);
    free(image.pixels);
    if (!expected->refused) check_resized(expected, bytes, size, resizers);
}

/* One resizer for all files, as in a tool: what one image leaves behind must not show in the next. */
static void decodes_and_resizes_as_pillow(void) {
    static Expected expected[128];
    const size_t count = read_expected(expected, 128);
    size_t refused = 0;
    ImageResizer *resizers[3];
    for (int i = 0; i < 3; i++)
        resizers[i] = image_resizer_create(sizes[i], &image_recipe_standard);
    for (size_t i = 0; i < count; i++) {
        size_t size;
        uint8_t *bytes = read_golden(expected[i].name, &size);
        if (!bytes) continue;
        check_decoded(&expected[i], bytes, size, resizers);
        refused += expected[i].refused;
        free(bytes);
    }
    for (int i = 0; i < 3; i++)
        image_resizer_destroy(resizers[i]);
    CHECK(count == 101 && refused == 28, "%zu files, %zu of them refused", count, refused);
}

typedef struct Case {
    const char *name, *says;
} Case;

static void says_why_it_refuses(void) {
    static const Case cases[] = {
        {"broken/truncated-half.jpg", "truncated JPEG"},
        {"broken/no-eoi.jpg", "truncated JPEG"},
        {"broken/truncated.png", "truncated PNG"},
        {"broken/bad-crc-text.png", "tEXt: CRC error"},
        {"broken/missing-rows.png", "Not enough image data"},
        {"broken/bomb-65500x65500.jpg", "65500 × 65500 pixels; the limit is 178956970"},
        {"broken/bomb-60000x60000.png", "60000 × 60000 pixels; the limit is 178956970"},
        {"broken/two-components.jpg", "2 components"},
        {"broken/zero-bytes.jpg", "the file is empty"},
        {"broken/text.jpg", "neither a JPEG nor a PNG nor a WebP"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        Image image;
        Error warning, error = {""};
        uint8_t *bytes = read_golden(cases[i].name, &size);
        if (!bytes) continue;
        CHECK(!image_decode_whole(bytes, size, &image, &warning, &error), "%s", cases[i].name);
        CHECK(strstr(error.message, cases[i].says), "%s: %s", cases[i].name, error.message);
        free(bytes);
    }
    Image image;
    Error warning, error = {""};
    CHECK(!image_decode_whole((const uint8_t *)"GIF89a", 6, &image, &warning, &error));
    CHECK(strstr(error.message, "a GIF file; convert"), "%s", error.message);
}

static void warns_of_damage(void) {
    static const Case cases[] = {
        {"broken/corrupt-middle.jpg", "extraneous bytes"},
        {"broken/truncated-half-with-eoi.jpg", "premature end of data segment"},
        {"broken/no-eoi-then-zeros.jpg", "Premature end of JPEG file"},
        {"broken/extra-rows.png", "Too much image data"},
        {"base-420-225x223.jpg", ""},
        {"trailing-bytes-180x180.jpg", ""},
        {"png-rgba8-200x120.png", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        Image image;
        Error warning, error;
        uint8_t *bytes = read_golden(cases[i].name, &size);
        if (!bytes) continue;
        const bool fine = image_decode_whole(bytes, size, &image, &warning, &error);
        CHECK(fine, "%s: %s", cases[i].name, error.message);
        const bool as_expected =
            *cases[i].says ? strstr(warning.message, cases[i].says) != NULL : !warning.message[0];
        CHECK(as_expected, "%s: warning '%s'", cases[i].name, warning.message);
        if (fine) free(image.pixels);
        free(bytes);
    }
}

/* Decodes what may be anything; only sanitizers and this program's end can tell that it went well. */
static bool survives(const uint8_t *bytes, size_t size, ImageResizer *resizer, uint8_t *pixels) {
    uint8_t *copy = malloc(size ? size : 1); /* exactly as large, so that reading behind it is seen */
    if (size) memcpy(copy, bytes, size);
    const ImageSink sink = image_resizer_sink(resizer, pixels);
    Error warning, error = {""};
    const bool fine = image_decode(copy, size, &sink, &warning, &error);
    CHECK(fine || error.message[0]);
    free(copy);
    return fine;
}

static void survives_any_damage(void) {
    static const char *const names[] = {
        "base-420-225x223.jpg",         "prog-444-100x150.jpg",  "arith-140x140.jpg",
        "cmyk-noadobe-80x60.jpg",       "restart-200x160.jpg",   "base-421-odd-factors-90x70.jpg",
        "png-pal4-75x75.png",           "png-grey16-100x80.png", "png-grey1-interlaced-37x29.png",
        "png-rgb8-trns-gama-80x50.png", "png-rgba16-60x40.png",  "png-pal2-trns-31x17.png",
    };
    ImageResizer *resizer = image_resizer_create(32, &image_recipe_standard);
    uint8_t pixels[3 * 32 * 32];
    Random random;
    random_seed(&random, 20240607, 0);
    size_t refused = 0, runs = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size;
        uint8_t *bytes = read_golden(names[i], &size);
        if (!bytes) continue;
        CHECK(survives(bytes, size, resizer, pixels), "%s", names[i]);
        for (int k = 0; k < 40; k++, runs++)
            refused += !survives(bytes, (size_t)random_below(&random, size), resizer, pixels);
        uint8_t *damaged = malloc(size);
        for (int k = 0; k < 120; k++, runs++) {
            memcpy(damaged, bytes, size);
            /* Half of the time in the head, where sizes and tables stand. */
            const size_t reach = k % 2 && size > 200 ? 200 : size;
            for (int flips = 1 + k % 4; flips > 0; flips--)
                damaged[random_below(&random, reach)] ^= (uint8_t)(1u << random_below(&random, 8));
            refused += !survives(damaged, size, resizer, pixels);
        }
        free(damaged);
        free(bytes);
    }
    CHECK(runs == 12 * 160 && refused > runs / 4, "%zu of %zu refused", refused, runs);
    image_resizer_destroy(resizer);
}

/* Sizes at which the passes fall away, and ratios far from the golden ones, against the formula itself. */
static double triangle_weight(uint32_t inputs, uint32_t outputs, uint32_t i, uint32_t x) {
    const double scale = (double)inputs / outputs, support = scale < 1 ? 1 : scale;
    const double distance = fabs(((double)x + 0.5 - ((double)i + 0.5) * scale) / support);
    return distance < 1 ? 1 - distance : 0;
}

static double resampled(const uint8_t *values, size_t stride, uint32_t inputs, uint32_t outputs, uint32_t i) {
    double sum = 0, weights = 0;
    for (uint32_t x = 0; x < inputs; x++) {
        const double weight = triangle_weight(inputs, outputs, i, x);
        weights += weight;
        sum += weight * values[x * stride];
    }
    return sum / weights;
}

static void check_shape(uint32_t width, uint32_t height, uint32_t size) {
    Random random;
    random_seed(&random, width, height);
    uint8_t *rows = malloc((size_t)width * height * IMAGE_PIXEL);
    uint8_t *between = malloc(3 * (size_t)size * height), *pixels = malloc(3 * (size_t)size * size);
    for (size_t i = 0; i < (size_t)width * height * IMAGE_PIXEL; i++)
        rows[i] = (uint8_t)random_next(&random);
    ImageResizer *resizer = image_resizer_create(size, &image_recipe_standard);
    const ImageSink sink = image_resizer_sink(resizer, pixels);
    Error error;
    CHECK(sink.begin(sink.context, width, height, &error));
    for (uint32_t y = 0; y < height; y++)
        sink.row(sink.context, rows + (size_t)y * width * IMAGE_PIXEL);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t i = 0; i < 3 * size; i++)
            between[3 * (size_t)y * size + i] = (uint8_t)lround(
                resampled(rows + (size_t)y * width * IMAGE_PIXEL + i % 3, IMAGE_PIXEL, width, size, i / 3));
    double worst = 0;
    for (uint32_t i = 0; i < size; i++)
        for (uint32_t x = 0; x < 3 * size; x++) {
            const double want = resampled(between + x, 3 * (size_t)size, height, size, i);
            const double off = fabs(want - pixels[3 * (size_t)i * size + x]);
            if (off > worst) worst = off;
        }
    /* 0.5 of rounding each pass; a tie in the first may fall to the other side. */
    CHECK(worst < 1.51, "%u × %u to %u: off by %g", width, height, size, worst);
    image_resizer_destroy(resizer);
    free(rows);
    free(between);
    free(pixels);
}

static void resizes_any_shape(void) {
    static const uint32_t shapes[][3] = {{1, 1, 1},    {1, 1, 7},    {7, 5, 1},    {300, 2, 5}, {2, 300, 5},
                                         {33, 17, 17}, {17, 33, 17}, {17, 17, 17}, {5, 6, 43},  {64, 65, 63},
                                         {999, 3, 22}, {21, 21, 21}, {22, 21, 21}, {90, 91, 30}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_shape(shapes[i][0], shapes[i][1], shapes[i][2]);
}

static void normalises_every_byte(void) {
    size_t size;
    uint8_t *want = read_golden("norm256.f32", &size);
    if (!want) return;
    CHECK(size == 1024);
    uint8_t pixels[3 * 16 * 16];
    float planes[3 * 16 * 16];
    for (int i = 0; i < 256; i++)
        for (int channel = 0; channel < 3; channel++)
            pixels[3 * i + channel] = (uint8_t)(i + 85 * channel);
    image_normalise(pixels, 16, &image_recipe_standard, planes);
    for (int i = 0; i < 256; i++)
        for (int channel = 0; channel < 3; channel++)
            CHECK(!memcmp(&planes[256 * channel + i], want + 4 * ((i + 85 * channel) & 255), 4), "%d", i);
    free(want);
}

/* Against Pillow: resize((W, H), BICUBIC), where the shorter side is the edge, and the middle cut out. */
static void resizes_by_other_recipes(void) {
    static const struct {
        const char *file;
        uint32_t size, edge;
        const char *hash;
    } cases[] = {
        {"base-420-640x480.jpg", 32, 0, "6b0088f0d8df3fee38d61874969732ea"},
        {"base-420-640x480.jpg", 32, 40, "dce7192d3b3280981895c69d9d4b9b32"},
        {"thin-1x500.jpg", 32, 32, "26d44313c68acf86367962f0e205ce98"},
        {"prog-420-321x243.jpg", 224, 256, "e14207db0de8e89f1841182381b35af8"},
    };
    static uint8_t pixels[3 * 224 * 224];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        char hash[HASH_TEXT];
        Error warning, error;
        uint8_t *bytes = read_golden(cases[i].file, &size);
        const ImageRecipe recipe = {.bicubic = true, .shortest_edge = cases[i].edge};
        ImageResizer *resizer = image_resizer_create(cases[i].size, &recipe);
        const ImageSink sink = image_resizer_sink(resizer, pixels);
        CHECK(bytes && image_decode(bytes, size, &sink, &warning, &error), "%s", error.message);
        hash_text(pixels, 3 * (size_t)cases[i].size * cases[i].size, hash);
        CHECK(!strcmp(hash, cases[i].hash), "%s, %u: %s", cases[i].file, cases[i].edge, hash);
        image_resizer_destroy(resizer);
        free(bytes);
    }
}

static void normalises_by_mean_and_deviation(void) {
    const ImageRecipe recipe = {.mean = {0.5f, 0.25f, 0}, .deviation = {0.5f, 0.25f, 2}};
    const uint8_t pixel[] = {255, 0, 51};
    float planes[3];
    image_normalise(pixel, 1, &recipe, planes);
    CHECK(planes[0] == 1 && planes[1] == -1 && planes[2] == 51 / 255.0f / 2, "%g %g %g", (double)planes[0],
          (double)planes[1], (double)planes[2]);
}

RUN_TESTS(TEST(decodes_and_resizes_as_pillow), TEST(says_why_it_refuses), TEST(warns_of_damage),
          TEST(survives_any_damage), TEST(resizes_any_shape), TEST(normalises_every_byte),
          TEST(resizes_by_other_recipes), TEST(normalises_by_mean_and_deviation))
