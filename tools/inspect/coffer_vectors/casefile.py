"""Negative case files: how a bad folder differs from a golden one, line by line.

    # why
    expect = auth
    base = layout0                     the golden folder it starts from
    folder = NAME                      only when it is asked for under another name
    put BLOB = hex                     the whole blob (also a new one)
    patch BLOB OFFSET = hex            bytes overwritten
    cut BLOB = N                       the blob's first N bytes stay
    del BLOB =
"""
from .fixed import lines, write


def _ranges(old, new):
    """[(offset, bytes)] where two equally long strings differ; near ones are joined."""
    out, start, last = [], None, None
    for i, (a, b) in enumerate(zip(old, new)):
        if a == b:
            continue
        if start is None:
            start = i
        elif i - last > 16:
            out.append((start, new[start:last + 1]))
            start = i
        last = i
    if start is not None:
        out.append((start, new[start:last + 1]))
    return out


def difference(base, bad):
    """Lines that turn folder `base` into `bad`; both {blob: bytes}."""
    out = [(f"del {name}", "") for name in base if name not in bad]
    for name, data in bad.items():
        old = base.get(name)
        if old == data:
            continue
        if old is not None and len(data) < len(old) and old.startswith(data):
            out.append((f"cut {name}", len(data)))
            continue
        if old is not None and len(old) == len(data):
            pieces = _ranges(old, data)
            if sum(len(p) + 12 for _, p in pieces) < len(data):
                out += [(f"patch {name} {offset}", piece) for offset, piece in pieces]
                continue
        out.append((f"put {name}", data))
    return out


def save(path, why, expect, base_name, base, bad, folder=None):
    head = [("expect", expect), ("base", base_name)]
    if folder:
        head.append(("folder", folder))
    write(path, lines(*head, *difference(base, bad), head=why))


def load(path):
    """[(key, value)] of a `key = value` file."""
    with open(path, encoding="utf-8") as f:
        return [tuple(line.rstrip("\n").split(" =", 1)) for line in f if not line.startswith("#")]


def apply(pairs, base):
    """The bad folder {blob: bytes} of a case file's pairs."""
    out = dict(base)
    for key, value in pairs:
        value = value.strip()
        verb, _, rest = key.partition(" ")
        if verb == "del":
            out.pop(rest)
        elif verb == "put":
            out[rest] = bytes.fromhex(value)
        elif verb == "cut":
            out[rest] = out[rest][:int(value)]
        elif verb == "patch":
            name, offset = rest.rsplit(" ", 1)
            at, data = int(offset), bytes.fromhex(value)
            out[name] = out[name][:at] + data + out[name][at + len(data):]
    return out
