"""What many keys cost: seeded into the store (coffer-seed), started, listed, exported, restored, one taken out of a backup.

Each number of keys has a table of its own on an appliance of its own. Memory is the daemon's peak above what it held
when idle; what must be flat is the memory and the time of a page, and what may grow is the time of the rest, with the keys.
"""
import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "support"))
import bench

SEED = str(bench.BIN / "coffer-seed")
SHM = "/dev/shm"
TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
DELETED_EVERY = 10
PAGES_TIMED = 40


def name(number):
    return f"key-{number:07}"


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid, field):
    found = re.search(rf"^{field}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(found.group(1)) / 1024


def log_ms(hsm):
    """Milliseconds of the last start, from the first line of the log that it wrote to `serving`."""
    lines = hsm.log().splitlines()
    last = max(n for n, line in enumerate(lines) if " app serving " in line)
    first = max(n for n, line in enumerate(lines[:last]) if "local=yes" in line)

    def ms(line):
        hours, minutes, seconds = re.match(r"\S+T(\d+):(\d+):([\d.]+)Z", line).groups()
        return (int(hours) * 60 + int(minutes)) * 60000 + float(seconds) * 1000
    return (ms(lines[last]) - ms(lines[first])) % 86400000


@contextlib.contextmanager
def metered(hsm, into):
    """CPU-seconds of daemon and worker, and the daemon's peak above idle, into `into`."""
    pids = (hsm.pid, hsm.status()["worker_pid"])
    idle, before = memory_mib(hsm.pid, "VmRSS"), [cpu_seconds(pid) for pid in pids]
    pathlib.Path(f"/proc/{hsm.pid}/clear_refs").write_text("5")  # the peak starts anew
    yield
    into["cpu"] = sum(cpu_seconds(pid) - was for pid, was in zip(pids, before))
    into["peak"] = max(0.0, memory_mib(hsm.pid, "VmHWM") - idle)


def job(hsm, start, seconds):
    row = {}
    with metered(hsm, row):
        status = hsm.wait(start(), seconds=seconds)
    if status["status"] != "Succeeded":
        raise SystemExit(f"the job failed: {status['error']}")
    row.update(seconds=max(status["coffer"]["elapsedMs"], 1) / 1000, wire=status["coffer"]["bytes"])
    return row, status["coffer"]["folder"]


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
    row = {}
    with metered(hsm, row):
        times, names = pages(hsm, path)
    if names != sorted(set(names)) or len(names) != expected:
        raise SystemExit(f"{path}: {len(names)} names of {expected}, or not in order")
    row.update(seconds=sum(times), pages=len(times), first_ms=1000 * statistics.median(times[:PAGES_TIMED]),
               last_ms=1000 * statistics.median(times[-PAGES_TIMED:]), worst_ms=1000 * max(times))
    return row


class Writer(threading.Thread):
    """One client that makes, reads and deletes keys until told to stop; its worst answers, and the longest log of the store."""

    def __init__(self, hsm):
        super().__init__(daemon=True)
        self.hsm, self.ended, self.reads, self.writes, self.wal = hsm, threading.Event(), [], [], 0

    def run(self):
        number = 0
        while not self.ended.is_set():
            for kind, call in ((self.writes, lambda: self.hsm.create(f"zz-{number:05}", kty="oct-HSM", key_size=128)),
                               (self.reads, lambda: self.hsm.rest.get(f"/keys/{name(number % 1000 * 2)}"))):
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


def quantile(values, of):
    return sorted(values)[min(len(values) - 1, int(len(values) * of))]


def measure(stack, keys, say):
    folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="coffer-keys.", dir=SHM)))
    where, out = folder / "hsm", {}
    stack.callback(bench.run_coffer, "bench", "down", "--dir", str(where))
    hsm = bench.Bench(where)
    server = bench.BlobServer("--threads", "2")
    stack.callback(server.stop)
    hsm.down()
    say(f"{keys} keys: seeding")
    done = subprocess.run([SEED, "--dir", str(where), "--keys", str(keys), "--deleted", str(DELETED_EVERY)],
                          stdout=subprocess.PIPE, text=True, check=True)
    out["seeded"] = {"seconds": float(re.search(r"SECONDS=([\d.]+)", done.stdout).group(1))}
    out["seeded"]["store_mib"] = sum(p.stat().st_size for p in (where / "keystore").iterdir()) / MIB
    hsm.up()
    out["start to serving"] = {"seconds": log_ms(hsm) / 1000, "rss": memory_mib(hsm.pid, "VmRSS")}
    limit = 120 + keys // 500
    deleted = keys // DELETED_EVERY
    for title, path, expected in (("list of deleted keys", "/deletedkeys", deleted), ("list of keys", "/keys", keys - deleted)):
        say(f"{keys} keys: {title}")
        out[title] = listing(hsm, path, expected)
    say(f"{keys} keys: backup")
    out["backup"], kept = job(hsm, lambda: hsm.start("POST", "/backup", server.storage()), limit)
    say(f"{keys} keys: backup under load")
    with Writer(hsm) as writer:
        out["backup, one client writing"], _ = job(hsm, lambda: hsm.start("POST", "/backup", server.storage()), limit)
    wal_after = max([0] + [p.stat().st_size for p in (where / "keystore").glob("*-wal")])
    out["backup, one client writing"].update(
        read_ms=1000 * quantile(writer.reads, .99), write_ms=1000 * quantile(writer.writes, .99), writes=len(writer.writes),
        wal_mib=writer.wal / MIB, wal_after_mib=wal_after / MIB)
    one = name(keys // 2)
    if (keys // 2) % DELETED_EVERY == DELETED_EVERY - 1:
        one = name(keys // 2 + 1)
    say(f"{keys} keys: one key")
    hsm.delete(one, purge=True)
    before = server.stats()["bytes_out"]
    out["restore of one key"], _ = job(hsm, lambda: hsm.start_restore(server.storage(), kept, one), limit)
    out["restore of one key"]["wire"] = server.stats()["bytes_out"] - before
    say(f"{keys} keys: restore")
    out["restore"], _ = job(hsm, lambda: hsm.start_restore(server.storage(), kept), limit)
    say("")
    return out


def line(title, row):
    text = f"  {title:28}{row['seconds']:9.3f} s"
    shown = (("cpu", "{:8.2f} cpu-s"), ("peak", "  +{:.1f} MiB"), ("wire", "  {:.2f} MiB moved"), ("pages", "  {} pages"),
             ("first_ms", "  first {:.2f} ms"), ("last_ms", "  last {:.2f} ms"), ("worst_ms", "  worst {:.1f} ms"),
             ("rss", "  {:.1f} MiB resident"), ("store_mib", "  {:.0f} MiB store"), ("read_ms", "  p99 GET {:.1f} ms"),
             ("write_ms", "  p99 create {:.1f} ms"), ("writes", "  {} made"), ("wal_mib", "  log {:.1f} MiB"),
             ("wal_after_mib", "  then {:.1f} MiB"))
    for field, words in shown:
        if field in row:
            text += words.format(row[field] / MIB if field == "wire" else row[field])
    return text


def main(counts):
    for keys in counts:
        with contextlib.ExitStack() as stack:
            found = measure(stack, keys, lambda text: print(f"\r{text:60}\r", end="", file=sys.stderr, flush=True)
                            if sys.stderr.isatty() else None)
        print(f"{keys} keys, every {DELETED_EVERY}th soft-deleted, http")
        print("\n".join(line(title, row) for title, row in found.items()), flush=True)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [10000, 100000])
