#include "arrays/torch_pickle.h"

static const struct {
    const char *name;
    ElementType type;
} storage_types[] = {
    {"torch.DoubleStorage", ELEMENT_F64}, {"torch.FloatStorage", ELEMENT_F32},
    {"torch.HalfStorage", ELEMENT_F16},   {"torch.BFloat16Storage", ELEMENT_BF16},
    {"torch.LongStorage", ELEMENT_I64},   {"torch.IntStorage", ELEMENT_I32},
    {"torch.ShortStorage", ELEMENT_I16},  {"torch.CharStorage", ELEMENT_I8},
    {"torch.ByteStorage", ELEMENT_U8},    {"torch.BoolStorage", ELEMENT_BOOL},
};

static const char *const tensor_makers[] = {"torch._utils._rebuild_tensor_v2",
                                            "torch._utils._rebuild_tensor"};
static const char *const parameter_makers[] = {"torch._utils._rebuild_parameter",
                                               "torch._utils._rebuild_parameter_with_state"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool is_one_of(const char *const *names, size_t count, const char *name, size_t size) {
    for (size_t i = 0; i < count; i++)
        if (strlen(names[i]) == size && !memcmp(names[i], name, size)) return true;
    return false;
}

static bool is_made_by(const PickleValue *value, const char *const *makers, size_t count) {
    const PickleValue *callee = value->kind == PICKLE_OBJECT ? value->object->callee : NULL;
    return callee && callee->kind == PICKLE_GLOBAL &&
           is_one_of(makers, count, callee->text.bytes, callee->text.size);
}

/* An nn.Parameter is a wrapper around its tensor. PyTorch never wraps one twice; a chain of them, followed
 * from every entry, would take for ever. */
static const PickleValue *unwrap_parameter(const PickleValue *value) {
    enum { DEEPEST = 4 };
    for (int depth = 0; depth < DEEPEST && is_made_by(value, parameter_makers, COUNT(parameter_makers)) &&
                        pickle_count(value->object->arguments) > 0;
         depth++)
        value = pickle_item(value->object->arguments, 0);
    return value;
}

bool torch_is_tensor(const PickleValue *value) {
    return is_made_by(unwrap_parameter(value), tensor_makers, COUNT(tensor_makers));
}

static bool is_dict(const PickleValue *value) {
    return value->kind == PICKLE_DICT || (value->kind == PICKLE_OBJECT &&
                                          pickle_is_global(value->object->callee, "collections.OrderedDict"));
}

static bool holds_tensors(const PickleValue *dict) {
    for (size_t i = 1; i < pickle_count(dict); i += 2)
        if (torch_is_tensor(pickle_item(dict, i))) return true;
    return false;
}

const PickleValue *torch_state_dict(const PickleValue *root, Error *error) {
    static const char *const keys[] = {"model_state_dict", "state_dict", "model", "module"};
    if (!is_dict(root)) {
        char text[PICKLE_TEXT];
        error_set(error,
                  "the checkpoint is no dict of tensors but a %s; save model.state_dict(). Nothing in it was "
                  "executed",
                  pickle_describe(root, text));
        return NULL;
    }
    for (size_t i = 0; i < COUNT(keys); i++) {
        const PickleValue *inner = pickle_get(root, keys[i]);
        if (inner && is_dict(inner) && holds_tensors(inner)) return inner;
    }
    if (holds_tensors(root)) return root;
    error_set(error,
              "the checkpoint holds no state dict: no tensors in it, nor under model_state_dict, "
              "state_dict, model or module");
    return NULL;
}

bool torch_storage_read(const PickleValue *value, TorchTensor *tensor, Error *error) {
    const PickleValue *id = value->kind == PICKLE_PERSISTENT ? value->persistent : NULL;
    if (!id || id->kind != PICKLE_TUPLE || pickle_count(id) < 5 ||
        !pickle_is_text(pickle_item(id, 0), "storage"))
        return error_set(error, "it does not refer to a storage");
    const PickleValue *type = pickle_item(id, 1), *key = pickle_item(id, 2), *elements = pickle_item(id, 4);
    if (key->kind != PICKLE_STRING || elements->kind != PICKLE_INTEGER || elements->integer < 0)
        return error_set(error, "its storage has no key, or a size that is none");
    if (pickle_count(id) > 5 && pickle_item(id, 5)->kind != PICKLE_NONE)
        return error_set(error, "its storage is a part of another one, as PyTorch before 0.4 wrote it");
    tensor->key = key->text.bytes;
    tensor->key_size = key->text.size;
    tensor->storage_elements = (uint64_t)elements->integer;
    for (size_t i = 0; i < COUNT(storage_types); i++)
        if (pickle_is_global(type, storage_types[i].name)) {
            tensor->type = storage_types[i].type;
            return true;
        }
    char text[PICKLE_TEXT];
    return error_set(error, "its storage is a %s, which is not known here", pickle_describe(type, text));
}

static bool read_sizes(const PickleValue *tuple, uint64_t sizes[TENSOR_MAX_DIMENSIONS], const char *what,
                       Error *error) {
    if (pickle_count(tuple) > TENSOR_MAX_DIMENSIONS)
        return error_set(error, "it has %zu dimensions; at most %d are supported", pickle_count(tuple),
                         TENSOR_MAX_DIMENSIONS);
    for (size_t i = 0; i < pickle_count(tuple); i++) {
        const PickleValue *size = pickle_item(tuple, i);
        if (size->kind != PICKLE_INTEGER || size->integer < 0)
            return error_set(error, "its %s is no list of numbers from 0 to 2^63 - 1", what);
        sizes[i] = (uint64_t)size->integer;
    }
    return true;
}

static bool check_bounds(const TorchTensor *tensor, Error *error) {
    uint64_t last = tensor->offset, step;
    bool empty = false, overflow = false;
    for (size_t i = 0; i < tensor->dimensions; i++) {
        empty |= tensor->shape[i] == 0;
        if (tensor->shape[i] == 0) continue;
        overflow |= __builtin_mul_overflow(tensor->shape[i] - 1, tensor->stride[i], &step);
        overflow |= __builtin_add_overflow(last, step, &last);
    }
    if (empty ? tensor->offset <= tensor->storage_elements : !overflow && last < tensor->storage_elements)
        return true;
    return error_set(error, "it reaches beyond the end of its storage");
}

bool torch_tensor_read(const PickleValue *value, TorchTensor *tensor, Error *error) {
    *tensor = (TorchTensor){0};
    const PickleValue *arguments = unwrap_parameter(value)->object->arguments;
    if (pickle_count(arguments) < 4)
        return error_set(error, "it lacks its storage, offset, sizes or strides");
    const PickleValue *offset = pickle_item(arguments, 1);
    const PickleValue *shape = pickle_item(arguments, 2), *stride = pickle_item(arguments, 3);
    if (!torch_storage_read(pickle_item(arguments, 0), tensor, error)) return false;
    if (offset->kind != PICKLE_INTEGER || offset->integer < 0)
        return error_set(error, "its offset is no number from 0 to 2^63 - 1");
    tensor->offset = (uint64_t)offset->integer;
    if (shape->kind != PICKLE_TUPLE || stride->kind != PICKLE_TUPLE ||
        pickle_count(shape) != pickle_count(stride))
        return error_set(error, "its sizes and strides do not belong together");
    tensor->dimensions = pickle_count(shape);
    return read_sizes(shape, tensor->shape, "shape", error) &&
           read_sizes(stride, tensor->stride, "strides", error) && check_bounds(tensor, error);
}

bool torch_is_contiguous(const TorchTensor *tensor) {
    uint64_t expected = 1;
    for (size_t i = tensor->dimensions; i-- > 0; expected *= tensor->shape[i])
        if (tensor->shape[i] > 1 && tensor->stride[i] != expected) return false;
    return true;
}

void torch_gather(const TorchTensor *tensor, const unsigned char *storage, unsigned char *out) {
    const size_t size = element_size(tensor->type);
    uint64_t index[TENSOR_MAX_DIMENSIONS] = {0}, from = tensor->offset, count = 1;
    for (size_t i = 0; i < tensor->dimensions; i++)
        count *= tensor->shape[i];
    for (; count > 0; count--, out += size) {
        memcpy(out, storage + from * size, size);
        for (size_t i = tensor->dimensions; i-- > 0;) {
            from += tensor->stride[i];
            if (++index[i] < tensor->shape[i]) break;
            from -= tensor->stride[i] * tensor->shape[i];
            index[i] = 0;
        }
    }
}
