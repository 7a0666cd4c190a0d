"""The figures to hold, one row each, and how tables and verdicts are printed."""
from typing import NamedTuple

from rounds import GIB, MIB, Spread


class Figure(NamedTuple):
    key: str
    what: str
    floor: float
    at_least: bool  # or at most
    digits: int = 2

    def met(self, measured):
        return measured.median >= self.floor if self.at_least else measured.median <= self.floor


LEAST, MOST = True, False
FIGURES = [
    Figure("backup_http_of_libcurl1", "full backup, http: speed of bare libcurl with one connection", 0.9, LEAST),
    Figure("backup_tls_of_libcurl4", "full backup, https: speed of bare libcurl with four connections", 0.8, LEAST),
    Figure("backup_of_rclone", "full backup, http: times as fast as rclone crypt", 10, LEAST, 1),
    Figure("backup_of_restic", "full backup, http: times as fast as restic", 15, LEAST, 1),
    Figure("backup_of_age", "full backup, http: times as fast as age piped to curl", 5, LEAST, 1),
    Figure("backup_http_cpu_gib", "full backup, http: CPU-seconds a GiB", 0.7, MOST),
    Figure("backup_tls_cpu_gib", "full backup, https: CPU-seconds a GiB", 1.3, MOST),
    Figure("backup_64mib_s", "64 MiB backup to its manifest, by the server's clock: seconds", 0.1, MOST, 3),
    Figure("backup_far_of_rclone", "30 ms, 60 MB/s a connection, 16 connections: times as fast as rclone", 3, LEAST, 1),
    Figure("restore_of_rclone", "full restore, http: times as fast as rclone crypt", 2, LEAST, 1),
    Figure("restore_tls_of_ranges", "full restore, https: speed of a bare ranged download", 0.5, LEAST),
    Figure("backup_memory_mib", "backup, 16 connections, any size: MiB over idle", 32, MOST, 1),
    Figure("restore_memory_mib", "restore, 16 connections, any size: MiB over idle", 32, MOST, 1),
    Figure("one_key_moved_mib", "one key out of a backup of all keys: MiB moved", 1, MOST),
    Figure("one_key_s", "one key out of a backup of all keys: seconds", 1, MOST),
    Figure("keys_backup_s", "all keys (100,000) backed up: seconds", 10, MOST, 1),
    Figure("keys_restore_s", "all keys (100,000) restored: seconds", 30, MOST, 1),
    Figure("start_s", "start to serving with all keys (100,000): seconds", 1, MOST),
    Figure("rsa_of_token", "RSA-2048 sign over https: rate of the bare token", 0.8, LEAST),
    Figure("p256_of_get", "P-256 sign over https: rate of GET /keys/{name}", 0.5, LEAST),
    Figure("p99_backup_http", "p99 at 30 % load during a backup over http: times idle", 1.5, MOST),
    Figure("p99_backup_tls", "p99 at 30 % load during a backup over https: times idle", 2, MOST),
    Figure("loaded_backup_http", "that backup over http: part of its rate without load", 0.5, LEAST),
    Figure("loaded_backup_tls", "that backup over https: part of its rate without load", 0.5, LEAST),
]

COLUMNS = [("seconds", "seconds"), ("gib_s", "GiB/s"), ("cpu_gib", "cpu-s/GiB"), ("cpu", "cpu-s"), ("peak", "peak MiB"),
           ("wire_mib", "moved MiB"), ("server_ms", "server ms"), ("per_s", "a second"), ("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"),
           ("cpu_us", "cpu us each"), ("first_ms", "first page ms"), ("last_ms", "last page ms"), ("read_ms", "p99 GET ms"),
           ("write_ms", "p99 create ms"), ("wal_mib", "log MiB"), ("rss_mib", "resident MiB")]


def shown(table, name):
    """Every column of a row: {column: Spread}. With bytes, CPU is told a GiB; without, as it is."""
    columns = {}
    fields = set.intersection(*(set(sample) for sample in table.samples[name]))
    for column, _ in COLUMNS:
        if column in fields and not (column == "cpu" and table.size):
            columns[column] = table.spread(name, column)
    if table.size:
        columns["gib_s"] = Spread.of(table.size / GIB / sample["seconds"] for sample in table.samples[name])
        if "cpu" in fields:
            columns["cpu_gib"] = table.per_gib(name, "cpu")
    if "wire" in fields:
        columns["wire_mib"] = Spread.of(sample["wire"] / MIB for sample in table.samples[name])
    return columns


def print_table(table):
    """What at least half of the rows have makes a column; the rest is told behind its row."""
    found = {name: shown(table, name) for name in table.samples}
    heads = dict(COLUMNS)
    used = [key for key in heads if sum(key in row for row in found.values()) * 2 >= len(found)]
    width = max(len(name) for name in found) + 2
    print(f"\n{table.title}: median (least-greatest)")
    print(" " * width + "".join(f"{heads[key]:>21}" for key in used))
    for name, row in found.items():
        cells = "".join(f"{_cell(row[key]) if key in row else '-':>21}" for key in used)
        rest = "".join(f"   {heads[key]} {_cell(row[key])}" for key in row if key not in used)
        print(f"  {name:{width - 2}}{cells}{rest}", flush=True)


def _cell(spread):
    digits = 0 if spread.greatest >= 100 else 1 if spread.greatest >= 10 else 2 if spread.greatest >= 1 else 3
    if spread.least == spread.greatest:
        return f"{spread.median:.{digits}f}"
    return f"{spread.median:.{digits}f} ({spread.least:.{digits}f}-{spread.greatest:.{digits}f})"


def print_figures(measured):
    """The verdict. The spread of a ratio is over the rounds, each round compared with itself."""
    if not measured:
        return
    print(f"\n{'figures to hold':75}{'bound':>9}{'measured':>10}{'spread':>19}")
    for figure in FIGURES:
        if figure.key in measured:
            found, n = measured[figure.key], figure.digits
            bound = f"{'>=' if figure.at_least else '<='} {figure.floor:g}"
            spread = f"({found.least:.{n}f} - {found.greatest:.{n}f})"
            print(f"{figure.what:75}{bound:>9}{found.median:10.{n}f}{spread:>19}  {'met' if figure.met(found) else 'MISSED'}")


def as_json(tables, measured, notes):
    """Names here are kept: other tools read them."""
    return {"tables": {table.key: {"title": table.title, "bytes": table.size, "rows": {
                name: {column: spread._asdict() for column, spread in shown(table, name).items()} for name in table.samples}}
                for table in tables},
            "figures": {figure.key: {"what": figure.what, "bound": figure.floor, "at_least": figure.at_least,
                                     **measured[figure.key]._asdict(), "met": figure.met(measured[figure.key])}
                        for figure in FIGURES if figure.key in measured},
            "notes": notes}
