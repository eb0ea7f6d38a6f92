/* An encoder's config.json, and the settings of a model's header. */
#include "fuzz.h"

#include "huggingface/hf_config.h"
#include "model/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Error error;
    json_t *config = hf_config_read(fuzz_file("config.json", bytes, size), &error);
    if (config) hf_config_size(config, "hidden_size");
    json_decref(config);
    json_t *raw = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, NULL);
    Settings settings;
    if (raw && json_is_object(raw) && settings_read(&settings, raw, &error))
        json_decref(settings_record(&settings));
    json_decref(raw);
    return 0;
}
