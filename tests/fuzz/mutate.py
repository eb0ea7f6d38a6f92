"""mutate.py SEED RUNS FOLDER: damages the tests' own files and gives each to the tool that reads it.

Each run must end by itself within 20 seconds with exit status 0 or 1, never by a signal or a sanitizer; a failure says
so in a line of printable text that begins with the tool's name, and leaves no output. Prints what broke these rules
and "N runs, N failed"; the file is kept in FOLDER/broken-N then. The same seed makes the same files.
"""
import os
import random
import subprocess
import sys

seed, runs, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
golden = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden")
formats = os.path.join(os.path.dirname(os.path.dirname(golden)), "formats", "conformance", "good")
inside = os.path.join(folder, "in")
out = os.path.join(folder, "out")

# Where a file comes from, what it is called for the tool, and the command; {in} is it, {out} an output, {folder} where
# both lie.
CASES = [
    (f"{formats}/hidden-f32.pmt", "x.pmt", "pm-cat --verify {in}"),
    (f"{formats}/segments-3.pmt", "x.pmt", "pm-cat {in} -o {out}"),
    (f"{formats}/items.pmt", "x.pmt", "pm-export {in} -o {out}.npz"),
    (f"{formats}/model.pmt", "x.pmt", "pm-export {in} -o {out}.safetensors"),
    (f"{formats}/tokens.pmt", "x.pmt", "pm-cat --keys {in}"),
    (f"{golden}/checkpoints/views.pt", "x.pt", "pm-import --model {in} -o {out}"),
    (f"{golden}/checkpoints/legacy-views.pt", "x.pt", "pm-import --model {in} -o {out}"),
    (f"{golden}/checkpoints/control.safetensors", "x.safetensors", "pm-import --model {in} -o {out}"),
    (f"{golden}/encoders/bert-tiny/config.json", "config.json", "pm-synth encoder {in} -o {out}"),
    (f"{golden}/tokens/test_model.model", "x.model", "pm-tokenize --model {in} -o {out} {items}"),
    (f"{golden}/tokens/bert-cased/vocab.txt", "vocab.txt", "pm-tokenize --model {in} -o {out} {items}"),
    (f"{golden}/runs/text-only-sasrec/items.tsv", "items.tsv", "pm-tokenize --bytes -o {out} {in}"),
    (f"{golden}/runs/text-only-sasrec/users.tsv", "users.tsv",
     "pm-eval --baseline popularity --users {in} --catalog {items} --ranks {out}"),
    (f"{golden}/images/base-420-225x223.jpg", "one.jpg",
     "pm-imgpack --images {folder} --items {one} --size 8 -o {out}"),
    (f"{golden}/images/png-rgba8-200x120.png", "one.png",
     "pm-imgpack --images {folder} --items {one} --size 8 -o {out}"),
    (f"{golden}/pickled/images.lmdb", "x.lmdb", "pm-imgpack --pickled {in} --items {one} --size 8 --missing zero -o {out}"),
]


def damage(data, draw):
    """Cuts, flips bits, overwrites, repeats, takes out or puts in; several of these at times."""
    data = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4, 16))):
        if not data:
            break
        at, kind = draw.randrange(len(data)), draw.randrange(6)
        size = draw.choice((1, 1, 2, 4, 8, 64))
        if kind == 0:
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[at:at + size] = bytes(draw.choice((0, 1, 0x7f, 0x80, 0xff)) for _ in range(size))
        elif kind == 2:
            data[at:at + size] = b""
        elif kind == 3:
            data[at:at] = bytes(draw.randrange(256) for _ in range(size))
        elif kind == 4:
            data[at:at] = data[at:at + 8 * size]
        else:
            data = data[:max(at, len(data) // 2)] if draw.random() < 0.8 else data[:at]
    return bytes(data)


def complaint(command, done, outputs):
    """What is wrong with how a run ended, or None."""
    if done.returncode not in (0, 1):
        return f"exit status {done.returncode}"
    if done.returncode == 0:
        return None
    lines = done.stderr.decode(errors="replace").splitlines()
    reasons = [line for line in lines if "warning:" not in line]
    most = 2 if command[0] == "pm-imgpack" else 1  # of which one says what is wrong with the image
    if not 1 <= len(reasons) <= most or not all(line.startswith(command[0] + ": ") for line in lines):
        return f"messages: {lines}"
    if not all(byte >= 0x20 for byte in done.stderr.replace(b"\n", b"")):
        return f"control characters: {done.stderr}"
    return f"left behind: {outputs}" if outputs else None


def run(number):
    draw = random.Random(f"{seed} {number}")
    source, name, command = CASES[number % len(CASES)]
    for scratch in (inside, out):
        subprocess.run(["rm", "-rf", scratch], check=True)
        os.makedirs(scratch)
    with open(source, "rb") as file:
        data = damage(file.read(), draw)
    path = os.path.join(inside, name)
    with open(path, "wb") as file:
        file.write(data)
    words = command.replace("{in}", path).replace("{out}", f"{out}/x").replace("{folder}", inside)
    words = words.replace("{items}", f"{golden}/runs/text-only-sasrec/items.tsv").replace("{one}", f"{folder}/one.tsv")
    words = words.split()
    try:
        done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, timeout=20)
        wrong = complaint(words, done, sorted(os.listdir(out)))
    except subprocess.TimeoutExpired:
        wrong = "no end after 20 seconds"
    if wrong:
        kept = os.path.join(folder, f"broken-{number}")
        with open(kept, "wb") as file:
            file.write(data)
        print(f"run {number}: {' '.join(words)}: {wrong} ({kept})")
    return bool(wrong)


with open(os.path.join(folder, "one.tsv"), "w", encoding="utf-8") as items:
    items.write("one\tan item\n")
failed = sum(run(number) for number in range(runs))
print(f"{runs} runs, {failed} failed")
sys.exit(failed > 0)
