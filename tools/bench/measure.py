#!/usr/bin/env python3
"""Measures this machine's Coffer next to bare libcurl, the bare token and other products, in the same run.

What counts is the ratio: the machine's own speed moves by tens of per cent. tools/bench/README.md tells the method and every row.
"""
import argparse
import contextlib
import importlib
import json
import signal
import sys

import figures

SUBJECTS = ("upload", "restore", "memory", "keys", "dataplane", "engines")


def arguments():
    parser = argparse.ArgumentParser(prog="tools/dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="all", choices=[*SUBJECTS, "all"])
    parser.add_argument("--mib", type=int, default=2048, help="size of the raw partition (2048)")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument("--keys", type=int, default=100000, help="number of keys (100000)")
    parser.add_argument("--seconds", type=float, default=4, help="length of one run of load on the data plane (4)")
    parser.add_argument("--quick", action="store_true", help="256 MiB, two rounds, 10000 keys, runs of 2 s: a first look")
    parser.add_argument("--big", action="store_true", help="memory also at 8 GiB, and at 256 MiB to a storage of 1 MiB/s (20 minutes)")
    parser.add_argument("--peers", default="rclone,restic,age", help="which to compare with, of those (all); none: \"\"")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a figure is missed")
    args = parser.parse_args()
    if args.quick:
        args.mib, args.rounds, args.keys, args.seconds = 256, 2, 10000, 2
    return args


def main():
    args, tables, measured, notes = arguments(), [], {}, []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is taken down on this way out, too
    for subject in SUBJECTS if args.what == "all" else [args.what]:
        with contextlib.ExitStack() as stack:
            found, numbers = importlib.import_module(subject).measure(stack, args, notes)
        tables += found
        measured.update(numbers)
        for table in [] if args.json else found:
            figures.print_table(table)
    notes = sorted(set(notes))
    if args.json:
        print(json.dumps(figures.as_json(tables, measured, notes), indent=1))
    else:
        print("".join(f"\nnote: {note}" for note in notes))
        figures.print_figures(measured)
    missed = [f for f in figures.FIGURES if f.key in measured and not f.met(measured[f.key])]
    return 1 if missed and args.strict else 0


if __name__ == "__main__":
    sys.exit(main())
