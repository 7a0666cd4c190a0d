#!/usr/bin/env python3
"""Campaign: backups and restores of a bench appliance against a storage that misbehaves at random, and (kills) a
cofferd that is killed at random moments of them, also while it starts again.

    kills.py kills|faults [--count N] [--seed S]

After each round, whatever happened: at most one job runs, the job has ended; the appliance's state is the one before
or, of a restore that succeeded, the backup's, byte for byte; each folder with a manifest verifies and each one without
is refused. Prints its seed, progress, each violation, and a last line with counts. Exit code 1: there was a violation.
"""
import argparse
import collections
import pathlib
import random
import re
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench
import state

MIB = 1 << 20
PART = 24 * MIB  # three blocks; most of it erased, so that a round is quick
SETTLE_S = 120

WRITES = ["PutBlock", "PutBlockList", "PutBlob"]
READS = ["GetBlob", "HeadBlob", "GetBlockList"]


class Violation(Exception):
    pass


def random_rule(rng):
    """One rule of tests/support/blobserver/fault.h; all end by themselves, so that nothing waits for ever."""
    op = rng.choice(WRITES + READS + ["*"])
    when = rng.choice([f"nth={rng.randint(1, 12)}", f"every={rng.randint(2, 9)} times={rng.randint(1, 4)}"])
    actions = ["status:500", "status:503 retry-after=1", "status:429", "status:408", "reset:head", "reset:end",
               "redirect:307", "expired", f"reset:{rng.choice([1, 4096, 300000])}", f"delay:{rng.randint(10, 800)}", "early-status:503"]
    if op in WRITES:
        actions += ["commit-status:500", "commit-reset", "commit-status:503"]
    if op == "GetBlob":
        actions += [f"flip:{rng.randint(0, 5000)}", f"truncate:{rng.randint(0, 5000)}", "etag", "length:7", "whole",
                    f"shift:{rng.randint(1, 9000)}", f"displace:{rng.randint(1, 9000)}", f"unsized:{rng.randint(0, 5000)}"]
    if op == "PutBlock":
        actions += ["status:400 code=InvalidBlobOrBlock", "status:403 code=AuthorizationPermissionMismatch", "forget", "late", "steal"]
    return f"op={op} {when} action={rng.choice(actions)}"


class Campaign:
    def __init__(self, folder, rng, kills):
        self.rng, self.kills, self.folder = rng, kills, pathlib.Path(folder)
        self.raw = self.folder / "data.img"
        self.write_raw()
        self.hsm = bench.Bench(self.folder / "hsm", "--partition", f"data={self.raw}", "--set", "storage.attempts=6",
                               "--set", "storage.patience_s=20")
        # The second takes no blocks, as some immutability policies: there each block is a blob of its own.
        self.servers = [bench.BlobServer(), bench.BlobServer("--policy", "no-blocks")]
        self.server = self.servers[0]
        self.reasons = collections.Counter()  # codes of the jobs that failed
        self.made, self.known, self.judged = 0, {}, set()  # (storage, folder): two may have one name
        self.count = dict.fromkeys(("kills", "backups", "restores", "refused", "succeeded", "failed", "resumed", "whole", "unfinished",
                                    "pruned"), 0)
        for name in ("one", "two"):
            self.hsm.create(name, kty="EC-HSM", crv="P-256", tags={"name": name})
        self.span = {"backup": self.timed(lambda: self.note_backup(self.hsm.backup(self.storage))), "restore": 0.5}
        folder = next(iter(self.known))[1]
        self.span["restore"] = self.timed(lambda: self.restored(folder))

    @property
    def storage(self):
        return {**self.server.storage(), "storageResourceUri": self.server.uri}

    def close(self):
        self.hsm.down()
        for server in self.servers:
            server.stop()

    # --- the appliance --------------------------------------------------------------------------

    def timed(self, deed):
        start = time.monotonic()
        deed()
        return time.monotonic() - start

    def state(self):
        return self.hsm.state(raw=[self.raw])

    def write_raw(self):
        with open(self.raw, "r+b" if self.raw.exists() else "wb") as handle:
            if not handle.seek(0, 2):
                handle.write(b"\xff" * PART)
            for block in (0, 2):
                handle.seek(block * 8 * MIB + self.rng.randrange(8) * MIB)
                handle.write(self.rng.randbytes(self.rng.choice([4096, 70000, 512 * 1024])))

    def change(self):
        """So that every backup is of another state."""
        self.made += 1
        self.hsm.create(f"k{self.made}", kty="oct-HSM", key_size=128)
        for item in self.hsm.rest.pages("/keys"):
            name = item["kid"].rsplit("/", 1)[1]
            if name.startswith("k") and self.rng.random() < 0.3:
                self.hsm.delete(name, purge=True)
        self.write_raw()

    def jobs(self):
        return self.hsm.rest.get("/coffer/jobs")["value"]

    def expect(self, what, good):
        if not good:
            raise Violation(what)

    def compare(self, before, after, what):
        found = state.compare(before, after)
        self.expect(f"{what}: {found[:5]}", not found)

    # --- the storage ----------------------------------------------------------------------------

    def list(self):
        """Folders with the names in them."""

        found, marker, sas = {}, "", bench.make_sas(self.server.container, "rl")
        while True:
            text = urllib.request.urlopen(f"{self.server.uri}?restype=container&comp=list&prefix=mhsm-{marker}&{sas}",
                                          timeout=30).read().decode()
            for name in re.findall("<Name>([^<]*)</Name>", text):
                found.setdefault(name.split("/")[0], set()).add(name.split("/", 1)[1])
            more = re.findall("<NextMarker>([^<]+)</NextMarker>", text)
            if not more:
                return found
            marker = f"&marker={urllib.parse.quote(more[0])}"

    def verified(self, folder):
        body = {"sasTokenParameters": self.storage, "folderToRestore": folder}
        return self.hsm.wait(self.hsm.start("POST", "/coffer/verify", body), SETTLE_S)

    def note_backup(self, folder, known=None):
        self.known[self.server, folder] = known or self.state()

    def restored(self, folder):
        status = self.hsm.restore(self.storage, folder)
        self.expect(f"restore of {folder}: {status}", status["status"] == "Succeeded")

    def judge_folders(self, before):
        """Every folder not judged yet is whole and verifies, or is unfinished and refused."""
        for folder, names in self.list().items():
            if (self.server, folder) in self.judged:
                continue
            whole = "manifest" in names
            status = self.verified(folder)
            self.expect(f"{folder}, manifest {whole}: verify says {status}", (status["status"] == "Succeeded") == whole)
            if not whole:
                status = self.hsm.restore(self.storage, folder)
                self.expect(f"{folder} without manifest restored: {status}", status["status"] == "Failed")
                self.compare(before, self.state(), f"refused restore of {folder}")
            elif (self.server, folder) not in self.known:  # the job did not learn of its commit
                self.note_backup(folder, before)
            self.judged.add((self.server, folder))
            self.count["whole" if whole else "unfinished"] += 1

    def cut_prune(self, body):
        """A pruning that is killed: what it has begun with reads as no backup, all else as before."""
        self.doing = "killed pruning"
        self.server.fault("op=DeleteBlob every=1 action=delay:15\n")
        job = self.hsm.start("POST", "/coffer/prune", body).json["jobId"]
        time.sleep(self.rng.uniform(0, 0.6))
        self.hsm.kill()
        self.count["kills"] += 1
        self.server.no_fault()
        self.hsm.up()
        status = self.settle(job, "backup")
        self.expect(f"cut pruning ended as {status}", status["status"] in ("Succeeded", "Failed"))
        for folder, names in self.list().items():
            if (self.server, folder) in self.known:
                verdict = self.verified(folder)
                self.expect(f"{folder} in a cut pruning, {names}: {verdict}", (verdict["status"] == "Succeeded") == ("manifest" in names))

    def prune(self):
        body = {**self.storage, "keep": {"last": 5, "minAgeSeconds": 0}}
        if self.kills:
            self.cut_prune(body)
        self.doing = "pruning"
        status = self.hsm.wait(self.hsm.start("POST", "/coffer/prune", body), SETTLE_S)
        self.expect(f"prune: {status}", status["status"] == "Succeeded")
        left = self.list()
        here = [folder for server, folder in self.known if server is self.server]
        gone = [folder for folder in here if folder not in left]
        self.expect("prune left a half", all("manifest" in left[folder] for folder in here if folder in left))
        self.expect(f"prune left {len(here) - len(gone)} of {len(here)}", len(here) - len(gone) == min(5, len(here)))
        for folder in gone:
            del self.known[self.server, folder]
        self.count["pruned"] += len(gone)

    # --- one round ------------------------------------------------------------------------------

    def crash(self, span):
        time.sleep(self.rng.uniform(0, 1.7 * span))
        again = self.rng.random() < 0.2
        heals = self.rng.random() < 0.5
        self.hsm.kill()
        self.count["kills"] += 1
        if heals:
            self.server.no_fault()
        self.hsm.up()
        if again:
            time.sleep(self.rng.uniform(0, span))
            self.hsm.kill()
            self.count["kills"] += 1
            self.hsm.up()

    def settle(self, job, kind):
        """The job's end. Faults stop after a while, as storage does come back."""
        heal_at = time.monotonic() + self.rng.uniform(0, 3)
        end = time.monotonic() + SETTLE_S
        seen_running = False
        while time.monotonic() < end:
            if time.monotonic() > heal_at:
                self.server.no_fault()
            status = self.hsm.rest.get(f"/{kind}/{job}/pending")
            if status["status"] in bench.TERMINAL:
                self.count["resumed"] += seen_running and self.kills and status["status"] == "Succeeded"
                return status
            seen_running = True
            known = self.hsm.rest.call("GET", "/coffer/jobs")  # refused while a whole restore runs
            running = [one for one in known.json["value"] if one["status"] == "InProgress"] if known.status == 200 else []
            self.expect(f"{len(running)} jobs run", len(running) <= 1)
            time.sleep(0.03)
        raise Violation(f"{kind} {job} has not ended within {SETTLE_S} s")

    def choose(self):
        """A backup that is known, and the storage it lies in."""
        self.server, folder = self.rng.choice(list(self.known))
        return folder

    def round(self):
        for server in self.servers:
            server.no_fault()
        if self.rng.random() < 0.5:
            self.change()
        kind = self.rng.choice(["backup", "restore"])
        folder = self.choose() if kind == "restore" else None
        if not folder:
            self.server = self.rng.choice(self.servers)
        before, known_jobs = self.state(), {one["jobId"] for one in self.jobs()}
        rules = [random_rule(self.rng) for _ in range(self.rng.randint(0, 3))]
        if rules:
            self.server.fault("\n".join(rules) + "\n")
        self.doing = f"{kind} {folder or ''} {rules}"
        answer = self.hsm.start("POST", "/backup", self.storage) if kind == "backup" else self.hsm.start_restore(self.storage, folder)
        if answer.status != 202:
            self.expect(f"refused with {answer.status}: {answer.message}", 400 <= answer.status < 504 and answer.message)
            self.count["refused"] += 1
            return
        job = answer.json["jobId"]
        self.count[kind + "s"] += 1
        if self.kills:
            self.crash(self.span[kind])
        status = self.settle(job, kind)
        self.server.no_fault()
        new = {one["jobId"] for one in self.jobs()} - known_jobs
        self.expect(f"jobs {new} instead of {job}", new == {job})
        good = status["status"] == "Succeeded"
        self.expect(f"ended as {status}", good or (status["status"] == "Failed" and status["error"]["message"]))
        self.count["succeeded" if good else "failed"] += 1
        if not good:
            self.reasons[status["error"]["code"]] += 1
        after = self.state()
        if kind == "restore" and good:
            self.compare(self.known[self.server, folder], after, f"restored {folder}")
        else:
            self.compare(before, after, f"{kind} that {status['status']}")
        if kind == "backup" and good:
            self.note_backup(status["coffer"]["folder"], before)
            self.expect(f"{status['coffer']['folder']} has no manifest", "manifest" in self.list().get(status["coffer"]["folder"], ()))
        self.judge_folders(after)

    def deep(self):
        """A known backup comes back byte for byte."""
        folder = self.choose()
        self.doing = f"deep restore of {folder}"
        self.restored(folder)
        self.compare(self.known[self.server, folder], self.state(), f"restored {folder}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("kills", "faults"))
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    args = parser.parse_args()
    print(f"{args.what}: seed {args.seed}, count {args.count}", flush=True)
    violations, start = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="coffer-campaign.") as folder:
        campaign = Campaign(folder, random.Random(args.seed), args.what == "kills")
        try:
            for n in range(1, args.count + 1):
                try:
                    campaign.round()
                    if n % 10 == 0:
                        campaign.deep()
                    if n % 25 == 0:
                        for campaign.server in campaign.servers:
                            campaign.prune()
                except (Violation, AssertionError, bench.Refused, urllib.error.URLError, OSError) as wrong:
                    violations += 1
                    print(f"VIOLATION in round {n}: {campaign.doing}: {type(wrong).__name__}: {wrong}\n{campaign.hsm.log()}", flush=True)
                    time.sleep(5)  # what runs comes to its end
                    if violations > 10 or not bench.alive(campaign.hsm.pid):
                        break
                if n % 10 == 0:
                    print(f"{args.what}: {n} rounds, {time.monotonic() - start:.0f} s, {campaign.count}", flush=True)
        finally:
            campaign.close()
    counts = ", ".join(f"{number} {what}" for what, number in campaign.count.items())
    print(f"{args.what}: failed with {dict(campaign.reasons)}")
    print(f"{args.what}: {n} rounds, {counts}, {violations} violations, seed {args.seed}", flush=True)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
