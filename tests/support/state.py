#!/usr/bin/env python3
"""Everything a client can see of an appliance, written down and compared field by field.

    state.py capture --dir DIR [--raw FILE]... OUT.json      DIR: of a bench appliance
    state.py compare A.json B.json                           0: equal; 1: the differences, a line each
"""
import argparse
import hashlib
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rest import Rest  # noqa: E402

AUTHORIZATION = "/providers/Microsoft.Authorization"


def _last(url):
    return url.rsplit("/", 1)[-1]


def _by_name(items):
    return {item["name"]: item for item in items}


def _key(rest, name):
    versions = sorted(_last(item["kid"]) for item in rest.pages(f"/keys/{name}/versions"))
    return {
        "current": _last(rest.get(f"/keys/{name}")["key"]["kid"]),
        "versions": {version: rest.get(f"/keys/{name}/{version}") for version in versions},
    }


def _digest(path):
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for piece in iter(lambda: handle.read(1 << 20), b""):
            digest.update(piece)
    return {"size": os.path.getsize(path), "sha256": digest.hexdigest()}


def capture(rest, admin, raw=()):
    """Keys with versions, attributes and tags; deleted keys; roles, assignments, settings; raw partitions.
    `rest` may read keys and roles, `admin` settings."""
    names = sorted(_last(item["kid"]) for item in rest.pages("/keys"))
    deleted = sorted(_last(item["recoveryId"]) for item in rest.pages("/deletedkeys"))
    scopes = ["", "/keys"] + [f"/keys/{name}" for name in names]
    return {
        "keys": {name: _key(rest, name) for name in names},
        "deleted": {name: rest.get(f"/deletedkeys/{name}") for name in deleted},
        "roles": _by_name(rest.pages(f"{AUTHORIZATION}/roleDefinitions")),
        "assignments": {scope or "/": _by_name(rest.pages(f"{scope}{AUTHORIZATION}/roleAssignments")) for scope in scopes},
        "settings": _by_name(admin.get("/settings")["settings"]),
        "raw": {os.path.basename(path): _digest(path) for path in raw},
    }


def compare(a, b, at=""):
    """Differences as texts "keys.sign.current: 'x' is now 'y'"; empty: equal."""
    if isinstance(a, dict) and isinstance(b, dict):
        found = []
        for name in sorted(set(a) | set(b)):
            place = f"{at}.{name}" if at else name
            if name not in b:
                found.append(f"{place}: gone")
            elif name not in a:
                found.append(f"{place}: new")
            else:
                found += compare(a[name], b[name], place)
        return found
    return [] if a == b else [f"{at}: {a!r} is now {b!r}"]


def count(state):
    """What a comparison went over, for a human."""
    versions = sum(len(key["versions"]) for key in state["keys"].values())
    assignments = sum(len(found) for found in state["assignments"].values())
    return (f"{len(state['keys'])} keys, {versions} versions, {len(state['deleted'])} deleted, "
            f"{len(state['roles'])} roles, {assignments} assignments, {len(state['raw'])} raw partitions")


def of_bench(folder, coffer, principal):
    """A client of the bench appliance in `folder`."""
    with open(os.path.join(folder, "bench.json"), encoding="utf-8") as handle:
        bench = json.load(handle)
    token = subprocess.run([coffer, "bench", "token", "--dir", folder, principal], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.strip()
    port = "" if bench["port"] == 443 else f":{bench['port']}"
    return Rest(f"https://{bench['name']}.coffer.test{port}", os.path.join(folder, "tls", "ca.pem"), token)


def main():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    take = verbs.add_parser("capture")
    take.add_argument("--dir", required=True)
    take.add_argument("--coffer", default=os.path.join(root, "build", "bin", "coffer"))
    take.add_argument("--raw", action="append", default=[])
    take.add_argument("out")
    weigh = verbs.add_parser("compare")
    weigh.add_argument("a")
    weigh.add_argument("b")
    args = parser.parse_args()
    if args.verb == "capture":
        state = capture(of_bench(args.dir, args.coffer, "auditor"), of_bench(args.dir, args.coffer, "admin"), args.raw)
        with open(args.out, "w", encoding="utf-8") as handle:
            json.dump(state, handle, indent=1, sort_keys=True)
        print(count(state))
        return 0
    states = []
    for path in (args.a, args.b):
        with open(path, encoding="utf-8") as handle:
            states.append(json.load(handle))
    differences = compare(*states)
    print("\n".join(differences) if differences else f"equal: {count(states[0])}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
