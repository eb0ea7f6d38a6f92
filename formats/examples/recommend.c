/* Recommends from a C program, with the library of the tools:
 *
 *     gcc recommend.c $(pkg-config --cflags --libs pm) -o recommend
 *     ./recommend model.pmt items.pmt users.tsv 10
 *
 * prints what pm-recommend prints: user TAB rank TAB item TAB score. */
#include "eval/recommend.h"
#include "core/start.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    start_program("recommend"); /* messages, signals, and outputs that are whole or not there */
    if (argc != 5) {
        fprintf(stderr, "usage: recommend MODEL.pmt ITEMS.pmt USERS.tsv HOW-MANY\n");
        return 2;
    }
    const RecommendRequest request = {
        .files = {.model = argv[1], .items = argv[2]},
        .users = argv[3],
        .unknown_items = UNKNOWN_ITEMS_REFUSE,
        .top = strtol(argv[4], NULL, 10),
    };
    Error error;
    if (recommend(&request, &error)) return 0;
    fprintf(stderr, "recommend: %s\n", error.message);
    return 1;
}
