#include "nn/backend/cpu/onednn.h"

#ifdef WITH_ONEDNN

#include "core/memory.h"

#include <dnnl.h>

bool onednn_is_present(void) {
    return true;
}

/* AMX implies AVX-512 BF16. */
bool onednn_has_bf16(void) {
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw");
}

bool onednn_matmul_f32(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                       size_t c_stride) {
    return dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', (dnnl_dim_t)m, (dnnl_dim_t)n,
                      (dnnl_dim_t)k, 1, a.values, (dnnl_dim_t)a.stride, b.values, (dnnl_dim_t)b.stride, beta,
                      c, (dnnl_dim_t)c_stride) == dnnl_success;
}

typedef struct Engine {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
} Engine;

/* NULL when the library fails. */
static const Engine *find_engine(void) {
    static Engine engine; /* the library's handles; they live as long as the program */
    static bool ready;
    ready = ready || (dnnl_engine_create(&engine.engine, dnnl_cpu, 0) == dnnl_success &&
                      dnnl_stream_create(&engine.stream, engine.engine, 0) == dnnl_success);
    return ready ? &engine : NULL;
}

static bool describe(dnnl_memory_desc_t *description, dnnl_data_type_t type, size_t rows, size_t columns,
                     size_t stride, bool transposed) {
    const dnnl_dims_t sizes = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    const dnnl_dims_t strides = {transposed ? 1 : (dnnl_dim_t)stride, transposed ? (dnnl_dim_t)stride : 1};
    return dnnl_memory_desc_init_by_strides(description, 2, sizes, type, strides) == dnnl_success;
}

/* The description of c = a · b, or of c += a · b. NULL when there is no such product. */
static dnnl_primitive_desc_t describe_product(const Engine *engine, const dnnl_memory_desc_t *a,
                                              const dnnl_memory_desc_t *b, const dnnl_memory_desc_t *c,
                                              bool adds) {
    dnnl_matmul_desc_t product;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t operations = NULL;
    dnnl_primitive_desc_t description = NULL;
    if (dnnl_primitive_attr_create(&attributes) != dnnl_success ||
        (adds && (dnnl_post_ops_create(&operations) != dnnl_success ||
                  dnnl_post_ops_append_sum(operations, 1) != dnnl_success ||
                  dnnl_primitive_attr_set_post_ops(attributes, operations) != dnnl_success)) ||
        dnnl_matmul_desc_init(&product, a, b, NULL, c) != dnnl_success ||
        dnnl_primitive_desc_create(&description, &product, attributes, engine->engine, NULL) != dnnl_success)
        description = NULL;
    dnnl_post_ops_destroy(operations);
    dnnl_primitive_attr_destroy(attributes);
    return description;
}

/* One primitive serves all sizes: they are given when it is run, so that ragged batches compile nothing. By
 * a.transposed, b.transposed, beta; NULL when the library fails. */
static dnnl_primitive_t find_product_of_any_size(const Engine *engine, bool a, bool b, bool adds) {
    static dnnl_primitive_t primitives[2][2][2];
    const size_t later = (size_t)DNNL_RUNTIME_DIM_VAL;
    dnnl_primitive_t *primitive = &primitives[a][b][adds];
    dnnl_memory_desc_t x, y, z;
    if (*primitive) return *primitive;
    if (!describe(&x, dnnl_bf16, later, later, later, a) ||
        !describe(&y, dnnl_bf16, later, later, later, b) ||
        !describe(&z, dnnl_f32, later, later, later, false))
        return NULL;
    dnnl_primitive_desc_t description = describe_product(engine, &x, &y, &z, adds);
    if (!description || dnnl_primitive_create(primitive, description) != dnnl_success) *primitive = NULL;
    dnnl_primitive_desc_destroy(description);
    return *primitive;
}

static bool run_product(const Engine *engine, dnnl_primitive_t primitive, dnnl_memory_t a, dnnl_memory_t b,
                        dnnl_memory_t c) {
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}};
    return a && b && c && dnnl_primitive_execute(primitive, engine->stream, 3, arguments) == dnnl_success &&
           dnnl_stream_wait(engine->stream) == dnnl_success;
}

static dnnl_memory_t create_memory(const Engine *engine, dnnl_data_type_t type, size_t rows, size_t columns,
                                   size_t stride, bool transposed, const void *values) {
    dnnl_memory_desc_t description;
    dnnl_memory_t memory = NULL;
    if (!describe(&description, type, rows, columns, stride, transposed) ||
        dnnl_memory_create(&memory, &description, engine->engine, (void *)values) != dnnl_success)
        return NULL;
    return memory;
}

bool onednn_matmul_bf16(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                        size_t c_stride) {
    const Engine *engine = find_engine();
    dnnl_primitive_t primitive =
        engine ? find_product_of_any_size(engine, a.transposed, b.transposed, beta != 0) : NULL;
    if (!primitive) return false;
    dnnl_memory_t x = create_memory(engine, dnnl_bf16, m, k, a.stride, a.transposed, a.rounded);
    dnnl_memory_t y = create_memory(engine, dnnl_bf16, k, n, b.stride, b.transposed, b.rounded);
    dnnl_memory_t z = create_memory(engine, dnnl_f32, m, n, c_stride, false, c);
    const bool fine = run_product(engine, primitive, x, y, z);
    dnnl_memory_destroy(x);
    dnnl_memory_destroy(y);
    dnnl_memory_destroy(z);
    return fine;
}

void onednn_destroy_memory(struct dnnl_memory *memory) {
    dnnl_memory_destroy(memory);
}

/* Fills the copy from b [k, n]. */
static bool pack(const Engine *engine, PackedMatrix *copy, size_t k, size_t n, Matrix b) {
    const dnnl_memory_desc_t *to;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_t from = create_memory(engine, dnnl_f32, k, n, b.stride, b.transposed, b.values);
    dnnl_memory_desc_t plain;
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, copy->memory}};
    const bool fine = from && describe(&plain, dnnl_f32, k, n, b.stride, b.transposed) &&
                      dnnl_memory_get_memory_desc(copy->memory, &to) == dnnl_success &&
                      dnnl_reorder_primitive_desc_create(&description, &plain, engine->engine, to,
                                                         engine->engine, NULL) == dnnl_success &&
                      dnnl_primitive_create(&reorder, description) == dnnl_success &&
                      dnnl_primitive_execute(reorder, engine->stream, 2, arguments) == dnnl_success &&
                      dnnl_stream_wait(engine->stream) == dnnl_success;
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(description);
    dnnl_memory_destroy(from);
    return fine;
}

/* Room for a copy of a matrix [k, n], in the layout that a product as described chooses. */
static PackedMatrix *create_packed(const Engine *engine, dnnl_data_type_t type, const dnnl_memory_desc_t *x,
                                   size_t k, size_t n, const dnnl_memory_desc_t *z) {
    const dnnl_dims_t sizes = {(dnnl_dim_t)k, (dnnl_dim_t)n};
    dnnl_memory_desc_t any;
    if (dnnl_memory_desc_init_by_tag(&any, 2, sizes, type, dnnl_format_tag_any) != dnnl_success) return NULL;
    dnnl_primitive_desc_t product = describe_product(engine, x, &any, z, false);
    if (!product) return NULL;
    const dnnl_memory_desc_t *chosen = dnnl_primitive_desc_query_md(product, dnnl_query_weights_md, 0);
    PackedMatrix *packed = memory_need(1, sizeof *packed);
    packed->bytes = memory_take_aligned(dnnl_memory_desc_get_size(chosen));
    if (dnnl_memory_create(&packed->memory, chosen, engine->engine, packed->bytes) != dnnl_success) {
        free(packed->bytes);
        free(packed);
        packed = NULL;
    }
    dnnl_primitive_desc_destroy(product);
    return packed;
}

/* The copy of b [k, n] for products as described. NULL when there can be none. */
static const PackedMatrix *find_packed(const Engine *engine, dnnl_data_type_t type,
                                       const dnnl_memory_desc_t *x, size_t k, size_t n, Matrix b,
                                       const dnnl_memory_desc_t *z) {
    PackedMatrix **copy = &b.packing->copies[type == dnnl_bf16][b.transposed];
    bool *current = &b.packing->current[type == dnnl_bf16][b.transposed];
    if (!*copy) *copy = create_packed(engine, type, x, k, n, z);
    if (*copy && !*current) *current = pack(engine, *copy, k, n, b);
    return *current ? *copy : NULL;
}

bool onednn_matmul_packed(bool bf16, size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                          size_t c_stride) {
    const Engine *engine = find_engine();
    const dnnl_data_type_t type = bf16 ? dnnl_bf16 : dnnl_f32;
    dnnl_memory_desc_t x_description, z_description;
    if (!engine || !describe(&x_description, type, m, k, a.stride, a.transposed) ||
        !describe(&z_description, dnnl_f32, m, n, c_stride, false))
        return false;
    const PackedMatrix *packed = find_packed(engine, type, &x_description, k, n, b, &z_description);
    const dnnl_memory_desc_t *y_description;
    if (!packed || dnnl_memory_get_memory_desc(packed->memory, &y_description) != dnnl_success) return false;
    dnnl_primitive_desc_t description =
        describe_product(engine, &x_description, y_description, &z_description, beta != 0);
    dnnl_primitive_t primitive = NULL; /* the library keeps those that were met before */
    dnnl_memory_t x =
        create_memory(engine, type, m, k, a.stride, a.transposed, bf16 ? (const void *)a.rounded : a.values);
    dnnl_memory_t z = create_memory(engine, dnnl_f32, m, n, c_stride, false, c);
    const bool fine = description && dnnl_primitive_create(&primitive, description) == dnnl_success &&
                      run_product(engine, primitive, x, packed->memory, z);
    dnnl_memory_destroy(x);
    dnnl_memory_destroy(z);
    dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(description);
    return fine;
}

#else

bool onednn_is_present(void) {
    return false;
}

bool onednn_has_bf16(void) {
    return false;
}

bool onednn_matmul_f32(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                       size_t c_stride) {
    (void)m, (void)n, (void)k, (void)a, (void)b, (void)beta, (void)c, (void)c_stride;
    return false;
}

bool onednn_matmul_bf16(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                        size_t c_stride) {
    return onednn_matmul_f32(m, n, k, a, b, beta, c, c_stride);
}

bool onednn_matmul_packed(bool bf16, size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                          size_t c_stride) {
    (void)bf16;
    return onednn_matmul_f32(m, n, k, a, b, beta, c, c_stride);
}

void onednn_destroy_memory(struct dnnl_memory *memory) {
    (void)memory;
}

#endif
