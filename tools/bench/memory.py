"""The daemon's peak over idle, at growing sizes and 16 connections: memory must not know how large a partition is.

The partitions lie on disk here, not on tmpfs: 8 GiB in and out are then the page cache's business and not the machine's memory.
For a restore the server keeps what it got, in its own memory."""
import pathlib
import shutil

from rig import Rig
from rounds import MIB, Table

SIZES_MIB = (64, 256, 1024, 2048)
BIG_MIB = 8192
CONNECTIONS = 16
WHERE = "/var/tmp"
SLOW_MIB = 256
SLOW_RATE = (1 << 20) // CONNECTIONS  # of each connection: 1 MiB a second in all
OURS = {"in": "coffer backup", "out": "coffer restore, synced"}


def available_mib():
    lines = dict(line.split(":") for line in pathlib.Path("/proc/meminfo").read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) // 1024


def sizes(args, notes):
    wanted = [mib for mib in SIZES_MIB if mib <= args.mib] or [args.mib]
    if args.big:
        disk = shutil.disk_usage(WHERE).free // MIB
        memory = available_mib()
        if disk > 3 * BIG_MIB and memory > BIG_MIB * 3 // 2:
            wanted.append(BIG_MIB)
        else:
            notes.append(f"{BIG_MIB} MiB in and out left out: {disk} MiB free in {WHERE}, {memory} MiB of memory")
    return wanted


def one_size(stack, mib):
    """Both ways over TLS, which holds more than HTTP does: its buffers."""
    rig = Rig(stack, mib * MIB, where=WHERE)
    server = rig.server(True)
    backup = rig.backup(server, CONNECTIONS)
    samples = {"in": backup, "out": rig.restore(server, backup["folder"], CONNECTIONS)}
    server.stop()
    return samples


def slow(stack):
    rig = Rig(stack, SLOW_MIB * MIB)
    server = rig.server(False, "--discard", "--rate-bytes", str(SLOW_RATE))
    table = Table("memory_slow", f"memory, {SLOW_MIB} MiB to a storage that takes 1 MiB/s in all", SLOW_MIB * MIB)
    table.add(OURS["in"], rig.backup(server, CONNECTIONS))
    return table


def measure(stack, args, notes):
    tables = []
    for mib in sizes(args, notes):
        samples = one_size(stack, mib)
        table = Table(f"memory_{mib}", f"memory, {mib} MiB over https, {CONNECTIONS} connections", mib * MIB)
        for way, name in OURS.items():
            table.add(name, samples[way])
        tables.append(table)
    peaks = {name: [table.spread(name, "peak") for table in tables] for name in OURS.values()}
    if args.big:
        tables.append(slow(stack))
        peaks[OURS["in"]].append(tables[-1].spread(OURS["in"], "peak"))
    return tables, {"backup_memory_mib": max(peaks[OURS["in"]]), "restore_memory_mib": max(peaks[OURS["out"]])}
