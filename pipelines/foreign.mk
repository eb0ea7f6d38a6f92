# A text encoder that is none of these tools, in place of pm-encode-text: it reads tokens, writes hidden states, has -o.
#   make demo OUT=build/foreign SETTINGS=pipelines/foreign.mk
ENCODE_TEXT := python3 formats/examples/numpy_stage.py --width 64
