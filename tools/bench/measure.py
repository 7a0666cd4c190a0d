#!/usr/bin/env python3
"""Measures backup and restore on this machine, next to bare libcurl moving the same bytes in the same run.

Rounds are interleaved, medians are shown, and what counts is the ratio: the machine's own speed moves by tens of per
cent. CPU-seconds are the daemon's and its token worker's; memory is the peak above what the daemon held when idle.
"""
import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "support"))
import bench

CEILING = str(bench.BIN / "coffer-ceiling")
GIB = 1 << 30
TICKS = os.sysconf("SC_CLK_TCK")
SHM = "/dev/shm"
SERVER_THREADS = "2"
SEEDERS = 16


def progress(text):
    """On a terminal only."""
    if sys.stderr.isatty():
        print(f"\r{text:70}\r", end="", file=sys.stderr, flush=True)


# --- what a process takes ---------------------------------------------------------------------


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


class Meter:
    """CPU of daemon and worker, and the daemon's peak, around one job."""

    def __init__(self, hsm):
        self.hsm, self.pids = hsm, (hsm.pid, hsm.status()["worker_pid"])

    def __enter__(self):
        self.idle = memory_mib(self.hsm.pid, "VmRSS")
        pathlib.Path(f"/proc/{self.hsm.pid}/clear_refs").write_text("5")  # the peak starts anew
        self.before = [cpu_seconds(pid) for pid in self.pids]
        return self

    def __exit__(self, *_):
        self.daemon, self.worker = (cpu_seconds(pid) - was for pid, was in zip(self.pids, self.before))
        self.peak = max(0.0, memory_mib(self.hsm.pid, "VmHWM") - self.idle)


# --- one sample of each kind ------------------------------------------------------------------


def job(hsm, answer_of):
    """Runs a job to its end; seconds as the appliance measures them, from request to committed result."""
    with Meter(hsm) as meter:
        status = hsm.wait(answer_of(), seconds=600)
    if status["status"] != "Succeeded":
        raise SystemExit(f"the job failed: {status['error']}")
    more = status["coffer"]
    return {"seconds": max(more["elapsedMs"], 1) / 1000, "wire": more["bytes"], "cpu": meter.daemon + meter.worker,
            "worker": meter.worker, "peak": meter.peak, "folder": more["folder"]}


def ceiling(server, blob, connections, threads, put=None, size=0, ca=None):
    words = [CEILING, "--url", f"{server.uri}/{blob}", "--sas", server.storage()["token"], "--connections", str(connections),
             "--threads", str(threads)]
    words += ["--put", str(put)] if put else ["--size", str(size)]
    words += ["--cacert", str(ca)] if ca else []
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    return {"seconds": found["seconds"], "cpu": found["cpu_seconds"]}


def interleaved(rounds, rows):
    """rows: {name: function}; {name: {field: median}}."""
    samples = {name: [] for name in rows}
    for n in range(rounds):
        for name, sample in rows.items():
            samples[name].append(sample())
            progress(f"  round {n + 1} of {rounds}: {name}")
    progress("")
    fields = ("seconds", "cpu", "worker", "peak", "wire")
    return {name: {field: statistics.median(s[field] for s in found) for field in fields if field in found[0]}
            for name, found in samples.items()}


# --- the machine for it -------------------------------------------------------------------------


def certificate(folder):
    cert, key = folder / "storage.pem", folder / "storage.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", "/CN=storage", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
                   check=True, stderr=subprocess.DEVNULL)
    return cert, key


class Rig:
    """Partition on tmpfs, one appliance, one storage server for each of http and https."""

    def __init__(self, stack, args, partition_bytes):
        self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="coffer-bench.", dir=SHM)))
        self.tls = certificate(self.folder)
        self.stack, self.args, self.size, self.raw = stack, args, partition_bytes, self.folder / "data.img"
        options = ["--storage-ca", str(self.tls[0])]
        if partition_bytes:
            with open(self.raw, "wb") as handle, open("/dev/urandom", "rb") as random:
                for _ in range(partition_bytes >> 20):
                    handle.write(random.read(1 << 20))
            options += ["--partition", f"data={self.raw}"]
        for setting in args.set:
            options += ["--set", setting]
        where = self.folder / "hsm"
        stack.callback(bench.run_coffer, "bench", "down", "--dir", str(where))
        self.hsm = bench.Bench(where, *options)

    def server(self, tls, *options):
        server = bench.BlobServer("--threads", SERVER_THREADS, *options, tls=self.tls if tls else None)
        self.stack.callback(server.stop)
        return server

    def ca(self, tls):
        return self.tls[0] if tls else None

    def backup(self, server):
        return job(self.hsm, lambda: self.hsm.start("POST", "/backup", server.storage()))

    def restore(self, server, folder, key=None):
        return job(self.hsm, lambda: self.hsm.start_restore(server.storage(), folder, key))


def rates(size, found, against):
    """Adds GiB/s, CPU-seconds a GiB, and the ratio of speeds to each of `against`."""
    for row in found.values():
        row["gib_s"] = size / GIB / row["seconds"]
        row["cpu_gib"] = row["cpu"] / (size / GIB)
        row["of"] = {name: found[name]["seconds"] / row["seconds"] for name in against if found[name] is not row}
    return found


def upload(stack, args):
    rig, out = Rig(stack, args, args.mib << 20), {}
    for tls in (False, True):
        server = rig.server(tls, "--discard")
        rows = {f"bare libcurl, {n} connection{'s' * (n > 1)}":
                lambda n=n: ceiling(server, "bare", n, min(n, 2), put=rig.raw, ca=rig.ca(tls)) for n in (1, 4)}
        bare = list(rows)
        rows["coffer backup"] = lambda: rig.backup(server)
        out[f"backup of {args.mib} MiB over {'https' if tls else 'http'}"] = rates(
            rig.size, interleaved(args.rounds, rows), bare)
    return out


def restore(stack, args):
    rig, out = Rig(stack, args, args.mib << 20), {}
    for tls in (False, True):
        server = rig.server(tls)
        folder = rig.backup(server)["folder"]
        ceiling(server, "bare", 4, 2, put=rig.raw, ca=rig.ca(tls))
        rows = {"bare ranged download, 4 connections": lambda: ceiling(server, "bare", 4, 2, size=rig.size, ca=rig.ca(tls))}
        bare = list(rows)
        rows["coffer restore, written and synced"] = lambda: rig.restore(server, folder)
        out[f"restore of {args.mib} MiB over {'https' if tls else 'http'}"] = rates(
            rig.size, interleaved(args.rounds, rows), bare)
        server.stop()
    return out


def seed(hsm, count):
    """Half EC, half AES keys, made through the interface."""
    kinds = ({"kty": "EC-HSM", "crv": "P-256"}, {"kty": "oct-HSM", "key_size": 256})

    def one(n):
        hsm.rest.ask("POST", f"/keys/key-{n:06}/create", {**kinds[n % 2], "tags": {"number": str(n)}})
    hsm.token("admin")
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(SEEDERS) as pool:
        for n, _ in enumerate(pool.map(one, range(count))):
            if n % 500 == 0:
                progress(f"  {n} of {count} keys made")
    progress("")
    return time.monotonic() - start


def keys(stack, args):
    rig = Rig(stack, args, 0)
    server = rig.server(False)
    seconds = seed(rig.hsm, args.keys)
    folder = rig.backup(server)["folder"]
    one = f"key-{args.keys // 2:06}"

    def selective():
        rig.hsm.delete(one, purge=True)
        before = server.stats()["bytes_out"]
        sample = rig.restore(server, folder, one)
        sample["wire"] = server.stats()["bytes_out"] - before
        return sample
    found = interleaved(args.rounds, {"coffer backup": lambda: rig.backup(server),
                                      "coffer restore": lambda: rig.restore(server, folder),
                                      "restore of one key": selective})
    for row in found.values():
        row["keys_s"] = args.keys / row["seconds"]
    found["restore of one key"]["keys_s"] = 1 / found["restore of one key"]["seconds"]
    found["made through the interface"] = {"seconds": seconds, "keys_s": args.keys / seconds}
    return {f"{args.keys} keys, http": found}


# --- output -------------------------------------------------------------------------------------


def line(name, row):
    text = f"  {name:38}{row['seconds']:8.3f} s"
    text += f"{row['gib_s']:7.2f} GiB/s" if "gib_s" in row else f"{row['keys_s']:9.0f} keys/s"
    if "cpu_gib" in row:
        text += f"{row['cpu_gib']:6.2f} cpu-s/GiB"
    elif "cpu" in row:
        text += f"{row['cpu']:6.2f} cpu-s"
    if "wire" in row:
        text += f"{row['wire'] / (1 << 20):9.2f} MiB moved"
    if "peak" in row:
        text += f"  +{row['peak']:.1f} MiB"
    ratios = [f"{ratio:.2f} of {name}" for name, ratio in row.get("of", {}).items()]
    return text + ("   " + ", ".join(ratios) if ratios and "peak" in row else "")


def main():
    kinds = {"upload": upload, "restore": restore, "keys": keys}
    parser = argparse.ArgumentParser(prog="tools/dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="all", choices=[*kinds, "all"])
    parser.add_argument("--mib", type=int, default=1024, help="size of the raw partition (1024)")
    parser.add_argument("--keys", type=int, default=10000, help="number of keys (10000)")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="setting of cofferd")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    args = parser.parse_args()
    out = {}
    for kind in kinds if args.what == "all" else [args.what]:
        with contextlib.ExitStack() as stack:
            found = kinds[kind](stack, args)
        out.update(found)
        for title, rows in {} if args.json else found.items():
            print(f"{title}, median of {args.rounds} rounds")
            print("\n".join(line(name, row) for name, row in rows.items()), flush=True)
    if args.json:
        print(json.dumps(out, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
