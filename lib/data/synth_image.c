#include "data/synth_image.h"

#include "data/jpeg_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SAMPLES = 3, SPOTS = 3, JPEG_QUALITY = 90 };

typedef struct Colour {
    double red, green, blue;
} Colour;

/* How a domain paints: the ground behind the shape, and saturation, value and hue (in turns) of its colours.
 */
typedef struct Style {
    double ground, saturation, value, hue;
} Style;

static const Style styles[] = {
    {0.93, 0.85, 0.85, 0.00}, {0.14, 0.65, 0.80, 0.03}, {0.78, 0.60, 0.60, -0.03}, {0.35, 0.95, 0.95, 0.02}};

/* Where a shape lies in the unit square, and how it is painted. */
typedef struct Scene {
    uint8_t kind;
    double x, y, radius, cosine, sine;
    double spot_x[SPOTS], spot_y[SPOTS], spot_radius;
    Colour ground, shape, spot;
} Scene;

static Colour from_hue(double hue, double saturation, double value) {
    double channel[3];
    for (int i = 0; i < 3; i++) {
        const double shifted = hue + (3 - i) / 3.0;
        const double ramp = fabs((shifted - floor(shifted)) * 6 - 3) - 1;
        channel[i] = value * (1 - saturation * (1 - fmin(fmax(ramp, 0), 1)));
    }
    return (Colour){channel[0], channel[1], channel[2]};
}

static Colour grey(double level) {
    return (Colour){level, level, level};
}

static double between(Random *random, double low, double high) {
    return low + (high - low) * random_uniform(random);
}

static Scene compose(const SynthCatalogue *catalogue, size_t item, Random *random) {
    const SynthItem *made = &catalogue->items[item];
    const Style *style = &styles[catalogue->domain % (sizeof styles / sizeof *styles)];
    Scene scene = {.kind = made->kind};
    scene.x = between(random, 0.47, 0.53);
    scene.y = between(random, 0.47, 0.53);
    scene.radius = between(random, 0.36, 0.42);
    const double turn = between(random, -0.1, 0.1);
    scene.cosine = cos(turn);
    scene.sine = sin(turn);
    scene.ground = grey(style->ground + between(random, -0.06, 0.06));
    const double hue = made->colour / (double)SYNTH_COLOURS + style->hue + between(random, -0.02, 0.02);
    scene.shape = from_hue(hue, style->saturation + between(random, -0.05, 0.05),
                           style->value + between(random, -0.05, 0.05));
    scene.spot = grey(between(random, 0.3, 0.6));
    scene.spot_radius = between(random, 0.02, 0.05);
    for (int i = 0; i < SPOTS; i++) {
        scene.spot_x[i] = random_uniform(random);
        scene.spot_y[i] = random_uniform(random);
    }
    return scene;
}

/* Whether the shape of a kind, of radius 1 about the origin, covers a point. */
static bool covers(uint8_t kind, double x, double y) {
    const double distance = hypot(x, y);
    switch (kind) {
    case 0: /* disc */
        return distance < 1;
    case 1: /* ring */
        return distance < 1 && distance > 0.6;
    case 2: /* square */
        return fmax(fabs(x), fabs(y)) < 0.85;
    case 3: /* triangle */
        return y < 0.75 && y > 2 * fabs(x) - 1;
    case 4: /* cross */
        return fmin(fabs(x), fabs(y)) < 0.25 && fmax(fabs(x), fabs(y)) < 1;
    default: /* bars */
        return fmax(fabs(x), fabs(y)) < 1 && fmod(y + 1, 0.5) < 0.25;
    }
}

static Colour colour_at(const Scene *scene, double x, double y) {
    for (int i = 0; i < SPOTS; i++)
        if (hypot(x - scene->spot_x[i], y - scene->spot_y[i]) < scene->spot_radius) return scene->spot;
    const double right = (x - scene->x) / scene->radius, down = (y - scene->y) / scene->radius;
    const bool inside = covers(scene->kind, scene->cosine * right + scene->sine * down,
                               scene->cosine * down - scene->sine * right);
    return inside ? scene->shape : scene->ground;
}

static uint8_t to_byte(double level, double noise) {
    return (uint8_t)lrint(255 * fmin(fmax(level + noise, 0), 1));
}

void synth_image_render(const SynthCatalogue *catalogue, size_t item, int size, uint8_t *pixels) {
    Random random;
    synth_random(&random, catalogue, SYNTH_STREAM_IMAGES, item);
    const Scene scene = compose(catalogue, item, &random);
    for (int row = 0; row < size; row++)
        for (int column = 0; column < size; column++) {
            Colour sum = {0, 0, 0};
            for (int i = 0; i < SAMPLES * SAMPLES; i++) {
                const int across = i % SAMPLES, down = i / SAMPLES;
                const double x = (column + (across + 0.5) / SAMPLES) / size;
                const double y = (row + (down + 0.5) / SAMPLES) / size;
                const Colour sample = colour_at(&scene, x, y);
                sum = (Colour){sum.red + sample.red, sum.green + sample.green, sum.blue + sample.blue};
            }
            const double noise = between(&random, -0.03, 0.03), share = 1.0 / (SAMPLES * SAMPLES);
            *pixels++ = to_byte(sum.red * share, noise);
            *pixels++ = to_byte(sum.green * share, noise);
            *pixels++ = to_byte(sum.blue * share, noise);
        }
}

bool synth_image_write(const char *path, const uint8_t *pixels, int size, Error *error) {
    size_t count;
    unsigned char *bytes = jpeg_compress(pixels, size, JPEG_QUALITY, &count);
    FILE *file = fopen(path, "wb");
    if (!file) error_set_errno(error, "cannot write %s", path);
    bool fine =
        file && (fwrite(bytes, 1, count, file) == count || error_set_errno(error, "cannot write %s", path));
    if (file && fclose(file) && fine) fine = error_set_errno(error, "cannot write %s", path);
    if (file && !fine) unlink(path);
    free(bytes);
    return fine;
}
