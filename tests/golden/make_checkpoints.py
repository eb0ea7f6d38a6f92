#!/usr/bin/env python3
"""Writes checkpoints as torch.save does, of two tensors of four floats each, without PyTorch:

opaque.pt      objects of many classes beside the tensors and in the state dict
protocol5.pt   by protocol 5, with a bytearray beside the tensors
script.pt      a TorchScript program, as far as it can be told from a checkpoint
parameters-deep.pt  a tensor inside of 40 nested parameters
nan.pt, large.pt    a value that is not finite; 1e300, which no f32 is
"""
import argparse
import functools
import io
import os
import pathlib
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "checkpoints")


def module(name):
    for end in range(len(name.split("."))):
        part = ".".join(name.split(".")[:end + 1])
        sys.modules.setdefault(part, types.ModuleType(part))
    return sys.modules[name]


def named(name, value):
    value.__module__, value.__qualname__ = name.rsplit(".", 1)
    value.__name__ = value.__qualname__
    setattr(module(value.__module__), value.__name__, value)
    return value


rebuild = named("torch._utils._rebuild_tensor_v2", lambda *arguments: None)
parameter = named("torch._utils._rebuild_parameter", lambda *arguments: None)
Config = named("recbole.config.Config", type("Config", (), {}))
FloatStorage = named("torch.FloatStorage", type("FloatStorage", (), {}))
DoubleStorage = named("torch.DoubleStorage", type("DoubleStorage", (), {}))


class Storage:
    def __init__(self, kind, key, count):
        self.id = ("storage", kind, key, "cpu", count)


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return value.id if isinstance(value, Storage) else None


def tensor(key, kind=FloatStorage):
    return Call(rebuild, Storage(kind, key, 4), 0, (2, 2), (2, 1), False, OrderedDict())


def write(name, root, protocol=2, values=(1, 2, 3, 4), code="<4f", more=()):
    text = io.BytesIO()
    Pickler(text, protocol).dump(root)
    with zipfile.ZipFile(os.path.join(FOLDER, name), "w", zipfile.ZIP_STORED) as archive:
        def add(entry, content):
            archive.writestr(zipfile.ZipInfo("archive/" + entry), content)
        add("data.pkl", text.getvalue())
        for key in "01":
            add("data/" + key, struct.pack(code, *values))
        for entry in more:
            add(entry, b"")


config = Config()
config.gpu, config.parameters, config.path = True, {"lr": 0.1}, pathlib.PosixPath("saved")
tensors = OrderedDict(a=tensor("0"), b=tensor("1"))
write("opaque.pt", {"config": config, "args": argparse.Namespace(lr=0.1), "sort": functools.partial(sorted, key=len),
                    "state_dict": OrderedDict(a=tensor("0"), note=pathlib.PosixPath("x"), b=tensor("1"))})
write("protocol5.pt", {"state_dict": tensors, "extra": bytearray(b"bytes")}, protocol=5)
write("script.pt", tensors, more=("constants.pkl", "code/__torch__.py"))
deep = tensor("0")
for _ in range(40):
    deep = Call(parameter, deep, True, OrderedDict())
write("parameters-deep.pt", OrderedDict(a=Call(parameter, tensor("0"), True, OrderedDict()), deep=deep))
write("nan.pt", tensors, values=(1, 2, float("nan"), 4))
write("large.pt", OrderedDict(a=tensor("0", DoubleStorage)), values=(1, 2, 3, 1e300), code="<4d")
