"""Backups: next to bare libcurl, and next to what a user could take instead."""
import peers
from rig import Rig, bare_libcurl, write_data
from rounds import MIB, Spread, Table

OURS = "coffer backup"
BARE = {n: f"bare libcurl, {n} connection{'s' * (n > 1)}" for n in (1, 4)}
SMALL_MIB = 64
LATENCY_MIB = 512
FAR = {"ms": 30, "rate": 60_000_000, "connections": 16}


def of_peers(args, notes, makers):
    """{name: peer} of those that are wanted and there; why the others are not goes into the notes. `makers`: {kind: function}."""
    why = {kind: "" if kind.needs[0] in args.peers.split(",") else f"{kind.name} left out: not asked for" for kind in makers}
    why = {kind: text or peers.missing(kind) for kind, text in why.items()}
    notes += sorted(filter(None, why.values()))
    return {kind.name: make() for kind, make in makers.items() if not why[kind]}


def full(rig, tls, args, notes):
    """One partition to a server that drops what it gets: what is left is the machine."""
    server, ca = rig.server(tls, "--discard"), rig.ca(tls)
    makers = {peers.Rclone: lambda: peers.Rclone(rig, server, ca=ca)}
    if not tls:
        makers |= {peers.Restic: lambda: peers.Restic(rig, "--discard"), peers.Age: lambda: peers.Age(rig, server)}
    others = of_peers(args, notes, makers)
    rows = {BARE[n]: lambda n=n: bare_libcurl(server, n, put=rig.raw, ca=ca) for n in BARE}
    rows[OURS] = lambda: rig.backup(server)
    rows.update({name: peer.backup for name, peer in others.items()})
    how = "https" if tls else "http"
    return Table(f"upload_{how}", f"backup of {rig.size // MIB} MiB over {how}", rig.size).measure(args.rounds, rows)


def erased(rig, args, tenths, words):
    write_data(rig.raw, rig.size, tenths)
    server = rig.server(False, "--discard")
    return Table(f"upload_erased_{tenths * 10}", f"backup of {args.mib} MiB over http, {words}", rig.size).measure(
        args.rounds, {OURS: lambda: rig.backup(server)})


def small(stack, args):
    """The storage server's own clock: from the head of the first request to the last byte of the answer to the manifest."""
    rig = Rig(stack, min(args.mib, SMALL_MIB) * MIB)
    server = rig.server(False, "--discard")

    def sample():
        server.control("DELETE", "_stats")
        found = rig.backup(server)
        return {**found, "server_ms": server.stats()["elapsed_us"] / 1000}
    return Table("upload_small", f"backup of {rig.size // MIB} MiB over http", rig.size).measure(args.rounds, {OURS: sample})


def far(stack, args, notes):
    rig = Rig(stack, min(args.mib, LATENCY_MIB) * MIB)
    server = rig.server(False, "--discard", "--latency-ms", str(FAR["ms"]), "--rate-bytes", str(FAR["rate"]))
    n = FAR["connections"]
    rows = {OURS: lambda: rig.backup(server, connections=n)}
    others = of_peers(args, notes, {peers.Rclone: lambda: peers.Rclone(rig, server, connections=n)})
    rows.update({name: peer.backup for name, peer in others.items()})
    return Table("upload_far", f"backup of {rig.size // MIB} MiB over http, {FAR['ms']} ms a request, {FAR['rate'] // 10**6} MB/s a "
                 f"connection, {n} connections", rig.size).measure(args.rounds, rows)


def measure(stack, args, notes):
    rig = Rig(stack, args.mib * MIB)
    http, tls = full(rig, False, args, notes), full(rig, True, args, notes)
    part, whole = erased(rig, args, 3, "30 % erased"), erased(rig, args, 10, "all erased")
    little, distant = small(stack, args), far(stack, args, notes)
    tables = [http, tls, part, whole, little, distant]
    figures = {"backup_http_of_libcurl1": http.times_faster(OURS, BARE[1]),
               "backup_tls_of_libcurl4": tls.times_faster(OURS, BARE[4]),
               "backup_http_cpu_gib": http.per_gib(OURS, "cpu"), "backup_tls_cpu_gib": tls.per_gib(OURS, "cpu"),
               "backup_64mib_s": Spread(*(ms / 1000 for ms in little.spread(OURS, "server_ms")))}
    for key, table, peer in (("backup_of_rclone", http, peers.Rclone), ("backup_of_restic", http, peers.Restic),
                             ("backup_of_age", http, peers.Age), ("backup_far_of_rclone", distant, peers.Rclone)):
        if peer.name in table.samples:
            figures[key] = table.times_faster(OURS, peer.name)
    return tables, figures
