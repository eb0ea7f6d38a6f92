#include "convert/export.h"

#include "convert/export_parts.h"
#include "core/file.h"
#include "data/image_store.h"
#include "stream/reader.h"

#include <string.h>

static bool export_stream(const ExportRequest *request, Error *error) {
    static const struct {
        const char *kind, *tensor;
    } kinds[] = {{"tokens", "ids"}, {"hidden", "hidden"}, {"items", "vector"}, {"pixels", "pixels"}};
    StreamReader *reader = stream_reader_open(request->inputs[0], error);
    if (!reader) return false;
    const char *kind = json_string_value(json_object_get(stream_reader_header(reader), "kind"));
    const char *tensor = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kind, kinds[i].kind)) tensor = kinds[i].tensor;
    const bool tensors = !strcmp(kind, "model") || !strcmp(kind, "encoder");
    if (!tensors && !tensor)
        error_set(error, "%s: streams of kind '%.40s' cannot be exported", request->inputs[0], kind);
    stream_reader_close(reader);
    if (tensors) return export_tensors(request, error);
    return tensor && export_items(request, tensor, error);
}

bool export_files(char *const *inputs, size_t count, const char *output, Error *error) {
    static char *const standard_input[] = {"/dev/stdin"}; /* opened anew, it is read from its beginning */
    if (!file_check_regular(inputs[0], error)) return false;
    if (count == 1 && !strcmp(inputs[0], "-")) inputs = standard_input;
    const ExportRequest request = {inputs, count, output, array_target_find(output, error)};
    if (!request.target) return false;
    if (image_store_is_one(inputs[0])) return export_images(&request, error);
    if (count > 1) return error_set(error, "%s: only image stores go together; cat joins streams", inputs[0]);
    return export_stream(&request, error);
}
