#include "device.h"
#include "table.h"
#include "values.h"

#define SMALLEST_NORM 1e-12f

static void gather(size_t count, size_t columns, const float *from, const uint32_t *rows, float *to) {
    each_cell(count, columns,
              [=] __device__(size_t i, size_t j) { to[i * columns + j] = from[rows[i] * columns + j]; });
}

static void fill(size_t count, size_t columns, const uint32_t *rows, float value, float *to) {
    each_cell(count, columns, [=] __device__(size_t i, size_t j) { to[rows[i] * columns + j] = value; });
}

/* Lists may be of any length, so rows are added up by windows of a fixed size over all lists. What a window
 * has of a list that goes beyond it is a partial sum, which a second pass adds up. */
enum { WINDOW = 64 };

/* The partial sums of a window: of the list that begins before it, and of the one that ends behind it. */
typedef struct Partial {
    float *head, *tail; /* [windows, columns] */
} Partial;

/* The last list that starts at or before a place in the order. */
static __device__ inline size_t list_at(const RowLists &lists, size_t place) {
    size_t low = 0, high = lists.count;
    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        *(lists.offsets[middle] <= place ? &low : &high) = middle;
    }
    return low;
}

static __device__ void add_window(const RowLists &lists, size_t window, size_t columns, size_t j,
                                  const float *from, Partial partial, float *to) {
    const size_t first = window * WINDOW, end = first + WINDOW < lists.rows ? first + WINDOW : lists.rows;
    size_t place = first;
    for (size_t list = list_at(lists, first); place < end; list++) {
        const size_t list_first = lists.offsets[list], list_end = lists.offsets[list + 1];
        float sum = 0;
        for (; place < end && place < list_end; place++)
            sum += from[lists.order[place] * columns + j];
        if (list_first < first)
            partial.head[window * columns + j] = sum;
        else if (list_end > end)
            partial.tail[window * columns + j] = sum;
        else
            to[lists.targets[list] * columns + j] += sum;
    }
}

static __device__ void add_partials(const RowLists &lists, size_t list, size_t columns, size_t j,
                                    Partial partial, float *to) {
    const size_t first = lists.offsets[list] / WINDOW, last = (lists.offsets[list + 1] - 1) / WINDOW;
    if (first == last) return;
    float sum = partial.tail[first * columns + j];
    for (size_t window = first + 1; window <= last; window++)
        sum += partial.head[window * columns + j];
    to[lists.targets[list] * columns + j] += sum;
}

static void scatter_add(size_t columns, const float *from, const RowLists *lists_, float *to, Arena *) {
    const RowLists lists = *lists_;
    const size_t windows = divide_up(lists.rows, WINDOW);
    float *room = static_cast<float *>(device_room(2 * windows * columns * sizeof *room));
    const Partial partial = {room, room + windows * columns};
    each_cell(windows, columns, [=] __device__(size_t window, size_t j) {
        add_window(lists, window, columns, j, from, partial, to);
    });
    if (windows > 1)
        each_cell(lists.count, columns, [=] __device__(size_t list, size_t j) {
            add_partials(lists, list, columns, j, partial, to);
        });
}

static void embedding_sum(const EmbeddingSum *sum_) {
    const EmbeddingSum sum = *sum_;
    each_cell(sum.count, sum.columns, [=] __device__(size_t i, size_t j) {
        float value = sum.base ? sum.base[i * sum.columns + j] : 0;
        for (size_t t = 0; t < sum.table_count; t++) {
            const EmbeddedRow &row = sum.tables[t];
            value += row.table[(row.rows ? row.rows[i] : row.row) * sum.columns + j];
        }
        sum.y[i * sum.columns + j] = value;
    });
}

static void normalise(size_t rows, size_t columns, const float *x, float *y, float *inverse) {
    each_row(rows, [=] __device__(size_t i, unsigned lane) {
        const float *from = x + i * columns;
        float squares = 0;
        for (size_t j = lane; j < columns; j += WARP)
            squares += from[j] * from[j];
        const float factor = 1 / fmaxf(sqrtf(warp_sum(squares)), SMALLEST_NORM);
        if (lane == 0) inverse[i] = factor;
        for (size_t j = lane; j < columns; j += WARP)
            y[i * columns + j] = from[j] * factor;
    });
}

static void normalise_backward(size_t rows, size_t columns, const float *y, const float *inverse,
                               const float *dy, float *dx) {
    each_row(rows, [=] __device__(size_t i, unsigned lane) {
        const size_t first = i * columns;
        float product = 0;
        for (size_t j = lane; j < columns; j += WARP)
            product += y[first + j] * dy[first + j];
        product = warp_sum(product);
        for (size_t j = lane; j < columns; j += WARP)
            dx[first + j] += (dy[first + j] - y[first + j] * product) * inverse[i];
    });
}

static void cut_patches(size_t images, size_t channels, size_t size, size_t patch, const float *pixels,
                        float *to) {
    const size_t across = size / patch, area = patch * patch, columns = channels * area;
    each_cell(images * across * across, columns, [=] __device__(size_t i, size_t j) {
        const size_t image = i / (across * across), row = i / across % across, column = i % across;
        const size_t channel = j / area, y = row * patch + j % area / patch, x = column * patch + j % patch;
        to[i * columns + j] = pixels[((image * channels + channel) * size + y) * size + x];
    });
}

const RowKernels cuda_rows = {gather,    scatter_add,        fill,       embedding_sum,
                              normalise, normalise_backward, cut_patches};
