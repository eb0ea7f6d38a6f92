"""The jobs of jobs.c in PyTorch, over the same made-up data, as a good user would write and start them:

    peer.py JOB DTYPE REPEATS THREADS DIM LENGTH BATCH IMAGES

One projection makes queries, keys and values; the linear layers see real tokens only, and padding is there in attention
alone; masks are made once, in the dtype of the scores; gradients are set to None; AdamW goes over lists of tensors
(foreach). Some jobs are done in a second way that is in use: encode-text-padded pads texts to 50 tokens; eval-by-user
ranks user by user with a sort; released-step encodes every position of every row through both whole encoders, as the
released program of PMMRec does (but for reading and resizing the images, which it is given). All repetitions run in
one process after two that warm up. Prints a JSON line as jobs does.
"""
import glob
import json
import math
import sys
import time
import warnings

import torch
import torch.nn.functional as F
from torch import nn

ITEMS, USERS, TOKENS, WIDTH = 3168, 5755, 50, 768
WARM_UP = 2
ENCODE_BATCH = 16  # texts; 32 and 64 are slower
job, dtype = sys.argv[1:3]
repeats, threads, dim, length, batch = map(int, sys.argv[3:8])
folder = sys.argv[8]
bf16 = dtype == "bf16"
products = torch.bfloat16 if bf16 else torch.float32
torch.set_num_threads(threads)
warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # batches here have one size
torch.manual_seed(0)


class Draw:
    def __init__(self, state):
        self.state = state

    def item(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        u = (self.state >> 33) / 2**31
        return 1 + int(ITEMS * u * u)


def text_length(item):
    return 34 + item * 7 % 17


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


class Norm(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.to(self.weight.dtype))


class Layout:
    """Where the rows of a packed matrix stand in a padded batch [count, tokens], and the mask of its keys."""

    def __init__(self, places, count, tokens, mask=None):
        self.count, self.tokens, self.mask = count, tokens, mask
        self.places = places
        if places is not None:
            real = torch.zeros(count * tokens, dtype=torch.bool)
            real[places] = True
            hidden = torch.where(real.view(count, 1, 1, tokens), 0.0, -1e4)
            self.mask = None if bool(real.all()) else hidden.to(products)

    def __len__(self):
        return self.count * self.tokens

    def pad(self, x):
        if self.places is None:
            return x
        return x.new_zeros(self.count * self.tokens, x.shape[1]).index_copy(0, self.places, x)

    def pack(self, x):
        return x if self.places is None else x.index_select(0, self.places)


def places_of(lengths, tokens, first=0):
    """The places of the first `lengths` tokens of each row in a batch padded to `tokens`, `first` tokens further on."""
    inside = torch.arange(int(lengths.max()))[None, :] < lengths[:, None]
    row, column = inside.nonzero(as_tuple=True)
    return row * tokens + column + first


class Block(nn.Module):
    def __init__(self, width, heads, activation, norm_first=False, bias=True, rate=0.1):
        super().__init__()
        self.heads, self.activation, self.norm_first, self.rate = heads, activation, norm_first, rate
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=bias), nn.Linear(width, width, bias=bias)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norms = nn.ModuleList((Norm(width), Norm(width)))

    def drop(self, x):
        return F.dropout(x, self.rate, self.training) if self.rate else x

    def attend(self, x, layout):
        qkv = layout.pad(self.qkv(x)).view(layout.count, layout.tokens, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3)
        scores = scores if layout.mask is None else scores + layout.mask
        mixed = self.drop(scores.softmax(-1)) @ v
        return self.drop(self.out(layout.pack(mixed.transpose(1, 2).reshape(len(layout), -1))))

    def feed(self, x):
        return self.drop(self.narrow(self.activation(self.wide(x))))

    def forward(self, x, layout):
        first, second = self.norms
        if self.norm_first:
            x = x + self.attend(first(x), layout)
            return x + self.feed(second(x))
        x = first(x + self.attend(x, layout))
        return second(x + self.feed(x))


def encoder_blocks(count, kind):
    if kind == "text":
        return nn.ModuleList(Block(WIDTH, 12, F.gelu) for _ in range(count))
    return nn.ModuleList(Block(WIDTH, 12, quick_gelu, norm_first=True, rate=0) for _ in range(count))


class Fusion(nn.Module):
    """Both projections, a block over the tokens of both, and the mean of each item's."""

    def __init__(self):
        super().__init__()
        self.project = nn.ModuleList((nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)))
        self.block = Block(WIDTH, 12, F.gelu)

    def forward(self, text, image, layout, tokens_an_item):
        rows = torch.cat([self.project[0](text), self.project[1](image)])
        padded = layout.pad(self.block(rows, layout)).view(layout.count, layout.tokens, WIDTH)
        return padded.sum(1, dtype=torch.float32) / tokens_an_item[:, None]


class UserEncoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.position, self.norm = nn.Embedding(length, width), Norm(width)
        self.blocks = nn.ModuleList(Block(width, 2, F.relu, bias=False) for _ in range(2))
        self.past = torch.where(torch.ones(length, length).tril() > 0, 0.0, -1e9)[None, None].to(products)

    def forward(self, items):
        users, _, width = items.shape
        layout = Layout(None, users, length, self.past)
        x = F.dropout(self.norm(items + self.position.weight), 0.1).view(-1, width)
        for block in self.blocks:
            x = block(x, layout)
        return x


def training(modules, loss_of):
    """A step of AdamW on what is trainable in the modules."""
    parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.1, foreach=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = loss_of()
        loss.backward()
        optimizer.step()
    return step


def draw_rows(users):
    draw = Draw(1)
    return torch.tensor([[draw.item() for _ in range(length + 1)] for _ in range(users)])


def loss_over_distinct(rows):
    """Debiased cross entropy over the distinct items of a batch; a row's own items but the target do not count."""
    distinct, place = rows.unique(return_inverse=True)
    counts = torch.bincount(rows.view(-1), minlength=ITEMS + 1).float()
    popularity = 1 / torch.arange(ITEMS + 1).clamp(min=1).float()
    shift = counts[distinct].log() - popularity[distinct].log()
    target = place[:, 1:].reshape(-1)
    own = torch.zeros(len(rows), len(distinct), dtype=torch.bool).scatter_(1, place, True)
    blocked = own.repeat_interleave(length, 0)
    blocked[torch.arange(len(target)), target] = False
    shifts = shift.masked_fill(blocked, 0) + torch.zeros(()).masked_fill(blocked, -1e4)

    def loss(hidden, items):
        return F.cross_entropy(hidden @ items.T + shifts, target)
    return distinct, place, loss


def id_step():
    users = batch or 128
    distinct, place, loss = loss_over_distinct(draw_rows(users))
    table, user = nn.Embedding(ITEMS + 1, dim, padding_idx=0), UserEncoder(dim)

    def loss_of():
        items = table(distinct)
        return loss(user(F.embedding(place[:, :-1], items)), items)
    return training((table, user), loss_of), users


def content_step(trained):
    """`trained`: blocks of each encoder that train."""
    users = batch or 32
    distinct, place, loss = loss_over_distinct(draw_rows(users))
    count = len(distinct)
    lengths = torch.tensor([text_length(int(i)) for i in distinct])
    tokens, images = int(lengths.max()), torch.full((count,), TOKENS)
    text_layout = Layout(places_of(lengths, tokens), count, tokens)
    image_layout = Layout(None, count, TOKENS)
    joint = torch.cat([places_of(lengths, tokens + TOKENS), places_of(images, tokens + TOKENS, tokens)])
    fusion_layout = Layout(joint, count, tokens + TOKENS)
    text_hidden = torch.rand(int(lengths.sum()), WIDTH) - 0.5
    image_hidden = torch.rand(count * TOKENS, WIDTH) - 0.5
    text, image = encoder_blocks(trained, "text"), encoder_blocks(trained, "image")
    fusion, user = Fusion(), UserEncoder(WIDTH)
    tokens_an_item = (lengths + TOKENS).float()

    def loss_of():
        t, i = text_hidden, image_hidden
        for block in text:
            t = block(t, text_layout)
        for block in image:
            i = block(i, image_layout)
        items = fusion(t, i, fusion_layout, tokens_an_item)
        return loss(user(F.embedding(place[:, :-1], items)), items)
    return training((text, image, fusion, user), loss_of), users


class TextEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places, self.norm = nn.Embedding(20000, WIDTH), nn.Embedding(514, WIDTH), Norm(WIDTH)
        self.blocks = encoder_blocks(12, "text")

    def forward(self, ids, positions, layout):
        x = self.norm(self.words(ids) + self.places(positions + 2))
        x = F.dropout(x, 0.1, self.training)
        for block in self.blocks:
            x = block(x, layout)
        return x


class ImageEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch, self.places = nn.Conv2d(3, WIDTH, 32, stride=32, bias=False), nn.Embedding(50, WIDTH)
        self.first, self.norm = nn.Parameter(torch.randn(WIDTH)), Norm(WIDTH)
        self.blocks = encoder_blocks(12, "image")

    def forward(self, pixels):
        x = self.patch(pixels).flatten(2).transpose(1, 2)
        x = self.norm(torch.cat([self.first.expand(len(x), 1, -1).to(x.dtype), x], 1) + self.places.weight)
        layout, x = Layout(None, len(x), TOKENS), x.view(-1, WIDTH)
        for block in self.blocks:
            x = block(x, layout)
        return x


def text_batch(lengths, tokens):
    """ids, positions and layout of texts; a length of `tokens` everywhere is a padded batch."""
    places = places_of(lengths, tokens)
    return torch.randint(5, 19000, (len(places),)), places % tokens, Layout(places, len(lengths), tokens)


def released_step():
    users = batch or 2
    flat = draw_rows(users).view(-1)
    count = len(flat)
    lengths = torch.tensor([text_length(int(i)) for i in flat])
    texts = text_batch(lengths, TOKENS)
    joint = torch.cat([places_of(lengths, 2 * TOKENS), places_of(torch.full((count,), TOKENS), 2 * TOKENS, TOKENS)])
    layout = Layout(joint, count, 2 * TOKENS)
    text, image, fusion, user = TextEncoder(), ImageEncoder(), Fusion(), UserEncoder(WIDTH)
    for encoder in (text, image):
        encoder.requires_grad_(False)
        encoder.blocks[10:].requires_grad_(True)
    pixels = torch.rand(count, 3, 224, 224) - 0.5
    target = torch.arange(count).view(users, -1)[:, 1:].reshape(-1)

    def loss_of():
        items = fusion(text(*texts), image(pixels), layout, (lengths + TOKENS).float())
        hidden = user(items.view(users, length + 1, WIDTH)[:, :-1])
        return F.cross_entropy((hidden @ items.T).float(), target)
    return training((text, image, fusion, user), loss_of), users


def text_encoding(is_sorted):
    """Each batch padded to its longest text, which costs next to nothing when they are sorted; or all to 50 tokens."""
    encoder = TextEncoder().eval().to(products)
    lengths = torch.tensor([text_length(i + 1) for i in range(128)])
    if is_sorted:
        lengths = lengths.sort()[0]
    batches = []
    for part in lengths.split(ENCODE_BATCH):
        tokens = int(part.max()) if is_sorted else TOKENS
        ids, positions, layout = text_batch(torch.full((len(part),), tokens), tokens)
        layout.places, layout.mask = None, Layout(places_of(part, tokens), len(part), tokens).mask
        batches.append((ids, positions, layout))

    @torch.inference_mode()
    def work():
        for ids, positions, layout in batches:
            encoder(ids, positions, layout)
    return work, 128


def image_encoding():
    encoder, pixels = ImageEncoder().eval().to(products), torch.rand(32, 3, 224, 224).to(products) - 0.5
    if bf16:  # packs the weights once, which f32 (OpenBLAS) gains nothing from
        with torch.no_grad():
            encoder = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(encoder, pixels)))

    @torch.inference_mode()
    def work():
        encoder(pixels)
    return work, 32


def evaluation(by_user):
    draw = Draw(6)
    sequences = torch.tensor([[draw.item() for _ in range(length + 3)] for _ in range(USERS)])
    users, items = torch.rand(USERS, WIDTH) - 0.5, torch.rand(ITEMS + 1, WIDTH) - 0.5
    target, history = sequences[:, -1], sequences[:, 1:-1]

    @torch.inference_mode()
    def at_once():
        scores = users @ items.T
        scores.scatter_(1, history, -math.inf)[:, 0] = -math.inf
        own = scores.gather(1, target[:, None])
        return 1 + (scores > own).sum(1) + ((scores == own).sum(1) - 1).clamp(min=0) / 2

    @torch.inference_mode()
    def one_by_one():
        ranks = []
        for i in range(USERS):
            scores = items @ users[i]
            scores[history[i]] = -math.inf
            scores[0] = -math.inf
            order = scores.argsort(descending=True)
            ranks.append((order == target[i]).nonzero()[0, 0] + 1)
        return torch.stack(ranks)
    return (one_by_one if by_user else at_once), USERS


def decoding():
    import numpy as np
    from PIL import Image
    files = sorted(glob.glob(f"{folder}/*.jpg"))

    def work():
        for name in files:
            np.asarray(Image.open(name).convert("RGB").resize((224, 224), Image.BILINEAR))
    return work, len(files)


JOBS = {"id-step": id_step, "features-step": lambda: content_step(0), "cached-step": lambda: content_step(2),
        "released-step": released_step, "encode-text": lambda: text_encoding(True),
        "encode-text-padded": lambda: text_encoding(False), "encode-image": image_encoding,
        "eval": lambda: evaluation(False), "eval-by-user": lambda: evaluation(True), "decode": decoding}
work, units = JOBS[job]()
for _ in range(WARM_UP):
    work()
cpu, wall = [], []
for _ in range(repeats):
    a, b = time.process_time(), time.perf_counter()
    work()
    cpu.append(round(time.process_time() - a, 6))
    wall.append(round(time.perf_counter() - b, 6))
print(json.dumps({"job": job, "dtype": dtype, "threads": threads, "units": units, "cpu": cpu, "wall": wall}))
