/* What a PyTorch checkpoint's pickle says about its tensors. */
#ifndef ARRAYS_TORCH_PICKLE_H
#define ARRAYS_TORCH_PICKLE_H

#include "arrays/array_file.h"
#include "arrays/pickle.h"

/* A view into a storage, which lies outside of the pickle under a key. Counts are in elements. */
typedef struct TorchTensor {
    ElementType type;
    const char *key;
    size_t key_size;
    uint64_t storage_elements;
    uint64_t offset;
    size_t dimensions;
    uint64_t shape[TENSOR_MAX_DIMENSIONS], stride[TENSOR_MAX_DIMENSIONS];
} TorchTensor;

/* The state dict in a checkpoint: the object itself, or what lies under "model_state_dict", "state_dict",
 * "model" or "module". NULL with a message when there is none. */
const PickleValue *torch_state_dict(const PickleValue *root, Error *error);

bool torch_is_tensor(const PickleValue *value);

/* Reads what the pickle says of a tensor, and checks that its elements lie inside of its storage. */
bool torch_tensor_read(const PickleValue *value, TorchTensor *tensor, Error *error);

/* The type of a storage's elements, of its persistent id; false with a message when that is none. */
bool torch_storage_read(const PickleValue *value, TorchTensor *tensor, Error *error);

/* Whether the elements lie one after the other, row-major. */
bool torch_is_contiguous(const TorchTensor *tensor);

/* The elements of a view, row-major; `storage` is the first byte of the storage. */
void torch_gather(const TorchTensor *tensor, const unsigned char *storage, unsigned char *out);

#endif
