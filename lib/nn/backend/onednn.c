#include "nn/backend/onednn.h"

#ifdef WITH_ONEDNN

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

/* One primitive serves all sizes: they are given when it is run, so that ragged batches compile nothing. */
typedef struct Products {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitives[2][2][2]; /* by a.transposed, b.transposed, beta */
} Products;

static bool describe(dnnl_memory_desc_t *description, dnnl_data_type_t type, size_t rows, size_t columns,
                     size_t stride, bool transposed) {
    const dnnl_dims_t sizes = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    const dnnl_dims_t strides = {transposed ? 1 : (dnnl_dim_t)stride, transposed ? (dnnl_dim_t)stride : 1};
    return dnnl_memory_desc_init_by_strides(description, 2, sizes, type, strides) == dnnl_success;
}

static dnnl_primitive_t create_primitive(dnnl_engine_t engine, bool a, bool b, bool adds) {
    const size_t later = (size_t)DNNL_RUNTIME_DIM_VAL;
    dnnl_memory_desc_t x, y, z;
    dnnl_matmul_desc_t product;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t operations = NULL;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t primitive = NULL;
    if (describe(&x, dnnl_bf16, later, later, later, a) && describe(&y, dnnl_bf16, later, later, later, b) &&
        describe(&z, dnnl_f32, later, later, later, false) &&
        dnnl_primitive_attr_create(&attributes) == dnnl_success &&
        (!adds || (dnnl_post_ops_create(&operations) == dnnl_success &&
                   dnnl_post_ops_append_sum(operations, 1) == dnnl_success &&
                   dnnl_primitive_attr_set_post_ops(attributes, operations) == dnnl_success)) &&
        dnnl_matmul_desc_init(&product, &x, &y, NULL, &z) == dnnl_success &&
        dnnl_primitive_desc_create(&description, &product, attributes, engine, NULL) == dnnl_success &&
        dnnl_primitive_create(&primitive, description) != dnnl_success)
        primitive = NULL;
    dnnl_primitive_desc_destroy(description);
    dnnl_post_ops_destroy(operations);
    dnnl_primitive_attr_destroy(attributes);
    return primitive;
}

static const Products *find_products(void) {
    static Products products; /* the library's handles; they live as long as the program */
    static bool ready;
    if (ready) return &products;
    if (dnnl_engine_create(&products.engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&products.stream, products.engine, 0) != dnnl_success)
        return NULL;
    for (int i = 0; i < 8; i++) {
        dnnl_primitive_t *primitive = &products.primitives[i >> 2][i >> 1 & 1][i & 1];
        *primitive = create_primitive(products.engine, i >> 2, i >> 1 & 1, i & 1);
        if (!*primitive) return NULL;
    }
    ready = true;
    return &products;
}

static dnnl_memory_t create_memory(const Products *products, dnnl_data_type_t type, size_t rows,
                                   size_t columns, size_t stride, bool transposed, const void *values) {
    dnnl_memory_desc_t description;
    dnnl_memory_t memory = NULL;
    if (!describe(&description, type, rows, columns, stride, transposed) ||
        dnnl_memory_create(&memory, &description, products->engine, (void *)values) != dnnl_success)
        return NULL;
    return memory;
}

bool onednn_matmul_bf16(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                        size_t c_stride) {
    const Products *products = find_products();
    if (!products) return false;
    dnnl_memory_t x = create_memory(products, dnnl_bf16, m, k, a.stride, a.transposed, a.rounded);
    dnnl_memory_t y = create_memory(products, dnnl_bf16, k, n, b.stride, b.transposed, b.rounded);
    dnnl_memory_t z = create_memory(products, dnnl_f32, m, n, c_stride, false, c);
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, y}, {DNNL_ARG_DST, z}};
    const bool fine = x && y && z &&
                      dnnl_primitive_execute(products->primitives[a.transposed][b.transposed][beta != 0],
                                             products->stream, 3, arguments) == dnnl_success &&
                      dnnl_stream_wait(products->stream) == dnnl_success;
    dnnl_memory_destroy(x);
    dnnl_memory_destroy(y);
    dnnl_memory_destroy(z);
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

#endif
