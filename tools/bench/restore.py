"""Restores of the same partition: twin on tmpfs, written, verified and synced, next to peers that write a file there."""
import shutil

import peers
from rig import Rig, bare_libcurl
from rounds import MIB, Table
from upload import of_peers

OURS = "coffer restore, synced"
BARE = "bare ranged download, 4 connections"


def dropped(rig, peer):
    """The peer's output goes before the next one, so that memory for two copies is never needed."""
    target = rig.folder / "target"
    sample = peer.restore(target)
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink()
    return sample


def over(rig, tls, args, notes):
    server, ca = rig.server(tls), rig.ca(tls)
    folder = rig.backup(server)["folder"]
    bare_libcurl(server, 4, put=rig.raw, ca=ca)
    for _ in range(2):  # both sides of the partition have their pages from here on, as a device has
        rig.restore(server, folder)
    makers = {peers.Rclone: lambda: peers.Rclone(rig, server, ca=ca)}
    if not tls:
        makers |= {peers.Restic: lambda: peers.Restic(rig), peers.Age: lambda: peers.Age(rig, server)}
    others = of_peers(args, notes, makers)
    for peer in others.values():
        peer.backup()
    rows = {BARE: lambda: bare_libcurl(server, 4, size=rig.size, ca=ca), OURS: lambda: rig.restore(server, folder)}
    rows.update({name: lambda peer=peer: dropped(rig, peer) for name, peer in others.items()})
    how = "https" if tls else "http"
    table = Table(f"restore_{how}", f"restore of {rig.size // MIB} MiB over {how}", rig.size).measure(args.rounds, rows)
    server.stop()
    for peer in others.values():
        if isinstance(peer, peers.Restic):
            peer.server.stop()
    return table


def measure(stack, args, notes):
    rig = Rig(stack, args.mib * MIB)
    http, tls = over(rig, False, args, notes), over(rig, True, args, notes)
    figures = {"restore_tls_of_ranges": tls.times_faster(OURS, BARE)}
    if peers.Rclone.name in http.samples:
        figures["restore_of_rclone"] = http.times_faster(OURS, peers.Rclone.name)
    return [http, tls], figures
