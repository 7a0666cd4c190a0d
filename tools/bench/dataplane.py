"""Signatures and reads over HTTPS with kept connections, next to what the token does bare; and how quick they stay during a backup.

coffer-load is the client, coffer-token-rate the bare token: one process with as many threads and sessions as there are clients,
as the token worker is one process too. Server, worker, client and storage share the machine's cores: the client's CPU-seconds
are told, they are part of what a signature over HTTPS costs here.
"""
import contextlib
import json
import os
import subprocess
import threading

from rig import Meter, Rig, bench
from rounds import MIB, Spread, Table

LOAD, TOKEN = str(bench.BIN / "coffer-load"), str(bench.BIN / "coffer-token-rate")
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
CLIENTS = 8  # as many sessions as the worker opens unless told otherwise
DIGEST = "A" * 43  # base64url of 32 bytes
LOADED = 0.3
PARTITION_MIB = 2048  # no backup of it ends within one answer


class Target:
    """A bench appliance with one key of each kind, and a client's words for it."""

    def __init__(self, hsm):
        self.hsm = hsm
        hsm.create("rsa", kty="RSA-HSM", key_size=2048)
        hsm.create("ec", kty="EC-HSM", crv="P-256")
        self.words = {kind: ["--method", "POST", "--path", f"/keys/{kind}/sign?api-version=7.6",
                             "--body", json.dumps({"alg": alg, "value": DIGEST})] for kind, alg in (("rsa", "RS256"), ("ec", "ES256"))}
        self.words["get"] = ["--path", "/keys/ec?api-version=7.6"]

    def load(self, what, seconds, clients=CLIENTS, rate=0):
        words = [LOAD, "--host", f"{self.hsm.name}.coffer.test", "--port", str(self.hsm.port), "--cacert", self.hsm.ca, "--clients",
                 str(clients), "--ms", str(int(seconds * 1000)), "--rate", str(int(rate)), *self.words[what]]
        with Meter(self.hsm) as meter:
            done = subprocess.run(words, input=self.hsm.token("admin"), stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout)
        if found["errors"]:
            raise SystemExit(f"{what}: {found['errors']} of {found['requests']} requests were refused")
        cpu = found["cpu_seconds"] + meter.cpu
        return {"seconds": found["seconds"], "per_s": found["requests"] / found["seconds"], "p50_ms": found["p50_us"] / 1000,
                "p99_ms": found["p99_us"] / 1000, "cpu_us": 1e6 * cpu / found["requests"]}

    def bare(self, seconds, *more):
        token = self.hsm.folder / "token"
        words = [TOKEN, "--module", SOFTHSM, "--label", "coffer", "--pin", (token / "pin").read_text().strip(), "--sessions", str(CLIENTS),
                 "--ms", str(int(seconds * 1000)), *more]
        env = {**os.environ, "SOFTHSM2_CONF": str(token / "softhsm2.conf")}
        found = json.loads(subprocess.run(words, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout)
        return {"seconds": found["seconds"], "per_s": found["requests"] / found["seconds"],
                "cpu_us": 1e6 * found["cpu_seconds"] / found["requests"]}


def rates(target, args):
    rows = {"RSA-2048 sign over https": lambda: target.load("rsa", args.seconds),
            "RSA-2048 sign, bare token": lambda: target.bare(args.seconds),
            "P-256 sign over https": lambda: target.load("ec", args.seconds),
            "P-256 sign, bare token": lambda: target.bare(args.seconds, "--ec"),
            "GET of a key over https": lambda: target.load("get", args.seconds)}
    return Table("dataplane_rates", f"requests a second, {CLIENTS} clients or sessions").measure(args.rounds, rows)


@contextlib.contextmanager
def backups_without_end(rig, server):
    """One backup after another; yields the samples of those that ended meanwhile."""
    ended, samples = threading.Event(), []

    def run():
        while not ended.is_set():
            samples.append(rig.backup(server))
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def beside_backup(target, rig, tls, args, rate):
    """Each round: the load alone, a backup alone, and both together. Backups follow each other while the load runs."""
    server = rig.server(tls, "--discard")
    how = "https" if tls else "http"
    names = {"idle": "P-256 sign at 30 % load", "busy": "the same during a backup", "alone": "coffer backup alone",
             "loaded": "coffer backup under that load"}
    table = Table(f"dataplane_{how}", f"{rate:.0f} signatures a second during a backup over {how}")

    def both():
        with backups_without_end(rig, server) as samples:
            found = target.load("ec", args.seconds, rate=rate)
        whole = samples[1:-1] or samples  # the first and the last have run without the load for a while
        table.samples.setdefault(names["loaded"], []).append({"seconds": Spread.of(s["seconds"] for s in whole).median})
        return found
    table.measure(args.rounds, {names["idle"]: lambda: target.load("ec", args.seconds, rate=rate),
                                names["alone"]: lambda: {"seconds": rig.backup(server)["seconds"]},
                                names["busy"]: both})
    table.samples[names["loaded"]] = table.samples.pop(names["loaded"])  # told last
    server.stop()
    return table, {f"p99_backup_{'tls' if tls else 'http'}": table.ratio(names["busy"], names["idle"], "p99_ms"),
                   f"loaded_backup_{'tls' if tls else 'http'}": table.times_faster(names["loaded"], names["alone"])}


def measure(stack, args, notes):
    rig = Rig(stack, min(args.mib, PARTITION_MIB) * MIB)
    target = Target(rig.hsm)
    alone = rates(target, args)
    tables = [alone]
    figures = {"rsa_of_token": alone.ratio("RSA-2048 sign over https", "RSA-2048 sign, bare token", "per_s"),
               "p256_of_get": alone.ratio("P-256 sign over https", "GET of a key over https", "per_s")}
    rate = LOADED * alone.spread("P-256 sign over https", "per_s").median
    for tls in (False, True):
        table, found = beside_backup(target, rig, tls, args, rate)
        tables.append(table)
        figures.update(found)
    return tables, figures
