/* The writer with parts of 16 bytes, so that what happens above 1 GiB happens here. */
#define STREAM_PART_BYTES ((size_t)16)
#include "../../lib/stream/writer.c"

#include "check.h"

#include "stream/reader.h"

#include <unistd.h>

static void split_data_comes_back_joined(void) {
    char path[] = "/tmp/test_stream_parts.XXXXXX";
    close(mkstemp(path));
    Error error;
    unsigned char data[100];
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7);
    json_t *header = header_create("test");
    StreamWriter *writer = stream_writer_open(path, header, &error);
    for (uint64_t size = 0; size < sizeof data; size++) {
        Record record = {.key = "k", .key_size = 1, .count = 3};
        record.tensors[0] = record_tensor("one", DTYPE_U8, data, 1, size);
        record.tensors[1] = record_tensor("two", DTYPE_U8, data + 1, 1, (uint64_t)sizeof data - 1);
        record.tensors[2] = record_tensor("three", DTYPE_U8, data, 1, size / 2);
        CHECK(stream_writer_put(writer, &record, &error), "%s", error.message);
    }
    CHECK(stream_writer_close(writer, &error), "%s", error.message);
    StreamReader *reader = stream_reader_open(path, &error);
    Record record;
    for (uint64_t size = 0; size < sizeof data; size++) {
        CHECK(stream_reader_next(reader, &record, &error) == STREAM_RECORD, "%s", error.message);
        CHECK(record.count == 3 && record.tensors[0].shape[0] == size);
        CHECK(!memcmp(record.tensors[0].data, data, size));
        CHECK(!memcmp(record.tensors[1].data, data + 1, sizeof data - 1));
        CHECK(!memcmp(record.tensors[2].data, data, size / 2));
    }
    CHECK(stream_reader_next(reader, &record, &error) == STREAM_END, "%s", error.message);
    stream_reader_close(reader);
    json_decref(header);
    unlink(path);
}

RUN_TESTS(TEST(split_data_comes_back_joined))
