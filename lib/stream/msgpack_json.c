#include "stream/msgpack_json.h"

#include "core/memory.h"
#include "stream/msgpack_scan.h"
#include "stream/record.h"

#include <math.h>

static json_t *nothing(Error *error, const char *what) {
    error_set(error, "%s", what);
    return NULL;
}

static json_t *text_from_msgpack(const msgpack_object_str *text, Error *error) {
    /* msgpack-c leaves the pointer of an empty text as it happens to be. */
    json_t *value = json_stringn(text->size ? text->ptr : "", text->size);
    return value ? value : nothing(error, "a text is not UTF-8");
}

static json_t *array_from_msgpack(const msgpack_object_array *array, Error *error) {
    json_t *result = json_array();
    for (uint32_t i = 0; i < array->size; i++) {
        json_t *member = json_from_msgpack(&array->ptr[i], error);
        if (!member || json_array_append_new(result, member)) {
            json_decref(result);
            return NULL;
        }
    }
    return result;
}

static bool add_member(json_t *map, const msgpack_object_kv *pair, Error *error) {
    if (pair->key.type != MSGPACK_OBJECT_STR) return error_set(error, "a key is not a string");
    msgpack_object_str key = pair->key.via.str;
    if (!key.size) key.ptr = ""; /* as it happens to be otherwise */
    if (key.size > RECORD_MAX_KEY) return error_set(error, "a key is too long");
    if (memchr(key.ptr, 0, key.size)) return error_set(error, "a key contains a NUL");
    char *name = memory_copy_text(key.ptr, key.size);
    bool fine = !json_object_get(map, name) || error_set(error, "the key '%.64s' comes twice", name);
    json_t *value = fine ? json_from_msgpack(&pair->val, error) : NULL;
    fine = value != NULL;
    if (fine && json_object_set_new(map, name, value)) fine = error_set(error, "a key is not UTF-8");
    free(name);
    return fine;
}

static json_t *map_from_msgpack(const msgpack_object_map *map, Error *error) {
    json_t *result = json_object();
    for (uint32_t i = 0; i < map->size; i++)
        if (!add_member(result, &map->ptr[i], error)) {
            json_decref(result);
            return NULL;
        }
    return result;
}

json_t *json_from_msgpack(const msgpack_object *object, Error *error) {
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        return json_null();
    case MSGPACK_OBJECT_BOOLEAN:
        return json_boolean(object->via.boolean);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        if (object->via.u64 > INT64_MAX) return nothing(error, "a number is above 2^63 - 1");
        return json_integer((json_int_t)object->via.u64);
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return json_integer(object->via.i64);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        if (!isfinite(object->via.f64)) return nothing(error, "a number is not finite");
        return json_real(object->via.f64);
    case MSGPACK_OBJECT_STR:
        return text_from_msgpack(&object->via.str, error);
    case MSGPACK_OBJECT_ARRAY:
        return array_from_msgpack(&object->via.array, error);
    case MSGPACK_OBJECT_MAP:
        return map_from_msgpack(&object->via.map, error);
    default:
        return nothing(error, "binary data, which only records may hold");
    }
}

json_t *json_from_msgpack_bytes(const unsigned char *bytes, size_t size, Error *error) {
    MsgpackScan scan = {0};
    if (!size || msgpack_scan(&scan, &scan_map_limits, bytes, size) != SCAN_WHOLE || scan.at != size) {
        error_set(error, "%s", scan.problem ? scan.problem : "not one msgpack map");
        return NULL;
    }
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t offset = 0;
    json_t *value = NULL;
    if (msgpack_unpack_next(&unpacked, (const char *)bytes, size, &offset) == MSGPACK_UNPACK_SUCCESS)
        value = json_from_msgpack(&unpacked.data, error);
    else
        error_set(error, "not valid msgpack");
    msgpack_unpacked_destroy(&unpacked);
    return value;
}

int json_depth(const json_t *value) {
    int deepest = 0;
    size_t i;
    const char *key;
    json_t *member;
    json_array_foreach(value, i, member) {
        const int depth = json_depth(member);
        if (depth > deepest) deepest = depth;
    }
    json_object_foreach((json_t *)value, key, member) {
        const int depth = json_depth(member);
        if (depth > deepest) deepest = depth;
    }
    return json_is_array(value) || json_is_object(value) ? deepest + 1 : 0;
}

static void pack_text(const char *text, size_t size, msgpack_packer *packer) {
    msgpack_pack_str(packer, size);
    msgpack_pack_str_body(packer, text, size);
}

void json_to_msgpack(const json_t *value, msgpack_packer *packer) {
    size_t i;
    const char *key;
    json_t *member;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        msgpack_pack_map(packer, json_object_size(value));
        json_object_foreach((json_t *)value, key, member) {
            pack_text(key, strlen(key), packer);
            json_to_msgpack(member, packer);
        }
        break;
    case JSON_ARRAY:
        msgpack_pack_array(packer, json_array_size(value));
        json_array_foreach(value, i, member) json_to_msgpack(member, packer);
        break;
    case JSON_STRING:
        pack_text(json_string_value(value), json_string_length(value), packer);
        break;
    case JSON_INTEGER:
        msgpack_pack_int64(packer, json_integer_value(value));
        break;
    case JSON_REAL:
        msgpack_pack_double(packer, json_real_value(value));
        break;
    case JSON_TRUE:
        msgpack_pack_true(packer);
        break;
    case JSON_FALSE:
        msgpack_pack_false(packer);
        break;
    case JSON_NULL:
        msgpack_pack_nil(packer);
        break;
    }
}
