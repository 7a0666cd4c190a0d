"""The same engine on its second provider of cryptography: how much slower a board without OpenSSL's assembly would be.

Below REST, by run_measure: the engine with everything it stands on in one process, built once with each provider.
"""
import re
import subprocess

from rig import bench
from rounds import MIB, Table

PROGRAMS = {"OpenSSL": "run_measure", "mbedTLS": "run_measure_mbedtls"}
MIB_MAX = 256  # mbedTLS seals less than 0.2 GiB a second on a core
THREADS, CONNECTIONS = "2", "4"
LINE = re.compile(r"^(backup|restore) +Succeeded +([\d.]+) s +[\d.]+ GiB/s +([\d.]+) cpu-s/GiB", re.M)


def sample(program, server, mib):
    storage = server.storage()
    words = [str(bench.BIN.parent / "tests" / program), storage["storageResourceUri"], storage["token"], str(mib), THREADS, CONNECTIONS]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    found = {way: {"seconds": float(seconds), "cpu": float(cpu) * mib * MIB / (1 << 30)} for way, seconds, cpu in LINE.findall(done.stdout)}
    if len(found) != 2:
        raise SystemExit(f"{program}: {done.stdout}")
    return found


def measure(stack, args, notes):
    """One process does both ways, so a round of the backup's row brings the restore's sample along."""
    mib = min(args.mib, MIB_MAX)
    server = bench.BlobServer("--threads", "2")
    stack.callback(server.stop)
    table = Table("engines", f"the engine on either provider of cryptography, {mib} MiB over http", mib * MIB)
    both = {}

    def backup(name):
        both[name] = sample(PROGRAMS[name], server, mib)
        return both[name]["backup"]
    rows = {}
    for name in PROGRAMS:
        rows[f"backup, {name}"] = lambda name=name: backup(name)
        rows[f"restore, {name}"] = lambda name=name: both[name]["restore"]
    table.measure(min(args.rounds, 3), rows)
    for way in ("backup", "restore"):
        more = table.ratio(f"{way}, mbedTLS", f"{way}, OpenSSL", "cpu")
        notes.append(f"{way} on mbedTLS takes {more.median:.1f} times the CPU-seconds of OpenSSL ({more.least:.1f}-{more.greatest:.1f})")
    return [table], {}
