#include "data/image_resize.h"

#include "core/memory.h"

#include <math.h>
#include <string.h>

/* The arithmetic is that of Pillow's src/libImaging/Resample.c for 8-bit images: a filter that widens
 * when reducing, weights with FRACTION bits, a horizontal pass into rounded bytes, then a vertical
 * one. */

enum { FRACTION = 32 - 8 - 2, HALF = 1 << (FRACTION - 1), CHUNK = 64, STRIPE = 16 };

typedef int32_t Lanes __attribute__((vector_size(32))); /* two pixels */
typedef int32_t Pixel __attribute__((vector_size(16)));
typedef int32_t Stripe __attribute__((vector_size(4 * STRIPE)));
typedef uint8_t StripeBytes __attribute__((vector_size(STRIPE)));

/* One pass from `inputs` to `outputs`, of which the resizer's size are made, from number `offset` on. Output
 * i is the sum over the inputs first[i] … last[i] − 1; weights are [size, taps], zero behind the last. */
typedef struct Filter {
    uint32_t inputs, outputs, offset, taps;
    bool bicubic;
    uint32_t *first, *last;
    int32_t *weights;
    size_t capacity;
} Filter;

struct ImageResizer {
    uint32_t size, width, height, shortest_edge;
    Filter horizontal, vertical;
    Lanes *lanes; /* the horizontal weights for two pixels at a time: [size, pairs] */
    size_t pairs, lanes_capacity;
    int32_t *wide; /* the row that came, [width + 2 pairs, 4]: bytes widen faster all at once */
    size_t wide_capacity;
    int32_t *line;                  /* the row after the horizontal pass: [stride] */
    int32_t *ring;                  /* the last vertical.taps of them: [taps, stride] */
    size_t ring_capacity, stride;   /* with room for the last pixel's fourth */
    bool keeps_width, keeps_height; /* there is no pass */
    uint32_t rows, done;            /* rows that came; rows of the result that are finished */
    uint8_t *pixels;
};

ImageResizer *image_resizer_create(uint32_t size, const ImageRecipe *recipe) {
    ImageResizer *resizer = memory_need(1, sizeof *resizer);
    resizer->size = size;
    resizer->shortest_edge = recipe->shortest_edge;
    resizer->horizontal.bicubic = resizer->vertical.bicubic = recipe->bicubic;
    resizer->stride = (3 * (size_t)size + CHUNK) / CHUNK * CHUNK;
    resizer->line = memory_need(resizer->stride, sizeof *resizer->line);
    for (int i = 0; i < 2; i++) {
        Filter *filter = i ? &resizer->vertical : &resizer->horizontal;
        filter->first = memory_need(size, sizeof *filter->first);
        filter->last = memory_need(size, sizeof *filter->last);
    }
    return resizer;
}

static void filter_free(Filter *filter) {
    free(filter->first);
    free(filter->last);
    free(filter->weights);
}

void image_resizer_destroy(ImageResizer *resizer) {
    if (!resizer) return;
    filter_free(&resizer->horizontal);
    filter_free(&resizer->vertical);
    free(resizer->lanes);
    free(resizer->wide);
    free(resizer->line);
    free(resizer->ring);
    free(resizer);
}

/* The inputs that count for output i, and their weights before they are made integers. */
static void filter_window(const Filter *filter, uint32_t i, double scale, double support, uint32_t *first,
                          uint32_t *last) {
    const double center = ((double)(i + filter->offset) + 0.5) * scale;
    const double low = center - support + 0.5, high = center + support + 0.5;
    *first = low > 0 ? (uint32_t)low : 0;
    *last = high < (double)filter->inputs ? (uint32_t)high : filter->inputs;
}

static double triangle(double x) {
    const double distance = fabs(x);
    return distance < 1 ? 1 - distance : 0;
}

/* Keys' cubic with a = −0.5. */
static double cubic(double x) {
    const double distance = fabs(x), a = -0.5;
    if (distance < 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
    if (distance < 2) return (((distance - 5) * distance + 8) * distance - 4) * a;
    return 0;
}

static double weight_at(const Filter *filter, double x) {
    return filter->bicubic ? cubic(x) : triangle(x);
}

static void filter_weights(const Filter *filter, uint32_t i, double scale, double support, int32_t *weights) {
    const double center = ((double)(i + filter->offset) + 0.5) * scale;
    const double reciprocal = (filter->bicubic ? 2 : 1) / support;
    const uint32_t first = filter->first[i], count = filter->last[i] - first;
    double sum = 0;
    for (uint32_t x = 0; x < count; x++)
        sum += weight_at(filter, ((double)(x + first) - center + 0.5) * reciprocal);
    for (uint32_t x = 0; x < count; x++) {
        double weight = weight_at(filter, ((double)(x + first) - center + 0.5) * reciprocal);
        if (sum != 0) weight /= sum;
        weights[x] = (int32_t)((weight < 0 ? -0.5 : 0.5) + weight * (1 << FRACTION));
    }
}

static bool filter_set(Filter *filter, uint32_t inputs, uint32_t outputs, uint32_t size, Error *error) {
    if (filter->inputs == inputs && filter->outputs == outputs) return true;
    const double scale = (double)inputs / outputs;
    const double support = (filter->bicubic ? 2 : 1) * (scale < 1 ? 1 : scale);
    const uint32_t taps = 2 * (uint32_t)ceil(support) + 1;
    filter->inputs = 0;
    if ((size_t)taps * size > filter->capacity) {
        free(filter->weights);
        filter->capacity = (size_t)taps * size;
        filter->weights = memory_allocate(filter->capacity, sizeof *filter->weights, error);
        if (!filter->weights) {
            filter->capacity = 0;
            return false;
        }
    }
    filter->inputs = inputs;
    filter->outputs = outputs;
    filter->offset = (outputs - size) / 2;
    filter->taps = taps;
    memset(filter->weights, 0, (size_t)taps * size * sizeof *filter->weights);
    for (uint32_t i = 0; i < size; i++) {
        filter_window(filter, i, scale, support, &filter->first[i], &filter->last[i]);
        filter_weights(filter, i, scale, support, filter->weights + (size_t)i * taps);
    }
    return true;
}

/* Room for `count` elements aligned for vectors; *block stays when it is large enough. */
static bool take_aligned(void **block, size_t *capacity, size_t count, size_t size, Error *error) {
    if (count <= *capacity) return true;
    free(*block);
    *block = aligned_alloc(CHUNK, (count * size + CHUNK - 1) / CHUNK * CHUNK);
    *capacity = *block ? count : 0;
    return *block || memory_error(error, count, size);
}

/* The weight of a pixel stands in each of its four lanes. All outputs take as many pairs as the longest, some
 * with weights of zero: a loop of one length runs faster. */
static void spread_weights(ImageResizer *resizer) {
    const Filter *filter = &resizer->horizontal;
    for (size_t i = 0; i < resizer->size; i++)
        for (size_t pair = 0; pair < resizer->pairs; pair++) {
            const int32_t *weights = filter->weights + i * filter->taps + 2 * pair;
            const int32_t a = weights[0], b = 2 * pair + 1 < filter->taps ? weights[1] : 0;
            resizer->lanes[i * resizer->pairs + pair] = (Lanes){a, a, a, a, b, b, b, b};
        }
}

static size_t longest_window(const Filter *filter, uint32_t size) {
    uint32_t longest = 0;
    for (uint32_t i = 0; i < size; i++)
        if (filter->last[i] - filter->first[i] > longest) longest = filter->last[i] - filter->first[i];
    return longest;
}

static bool horizontal_set(ImageResizer *resizer, uint32_t width, uint32_t outputs, Error *error) {
    Filter *filter = &resizer->horizontal;
    if (filter->inputs == width && filter->outputs == outputs) return true;
    if (!filter_set(filter, width, outputs, resizer->size, error)) return false;
    resizer->pairs = (longest_window(filter, resizer->size) + 1) / 2;
    const size_t wide = (size_t)width + 2 * resizer->pairs;
    if (take_aligned((void **)&resizer->lanes, &resizer->lanes_capacity, resizer->size * resizer->pairs,
                     sizeof(Lanes), error) &&
        take_aligned((void **)&resizer->wide, &resizer->wide_capacity, wide, sizeof(Pixel), error)) {
        memset(resizer->wide, 0, wide * sizeof(Pixel));
        spread_weights(resizer);
        return true;
    }
    filter->inputs = 0;
    return false;
}

/* What a side becomes, of which the middle is cut out: the size, or of the recipe's shorter side as much as
 * keeps the proportions (rounded down, as in Hugging Face's image processors), but no less than the size. */
static uint32_t side_of(const ImageResizer *resizer, uint32_t side, uint32_t other) {
    const uint32_t edge = resizer->shortest_edge, shorter = side < other ? side : other;
    if (!edge) return resizer->size;
    return side == shorter ? edge : (uint32_t)((uint64_t)edge * side / shorter);
}

static bool begin_image(void *context, uint32_t width, uint32_t height, Error *error) {
    ImageResizer *resizer = context;
    resizer->width = width;
    resizer->height = height;
    resizer->rows = resizer->done = 0;
    const uint32_t wide = side_of(resizer, width, height), high = side_of(resizer, height, width);
    resizer->keeps_width = width == wide && width == resizer->size;
    resizer->keeps_height = height == high && height == resizer->size;
    if (!resizer->keeps_width && !horizontal_set(resizer, width, wide, error)) return false;
    if (resizer->keeps_height) return true;
    if (!filter_set(&resizer->vertical, height, high, resizer->size, error)) return false;
    const size_t values = resizer->vertical.taps * resizer->stride;
    if (!take_aligned((void **)&resizer->ring, &resizer->ring_capacity, values, sizeof *resizer->ring, error))
        return false;
    memset(resizer->ring, 0, values * sizeof *resizer->ring);
    return true;
}

static uint8_t *result_row(const ImageResizer *resizer, uint32_t row) {
    return resizer->pixels + 3 * (size_t)row * resizer->size;
}

static void widen(const uint8_t *bytes, int32_t *wide, size_t count) {
    for (size_t i = 0; i < count; i++)
        wide[i] = bytes[i];
}

static void round_values(int32_t *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const int32_t value = values[i] >> FRACTION, low = value > 0 ? value : 0;
        values[i] = low < 255 ? low : 255;
    }
}

static void narrow(const int32_t *values, uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)values[i];
}

/* The sums of an output, the fourth without meaning. */
static inline Pixel horizontal_pixel(const int32_t *source, const Lanes *weights, size_t pairs) {
    Lanes sum = {HALF, HALF, HALF, HALF};
    for (size_t pair = 0; pair < pairs; pair++) {
        Lanes pixels;
        memcpy(&pixels, source + 2 * IMAGE_PIXEL * pair, sizeof pixels);
        sum += pixels * weights[pair];
    }
    return __builtin_shufflevector(sum, sum, 0, 1, 2, 3) + __builtin_shufflevector(sum, sum, 4, 5, 6, 7);
}

static inline void horizontal_row(const ImageResizer *resizer, int32_t *target, size_t pairs) {
    const int32_t *wide = resizer->wide;
    const uint32_t *first = resizer->horizontal.first;
    const Lanes *weights = resizer->lanes;
    for (size_t i = 0; i < resizer->size; i++, weights += pairs) {
        const Pixel sums = horizontal_pixel(wide + IMAGE_PIXEL * (size_t)first[i], weights, pairs);
        memcpy(target + 3 * i, &sums, sizeof sums); /* the next pixel overwrites the fourth */
    }
    round_values(target, 3 * (size_t)resizer->size + 1);
}

/* The short windows are those of enlarging and of reducing to a half; their loops are unrolled. */
static void horizontal_pass(const ImageResizer *resizer, const uint8_t *pixels, int32_t *target) {
    widen(pixels, resizer->wide, IMAGE_PIXEL * (size_t)resizer->width);
    switch (resizer->pairs) {
    case 1:
        horizontal_row(resizer, target, 1);
        break;
    case 2:
        horizontal_row(resizer, target, 2);
        break;
    case 3:
        horizontal_row(resizer, target, 3);
        break;
    default:
        horizontal_row(resizer, target, resizer->pairs);
    }
}

static void drop_fourth(const uint8_t *pixels, int32_t *target, size_t width) {
    for (size_t x = 0; x < width; x++)
        for (size_t channel = 0; channel < 3; channel++)
            target[3 * x + channel] = pixels[IMAGE_PIXEL * x + channel];
}

/* Rounded, of which the lowest byte is taken: all bits where it is more than 255, none where less than 0. */
static inline void store_stripe(const Stripe *sums, uint8_t *target) {
    const Stripe values = *sums >> FRACTION, clipped = (values & (values > 0)) | (values > 255);
    const StripeBytes bytes = __builtin_convertvector(clipped, StripeBytes);
    memcpy(target, &bytes, sizeof bytes);
}

/* CHUNK values of a row of the result: sums stay in registers while the rows of the ring pass by. */
static void vertical_chunk(const Filter *filter, uint32_t i, const int32_t *ring, size_t stride,
                           uint8_t *target) {
    const uint32_t first = filter->first[i], count = filter->last[i] - first;
    const int32_t *weights = filter->weights + (size_t)i * filter->taps;
    uint32_t slot = first % filter->taps;
    Stripe sums[CHUNK / STRIPE];
    for (int k = 0; k < CHUNK / STRIPE; k++)
        sums[k] = (Stripe){0} + HALF;
    for (uint32_t y = 0; y < count; y++) {
        const Stripe *values = (const Stripe *)(ring + slot * stride);
        for (int k = 0; k < CHUNK / STRIPE; k++)
            sums[k] += values[k] * weights[y];
        slot = slot + 1 < filter->taps ? slot + 1 : 0;
    }
    for (int k = 0; k < CHUNK / STRIPE; k++)
        store_stripe(&sums[k], target + STRIPE * k);
}

static void vertical_pass(const ImageResizer *resizer, uint32_t i) {
    const size_t bytes = 3 * (size_t)resizer->size;
    uint8_t *target = result_row(resizer, i), rest[CHUNK] = {0};
    for (size_t x = 0; x < bytes; x += CHUNK) {
        const bool is_whole = x + CHUNK <= bytes;
        vertical_chunk(&resizer->vertical, i, resizer->ring + x, resizer->stride,
                       is_whole ? target + x : rest);
        if (!is_whole) memcpy(target + x, rest, bytes - x);
    }
}

static void take_row(void *context, const uint8_t *pixels) {
    ImageResizer *resizer = context;
    const Filter *vertical = &resizer->vertical;
    const uint32_t number = resizer->rows++;
    const bool is_last_pass = resizer->keeps_height;
    int32_t *target =
        is_last_pass ? resizer->line : resizer->ring + number % vertical->taps * resizer->stride;
    if (resizer->keeps_width)
        drop_fourth(pixels, target, resizer->width);
    else
        horizontal_pass(resizer, pixels, target);
    if (is_last_pass) {
        narrow(target, result_row(resizer, number), 3 * (size_t)resizer->size);
        return;
    }
    while (resizer->done < resizer->size && vertical->last[resizer->done] <= resizer->rows)
        vertical_pass(resizer, resizer->done++);
}

ImageSink image_resizer_sink(ImageResizer *resizer, uint8_t *pixels) {
    resizer->pixels = pixels;
    return (ImageSink){resizer, begin_image, take_row};
}

void image_normalise(const uint8_t *pixels, size_t size, const ImageRecipe *recipe, float *planes) {
    const size_t area = size * size;
    for (size_t i = 0; i < area; i++)
        for (size_t channel = 0; channel < 3; channel++)
            planes[channel * area + i] = ((float)pixels[3 * i + channel] / 255.0f - recipe->mean[channel]) /
                                         recipe->deviation[channel];
}
