"""What many keys cost: seeded into the store (coffer-seed), started, listed, exported, restored, one taken out of a backup.

What must be flat is the memory and the time of a page; what may grow is the time of the rest, with the keys.
"""
import datetime
import pathlib
import re
import statistics
import subprocess
import threading
import time

from rig import Meter, Rig, TICKS, bench, memory_mib
from rounds import MIB, Spread, Table, say

SEED = str(bench.BIN / "coffer-seed")
DELETED_EVERY = 10
PAGES_TIMED = 40
ROUNDS_MAX = 3
BOUND_FOR = 100000  # keys that the bounds of the whole are for; those of one key are for any number
BACKUP, RESTORE, ONE_KEY, START = "backup", "restore", "restore of one key", "start to serving"


def name(number):
    return f"key-{number:07}"


def start_seconds(hsm):
    """From the start of the process, by the kernel, to its line `serving` in the log."""
    served = [line.split()[0] for line in hsm.log().splitlines() if " app serving " in line][-1]
    ended = datetime.datetime.fromisoformat(served.split("=")[-1].replace("Z", "+00:00")).timestamp()
    fields = pathlib.Path(f"/proc/{hsm.pid}/stat").read_text().rsplit(")", 1)[1].split()
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / TICKS
    return ended - (time.time() - age)


def start_again(hsm):
    hsm.down()
    hsm.up()
    return {"seconds": max(start_seconds(hsm), 1 / TICKS), "rss_mib": memory_mib(hsm.pid, "VmRSS")}


def pages(hsm, path):
    """All pages of a list: seconds of each, and the names in order."""
    times, names, url = [], [], f"{path}?api-version=7.6"
    while url:
        start = time.monotonic()
        answer = hsm.rest.call("GET", url, version=None).json
        times.append(time.monotonic() - start)
        names += [(item.get("kid") or item["recoveryId"]).rsplit("/", 1)[1] for item in answer["value"]]
        url = answer.get("nextLink") or ""
        url = url[len(hsm.url):] if url.startswith(hsm.url) else url
    return times, names


def listing(hsm, path, expected):
    with Meter(hsm) as meter:
        times, names = pages(hsm, path)
    if names != sorted(set(names)) or len(names) != expected:
        raise SystemExit(f"{path}: {len(names)} names of {expected}, or not in order")
    return {"seconds": sum(times), "cpu": meter.cpu, "peak": meter.peak, "first_ms": 1000 * statistics.median(times[:PAGES_TIMED]),
            "last_ms": 1000 * statistics.median(times[-PAGES_TIMED:])}


class Writer(threading.Thread):
    """One client that makes and reads keys until told to stop; its answers, and the longest log of the store."""

    def __init__(self, hsm, keys):
        super().__init__(daemon=True)
        self.even = max(keys // 2 * 2, 2)  # numbers that no soft-deleted key has
        self.hsm, self.ended, self.reads, self.writes, self.wal = hsm, threading.Event(), [], [], 0

    def run(self):
        number = 0
        while not self.ended.is_set():
            for kind, call in ((self.writes, lambda: self.hsm.create(f"zz-{number:05}", kty="oct-HSM", key_size=128)),
                               (self.reads, lambda: self.hsm.rest.get(f"/keys/{name(2 * number % self.even)}"))):
                start = time.monotonic()
                call()
                kind.append(time.monotonic() - start)
            number += 1
            self.wal = max([self.wal] + [p.stat().st_size for p in (self.hsm.folder / "keystore").glob("*-wal")])

    def __exit__(self, *_):
        self.ended.set()
        self.join()

    def __enter__(self):
        self.start()
        return self


def p99_ms(seconds):
    return 1000 * sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * .99))]


def under_writes(rig, server, keys):
    with Writer(rig.hsm, keys) as writer:
        sample = rig.backup(server)
    return {**sample, "read_ms": p99_ms(writer.reads), "write_ms": p99_ms(writer.writes), "wal_mib": writer.wal / MIB}


def seed(hsm, keys):
    hsm.down()
    say(f"{keys} keys: seeding")
    subprocess.run([SEED, "--dir", str(hsm.folder), "--keys", str(keys), "--deleted", str(DELETED_EVERY)], stdout=subprocess.DEVNULL,
                   check=True)
    hsm.up()


def one_key(rig, server, folder, keys):
    one = name(keys // 2 + (keys // 2 % DELETED_EVERY == DELETED_EVERY - 1))  # not a deleted one
    rig.hsm.delete(one, purge=True)
    before = server.stats()["bytes_out"]
    sample = rig.job(lambda: rig.hsm.start_restore(server.storage(), folder, one))
    return {**sample, "wire": server.stats()["bytes_out"] - before}


def measure(stack, args, notes):
    keys, deleted, rounds = args.keys, args.keys // DELETED_EVERY, min(args.rounds, ROUNDS_MAX)
    rig = Rig(stack, 0)
    server = rig.server(False)
    seed(rig.hsm, keys)
    table = Table(f"keys_{keys}", f"{keys} keys, every {DELETED_EVERY}th deleted, over http")
    table.measure(1, {"list of keys": lambda: listing(rig.hsm, "/keys", keys - deleted),
                      "list of deleted keys": lambda: listing(rig.hsm, "/deletedkeys", deleted)})
    folder = rig.backup(server)["folder"]
    table.measure(rounds, {START: lambda: start_again(rig.hsm), BACKUP: lambda: rig.backup(server),
                           "backup, one client writing": lambda: under_writes(rig, server, keys),
                           ONE_KEY: lambda: one_key(rig, server, folder, keys), RESTORE: lambda: rig.restore(server, folder)})
    moved = table.spread(ONE_KEY, "wire")
    figures = {"one_key_s": table.spread(ONE_KEY, "seconds"), "one_key_moved_mib": Spread(*(count / MIB for count in moved))}
    if keys <= BOUND_FOR:
        figures.update(start_s=table.spread(START, "seconds"), keys_backup_s=table.spread(BACKUP, "seconds"),
                       keys_restore_s=table.spread(RESTORE, "seconds"))
    return [table], figures
