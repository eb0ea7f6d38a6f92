"""The jobs of jobs.c in PyTorch, over the same made-up data: peer.py JOB DTYPE REPEATS THREADS DIM LENGTH BATCH IMAGES.

Padded batches with masks, as programs in PyTorch have them, and some jobs in a second way that is in use:
encode-text-sorted cuts batches of texts sorted by length to their longest; eval-by-user ranks user by user with a
sort; released-step encodes every position of every row through both whole encoders, as the released program of PMMRec
does (but for reading and resizing the images, which it is given). Prints a JSON line as jobs does.
"""
import glob
import json
import math
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

ITEMS, USERS, TOKENS, WIDTH = 3168, 5755, 50, 768
job, dtype = sys.argv[1:3]
repeats, threads, dim, length, batch = map(int, sys.argv[3:8])
folder = sys.argv[8]
bf16 = dtype == "bf16"
torch.set_num_threads(threads)
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


class Block(nn.Module):
    def __init__(self, width, heads, activation, norm_first=False, bias=True, rate=0.1):
        super().__init__()
        self.heads, self.activation, self.norm_first, self.rate = heads, activation, norm_first, rate
        self.q, self.k, self.v, self.out = (nn.Linear(width, width, bias=bias) for _ in range(4))
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norms = nn.ModuleList((Norm(width), Norm(width)))

    def drop(self, x):
        return F.dropout(x, self.rate, self.training)

    def attend(self, x, mask):
        rows, tokens, width = x.shape
        q, k, v = (f(x).view(rows, tokens, self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        scores = q @ k.transpose(2, 3) / math.sqrt(width // self.heads)
        scores = scores if mask is None else scores + mask.to(scores.dtype)
        mixed = self.drop(scores.softmax(-1)) @ v
        return self.drop(self.out(mixed.transpose(1, 2).reshape(rows, tokens, width)))

    def feed(self, x):
        return self.drop(self.narrow(self.activation(self.wide(x))))

    def forward(self, x, mask=None):
        first, second = self.norms
        if self.norm_first:
            x = x + self.attend(first(x), mask)
            return x + self.feed(second(x))
        x = first(x + self.attend(x, mask))
        return second(x + self.feed(x))


def padding_mask(lengths):
    return torch.where(torch.arange(TOKENS) < lengths[:, None], 0.0, -1e4)[:, None, None, :]


def training(modules, loss_of):
    """A step of AdamW on what is trainable in the modules."""
    parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.1)

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = loss_of()
        loss.backward()
        optimizer.step()
    return step


def training_step(trained):
    """trained: blocks of each encoder; -1: an ID tower."""
    users = batch or (128 if trained < 0 else 32)
    draw, width = Draw(1), dim if trained < 0 else WIDTH
    rows = torch.tensor([[draw.item() for _ in range(length + 1)] for _ in range(users)])
    distinct, place = rows.unique(return_inverse=True)
    past = torch.where(torch.ones(length, length).tril() > 0, 0.0, -1e9)[None, None]
    position, norm = nn.Embedding(length, width), Norm(width)
    user = nn.ModuleList(Block(width, 2, F.relu, bias=False) for _ in range(2))
    modules = [position, norm, user]
    if trained < 0:
        table = nn.Embedding(ITEMS + 1, width, padding_idx=0)
        modules.append(table)
    else:
        text = nn.ModuleList(Block(WIDTH, 12, F.gelu) for _ in range(trained))
        image = nn.ModuleList(Block(WIDTH, 12, quick_gelu, norm_first=True, rate=0) for _ in range(trained))
        project = nn.ModuleList((nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)))
        fusion = Block(WIDTH, 12, F.gelu)
        modules += [text, image, project, fusion]
        lengths = torch.tensor([text_length(int(i)) for i in distinct])
        hidden = torch.rand(2, len(distinct), TOKENS, WIDTH) - 0.5
        mask = padding_mask(lengths)
        both = torch.cat([mask, torch.zeros(len(distinct), 1, 1, TOKENS)], 3)
    counts = torch.bincount(rows.view(-1), minlength=ITEMS + 1).float()
    log_popularity = (1 / torch.arange(ITEMS + 1).clamp(min=1).float()).log()

    def vectors():
        if trained < 0:
            return table(distinct)
        t, i = hidden[0], hidden[1]
        for block in text:
            t = block(t, mask)
        for block in image:
            i = block(i)
        x = fusion(torch.cat([project[0](t), project[1](i)], 1), both)
        real = (both[:, 0, 0, :] == 0).float()[:, :, None]
        return (x * real).sum(1) / real.sum(1)

    def loss_of():
        items = vectors()
        x = F.dropout(norm(items[place[:, :-1]] + position.weight), 0.1)
        for block in user:
            x = block(x, past)
        logits = x.reshape(-1, width) @ items.T
        logits = logits.float() - log_popularity[distinct] + counts[distinct].log()
        own = torch.zeros(users, len(distinct), dtype=torch.bool).scatter_(1, place, True)
        blocked, target = own.repeat_interleave(length, 0), place[:, 1:].reshape(-1)
        blocked[torch.arange(len(target)), target] = False
        return F.cross_entropy(logits.masked_fill(blocked, -1e4), target)

    return training(modules, loss_of), users


class TextEncoder(nn.Module):
    def __init__(self, blocks=12):
        super().__init__()
        self.words, self.places, self.norm = nn.Embedding(20000, WIDTH), nn.Embedding(514, WIDTH), Norm(WIDTH)
        self.blocks = nn.ModuleList(Block(WIDTH, 12, F.gelu) for _ in range(blocks))

    def forward(self, ids, mask):
        x = self.norm(self.words(ids) + self.places.weight[2:ids.shape[1] + 2])
        x = F.dropout(x, 0.1, self.training)
        for block in self.blocks:
            x = block(x, mask)
        return x


class ImageEncoder(nn.Module):
    def __init__(self, blocks=12):
        super().__init__()
        self.patch, self.places = nn.Conv2d(3, WIDTH, 32, stride=32, bias=False), nn.Embedding(50, WIDTH)
        self.first, self.norm = nn.Parameter(torch.randn(WIDTH)), Norm(WIDTH)
        self.blocks = nn.ModuleList(Block(WIDTH, 12, quick_gelu, norm_first=True, rate=0) for _ in range(blocks))

    def forward(self, pixels):
        x = self.patch(pixels).flatten(2).transpose(1, 2)
        x = self.norm(torch.cat([self.first.expand(len(x), 1, -1).to(x.dtype), x], 1) + self.places.weight)
        for block in self.blocks:
            x = block(x)
        return x


def released_step():
    users = batch or 2
    draw = Draw(1)
    rows = torch.tensor([[draw.item() for _ in range(length + 1)] for _ in range(users)])
    flat = rows.view(-1)
    text, image, fusion = TextEncoder(), ImageEncoder(), Block(WIDTH, 12, F.gelu)
    for encoder in (text, image):
        encoder.requires_grad_(False)
        encoder.blocks[10:].requires_grad_(True)
    project = nn.ModuleList((nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)))
    past = torch.where(torch.ones(length, length).tril() > 0, 0.0, -1e9)[None, None]
    position, norm = nn.Embedding(length, WIDTH), Norm(WIDTH)
    user = nn.ModuleList(Block(WIDTH, 2, F.relu, bias=False) for _ in range(2))
    modules = (text, image, project, fusion, position, norm, user)
    mask = padding_mask(torch.tensor([text_length(int(i)) for i in flat]))
    both = torch.cat([mask, torch.zeros(len(flat), 1, 1, TOKENS)], 3)
    ids, pixels = torch.randint(5, 19000, (len(flat), TOKENS)), torch.rand(len(flat), 3, 224, 224) - 0.5

    def loss_of():
        x = fusion(torch.cat([project[0](text(ids, mask)), project[1](image(pixels))], 1), both)
        real = (both[:, 0, 0, :] == 0).float()[:, :, None]
        items = ((x * real).sum(1) / real.sum(1)).view(users, length + 1, WIDTH)
        x = F.dropout(norm(items[:, :-1] + position.weight), 0.1)
        for block in user:
            x = block(x, past)
        logits = (x.reshape(-1, WIDTH) @ items.reshape(-1, WIDTH).T).float()
        target = torch.arange(len(flat)).view(users, -1)[:, 1:].reshape(-1)
        return F.cross_entropy(logits, target)

    return training(modules, loss_of), users


def text_encoding(is_sorted):
    kind = torch.bfloat16 if bf16 else torch.float32
    encoder = TextEncoder().eval().to(kind)
    lengths = torch.tensor([text_length(i + 1) for i in range(128)])
    if is_sorted:
        lengths = lengths.sort()[0]
    batches = []
    for part in lengths.split(16):
        tokens = int(part.max()) if is_sorted else TOKENS
        batches.append((torch.randint(5, 19000, (16, tokens)), padding_mask(part)[..., :tokens]))

    @torch.no_grad()
    def work():
        for ids, mask in batches:
            encoder(ids, mask)
    return work, 128


def image_encoding():
    kind = torch.bfloat16 if bf16 else torch.float32
    encoder, pixels = ImageEncoder().eval().to(kind), torch.rand(32, 3, 224, 224).to(kind) - 0.5

    @torch.no_grad()
    def work():
        encoder(pixels)
    return work, 32


def evaluation(by_user):
    draw = Draw(6)
    sequences = torch.tensor([[draw.item() for _ in range(length + 3)] for _ in range(USERS)])
    users, items = torch.rand(USERS, WIDTH) - 0.5, torch.rand(ITEMS + 1, WIDTH) - 0.5
    target, history = sequences[:, -1], sequences[:, 1:-1]

    @torch.no_grad()
    def at_once():
        scores = users @ items.T
        scores.scatter_(1, history, -math.inf)[:, 0] = -math.inf
        own = scores.gather(1, target[:, None])
        return 1 + (scores > own).sum(1) + ((scores == own).sum(1) - 1).clamp(min=0) / 2

    @torch.no_grad()
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


JOBS = {"id-step": lambda: training_step(-1), "features-step": lambda: training_step(0),
        "cached-step": lambda: training_step(2), "released-step": released_step,
        "encode-text": lambda: text_encoding(False), "encode-text-sorted": lambda: text_encoding(True),
        "encode-image": image_encoding, "eval": lambda: evaluation(False), "eval-by-user": lambda: evaluation(True),
        "decode": decoding}
work, units = JOBS[job]()
work()
cpu, wall = [], []
for _ in range(repeats):
    a, b = time.process_time(), time.perf_counter()
    work()
    cpu.append(round(time.process_time() - a, 6))
    wall.append(round(time.perf_counter() - b, 6))
print(json.dumps({"job": job, "dtype": dtype, "threads": threads, "units": units, "cpu": cpu, "wall": wall}))
