/* The command line of pm-encode-text and pm-encode-image, which differ in their modality alone. */
#ifndef MODEL_ENCODE_TOOL_H
#define MODEL_ENCODE_TOOL_H

#include "model/encode_stream.h"

/* What the tool says of itself comes in `program`, its options from here. Returns the exit code. */
int encode_tool(Modality modality, Program program, int argc, char **argv);

#endif
