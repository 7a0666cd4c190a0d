"""Judges stored vectors with the reader: used by make_vectors and by the unit tests."""
import glob
import os

from coffer_inspect import domain, walk
from coffer_inspect.errors import CORRUPT, MISSING, Refused, need
from coffer_inspect.folder import Folder
from coffer_inspect.manifest import RAW

from . import casefile, domain_negative, domains, heads, keyblobs, receipts
from .material import RING2, SECOND


class Held(Folder):
    """A folder held in memory: {blob: bytes}."""

    def __init__(self, name, blobs):  # no super(): there is no path
        self.name, self.blobs, self.used = name, blobs, set()

    def read(self, blob, limit):
        self.used.add(blob)
        if blob not in self.blobs:
            raise Refused(MISSING, "blob is missing", blob)
        return self.blobs[blob][:limit + 1]

    def expect(self, blob, size):
        have = self.read(blob, 1 << 40)
        need(len(have) == size, CORRUPT, f"blob has {len(have)} bytes, not {size}", blob)

    def range(self, blob, offset, length):
        data = self.read(blob, 1 << 40)[offset:offset + length]
        need(len(data) == length, CORRUPT, "blob ends early", blob)
        return data

    def unlisted(self):
        known = self.used | {"manifest", "manifest.copy"}
        return sorted(set(self.blobs) - known)


def load_folder(path):
    """{blob: bytes} of a folder on disk."""
    out = {}
    for base, _, files in os.walk(path):
        for name in files:
            full = os.path.join(base, name)
            with open(full, "rb") as f:
                out[os.path.relpath(full, path).replace(os.sep, "/")] = f.read()
    return out


def verify(folder):
    """Everything `verify` checks; returns content and raw streams by name."""
    backup = walk.Backup(folder, RING2, [SECOND.spki])
    content, raw = walk.read_content(backup), {}
    for stream, slots, _ in backup.streams:
        if stream[3] == RAW:
            pieces = []
            walk.read_raw(backup, stream, slots, pieces.append)
            raw[stream[2]] = b"".join(pieces)
    return backup, content, raw


def golden_folders(root):
    """{case: path of the folder} of backup-v1."""
    return {os.path.basename(os.path.dirname(p)): p
            for p in glob.glob(os.path.join(root, "backup-v1", "*", "mhsm-*"))}


def _files(root, *parts):
    return sorted(glob.glob(os.path.join(root, *parts, "*.txt")))


def _backup_cases(root):
    folders = golden_folders(root)
    for case, path in sorted(folders.items()):
        name = os.path.basename(path)
        yield path, "ok", domains.class_of(lambda: verify(Held(name, load_folder(path))))
    loaded = {case: load_folder(path) for case, path in folders.items()}
    for path in _files(root, "backup-v1", "negative"):
        pairs = casefile.load(path)
        case = {k: v.strip() for k, v in pairs[:3]}
        base = case["base"]
        name = case.get("folder", os.path.basename(folders[base]))
        blobs = casefile.apply(pairs, loaded[base])
        yield path, case["expect"], domains.class_of(lambda: verify(Held(name, blobs)))


def _domain_cases(root):
    base = os.path.join(root, "domain-v1")

    def read_document(name):
        with open(os.path.join(base, name), "rb") as f:
            return domain.Document(f.read())
    for path in _files(base, "negative"):
        case = {k: v.strip() for k, v in casefile.load(path)}
        yield path, case["expect"], domain_negative.judge(base, case, read_document)


def _keyblob_cases(root):
    base = os.path.join(root, "keyblob-v1")
    for path in _files(base) + _files(base, "negative"):
        case = {k: v.strip() for k, v in casefile.load(path)}
        yield path, case["expect"], keyblobs.judge(case)


def all_of(root):
    """([a line for each case judged wrongly], number of cases)."""
    wrong, count = [], 0
    for part in (_backup_cases, _domain_cases, _keyblob_cases, receipts.cases, heads.cases):
        for path, expect, got in part(root):
            count += 1
            if got != expect:
                wrong.append(f"{os.path.relpath(path, root)}: expected {expect}, got {got}")
    return wrong, count
