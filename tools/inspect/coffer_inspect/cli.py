"""Command line: verify, list, extract."""
import argparse
import json
import os
import sys
import time

from . import audit, domain, receipt, sharing, signature, walk
from .errors import EXIT, MISSING, Place, Refused, need
from .folder import Folder
from .manifest import MAX_MANIFEST, RAW, Manifest

TEACH = """\
Reads a Coffer backup without Coffer: from the format pages alone, with the security-domain
document and enough officers' private keys. Nothing is trusted before it is checked; nothing
is written but the file that `extract` is asked for.

  FOLDER   a local copy of one backup folder, as a directory blob store keeps it:
           FOLDER/manifest, FOLDER/s0.0, FOLDER/meta-...; its last path segment must be the
           name under which the backup was made.
  --sd     the security-domain document that was downloaded at activation or later.
  --officer  a PEM private key (its certificate is looked for beside it as NAME.cer; without
           one every share is tried), or a text file with the 42 words of a paper sheet
           (`?` for a word that cannot be read). Give as many as the quorum needs.

examples
  inspect verify --sd security-domain.json --officer o1.key o2.key mhsm-hsm1-20260101120000
  inspect list --json --sd security-domain.json --officer o1.key --officer o2.key FOLDER
  inspect list FOLDER                          what the folder claims, without any key
  inspect list --key payroll --sd SD --officer o1.key o2.key FOLDER       one key by the index
  inspect extract --stream audit --out audit.img --sd SD --officer o1.key o2.key FOLDER

  inspect receipt receipt.bin --folder FOLDER  is this copy still what was verified? no key needed
  inspect audit-head head.json --partition audit.img      was a record up to it changed? no key needed

exit codes
  0  everything asked for was checked and is right
  1  the command line is wrong, or the output cannot be written
  2  corrupt: bytes do not fit the format page (also: newer format)
  3  auth: a tag, digest, share check or signature does not verify; alarm
  4  limit: a documented maximum is passed
  5  denied: another domain, a missing generation, too few officers
  6  missing: a file or blob that should be there is not
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        sys.stderr.write(f"inspect: {message}\ninspect --help tells more\n")
        sys.exit(1)


def parse(argv):
    top = _Parser(prog="inspect", description=TEACH,
                  formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in (("verify", "check everything: manifest, every block, record and key blob"),
                       ("list", "print keys, versions, roles; without --sd the unproven claim"),
                       ("extract", "write the bytes of one raw stream")):
        one = commands.add_parser(name, help=text, description=TEACH,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
        one.add_argument("--sd", metavar="FILE", help="security-domain document")
        one.add_argument("--officer", metavar="KEY", nargs="+", action="append", default=[],
                         help="officer's private key (PEM) or paper sheet")
        one.add_argument("--passphrase-file", metavar="FILE",
                         help="first line opens encrypted officer keys")
        one.add_argument("--signer", metavar="FILE", action="append", default=[],
                         help="public key or certificate (PEM) of an identity to accept")
        one.add_argument("--json", action="store_true", help="one JSON object on standard output")
        one.add_argument("folder", metavar="FOLDER", nargs="?")
        if name == "list":
            one.add_argument("--key", metavar="NAME", help="only this key, found by the index")
        if name == "extract":
            one.add_argument("--stream", metavar="NAME", required=True)
            one.add_argument("--out", metavar="FILE", required=True, help="must not exist")
    one = commands.add_parser("receipt", help="check the signed receipt of a verified backup", description=TEACH,
                              formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("receipt", metavar="FILE")
    one.add_argument("--folder", metavar="DIR", help="a copy of the backup: its manifest and SHA-256 tree are compared")
    one.add_argument("--signer", metavar="KEY", action="append", default=[],
                     help="who must have signed: key id (64 hex digits), or public key or certificate (PEM file)")
    one.add_argument("--json", action="store_true", help="one JSON object on standard output")
    one = commands.add_parser("audit-head", help="check the signed head of an audit log", description=TEACH,
                              formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("head", metavar="FILE", help="the answer of GET /coffer/audit/head, or the file in it")
    one.add_argument("--partition", metavar="IMAGE", help="an image of the audit partition, of then or later")
    one.add_argument("--signer", metavar="KEY", action="append", default=[],
                     help="who must have signed: key id (64 hex digits), or public key or certificate (PEM file)")
    one.add_argument("--json", action="store_true", help="one JSON object on standard output")
    args = top.parse_args(argv)
    if args.command in ("receipt", "audit-head"):
        return args
    officers = [path for group in args.officer for path in group]
    if args.folder is None and len(officers) > 1:  # `--officer K1 K2 FOLDER`
        args.folder = officers.pop()
    args.officer = officers
    if args.folder is None:
        top.error("FOLDER is missing")
    if args.command != "list" and not args.sd:
        top.error(f"{args.command} needs --sd and --officer")
    if args.sd and not officers:
        top.error("--sd needs --officer")
    return args


def _signer(path):
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import (Encoding, PublicFormat,
                                                              load_pem_public_key)
    raw = domain.read_file(path, "signer")
    try:
        key = (x509.load_pem_x509_certificate(raw).public_key()
               if b"BEGIN CERTIFICATE" in raw else load_pem_public_key(raw))
    except ValueError:
        raise Refused("corrupt", "signer does not load", path) from None
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def open_backup(args, note):
    """(Backup, Document) of the command line; `note` prints progress."""
    with Place(args.sd):
        document = domain.Document(domain.read_file(args.sd, "security-domain document"))
    password = None
    if args.passphrase_file:
        password = domain.read_file(args.passphrase_file, "passphrase").split(b"\n")[0]
    officers = [domain.Officer(path, password) for path in args.officer]
    keyring, used = document.open(officers)
    for line in used:
        note(line)
    signers = [_signer(path) for path in args.signer]
    return walk.Backup(Folder(args.folder), keyring, signers), document


def when(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def summary(backup, document):
    """What verify and list say about the manifest."""
    m, env = backup.manifest, backup.manifest.envelope
    spki, since, _ = m.sealed[10]
    return {
        "folder": m.public[1], "hsm": m.public[2], "created": when(m.public[3]),
        "completed": when(m.public[4]), "wire_bytes": m.public[5], "writer": m.public[6],
        "domain": env.domain_id.hex(), "generation": env.generation,
        "fingerprint": env.fp.hex(), "fingerprint_words": sharing.spoken(env.fp),
        "document": document.document_id.hex(), "backup_id": env.backup_id.hex(),
        "seq": m.sealed[1], "previous": m.sealed[2].hex(), "appliance": m.sealed[3].hex(),
        "audit_head": [m.sealed[4][0], m.sealed[4][1].hex()],
        "source": {"epoch": m.sealed[5][0].hex(), "change_counter": m.sealed[5][1],
                   "snapshot": when(m.sealed[5][2])},
        "layout": m.sealed[8], "identity": backup.manifest.identity_is,
        "identity_since": when(since), "identity_key": signature.sha256(spki).hex(),
        "signatures": [{"key": k, "state": s} for k, s in m.judged],
        "left_out": m.sealed[11][4], "coverage": receipt.coverage(m.sealed),
        "streams": [{"number": s[1], "name": s[2], "kind": ("keys", "policy", "raw")[s[3] - 1],
                     "plain_bytes": s[4], "blocks": s[5], "wire_bytes": s[6]}
                    for s, _, _ in backup.streams],
    }


def do_verify(args, out):
    backup, document = open_backup(args, out.note)
    result = summary(backup, document)
    content = walk.read_content(backup)
    for stream, slots, _ in backup.streams:
        if stream[3] == RAW:
            walk.read_raw(backup, stream, slots)
    result["counts"] = {"keys": len(content["keys"]),
                        "versions": sum(len(k["versions"]) for k in content["keys"]),
                        "deleted": sum(k["deleted"] is not None for k in content["keys"]),
                        "assignments": len(content["assignment"]),
                        "roles": len(content["role"]), "settings": len(content["setting"])}
    result["manifest_copy"] = walk.copy_state(backup)
    result["unlisted"] = backup.folder.unlisted()
    result["verified"] = True
    out.result(result, _verify_text)


def _verify_text(r):
    yield f"verified  {r['folder']}  of HSM {r['hsm']}, backup {r['seq']} of its appliance"
    yield f"made      {r['created']} .. {r['completed']} by {r['writer']}"
    yield f"domain    {r['domain']} generation {r['generation']}"
    yield f"          {r['fingerprint_words']}"
    yield f"identity  {r['identity_key'][:16]} {r['identity']}"
    for s in r["signatures"]:
        yield f"signature {s['key'][:16]} {s['state']}"
    for s in r["streams"]:
        yield (f"stream    {s['name']}: {s['plain_bytes']} bytes in {s['blocks']} blocks, "
               f"{s['wire_bytes']} on the wire")
    yield "counts    " + ", ".join(f"{v} {k}" for k, v in r["counts"].items())
    if r["left_out"]:
        yield "INCOMPLETE, left out: " + ", ".join(r["left_out"])
    for line in r["coverage"]:
        yield f"{line['state']:9} {line['what']}{': ' + line['why'] if line['why'] else ''}"
    if r["manifest_copy"] != "same":
        yield f"note      manifest.copy {r['manifest_copy']}"
    for blob in r["unlisted"]:
        yield f"note      not part of the backup: {blob}"


def do_list(args, out):
    if not args.sd:
        with Place("manifest"):
            folder = Folder(args.folder)
            manifest = Manifest(folder.read("manifest", MAX_MANIFEST))
            claim, env = manifest.claim(), manifest.envelope
        out.result({"proven": False, "folder": claim[1], "hsm": claim[2],
                    "created": when(claim[3]), "completed": when(claim[4]),
                    "wire_bytes": claim[5], "writer": claim[6], "domain": env.domain_id.hex(),
                    "generation": env.generation, "fingerprint": env.fp.hex()}, _claim_text)
        return
    backup, document = open_backup(args, out.note)
    result = summary(backup, document)
    if args.key:
        record = walk.find(backup, args.key.lower())
        need(record is not None, MISSING, f"key {args.key!r} is not in this backup (proven)")
        from .records import key_record
        with Place(f"record {args.key!r}"):
            result.update(keys=[key_record(record, backup.keyring, True)], partial=True)
        out.result(result, _keys_text)
        return
    result.update(walk.read_content(backup, unwrap=False))
    result["proven"] = True
    out.result(result, _list_text)


def _claim_text(r):
    yield "unproven claim of the folder (give --sd and --officer to check it)"
    for name, value in r.items():
        if name != "proven":
            yield f"  {name:12} {value}"


def _keys_text(r):
    for key in r["keys"]:
        state = f"  deleted {when(key['deleted'])}, purge {when(key['purge'])}" \
            if key["deleted"] is not None else ""
        yield f"key       {key['name']}{state}"
        for v in key["versions"]:
            off = "" if v["enabled"] else " disabled"
            tags = "".join(f" {n}={t}" for n, t in v["tags"].items())
            yield (f"  {v['version']} {v['kty']} {v['size']} {when(v['created'])}{off} "
                   f"{','.join(v['key_ops'])}{tags}")


def _list_text(r):
    yield from _keys_text(r)
    for a in r["assignment"]:
        yield f"assignment {a['id']} {a['scope']} principal {a['principal']} role {a['role']}"
    for d in r["role"]:
        yield f"role      {d['id']} {d['name']}"
    for s in r["setting"]:
        yield f"setting   {s['name']} = {s['value']}"
    for s in r["streams"]:
        if s["kind"] == "raw":
            yield f"partition {s['name']}: {s['plain_bytes']} bytes"


def _key_id(given):
    if len(given) == 64 and all(c in "0123456789abcdefABCDEF" for c in given):
        return bytes.fromhex(given)
    return signature.sha256(_signer(given))


def do_receipt(args, out):
    with Place(args.receipt):
        r = receipt.Receipt(domain.read_file(args.receipt, "receipt"))
    manifest, compared = r.check_folder(Folder(args.folder)) if args.folder else (None, 0)
    body = r.body
    total, read = sum(s[1] for s in body[8]), sum(s[3] for s in body[8])
    out.result({
        "signer": r.signer.hex(), "signer_is": r.judge([_key_id(k) for k in args.signer], manifest),
        "scope": receipt.SCOPES[body[1]], "percent": body[12], "blocks": total, "blocks_read": read,
        "bytes_read": body[11], "verified": when(body[2][1]), "job": body[3], "verifier": body[4].hex(),
        "folder": body[5][0], "hsm": body[5][1], "created": when(body[5][2]), "completed": when(body[5][3]),
        "seq": body[5][4], "writer": body[5][5].hex(), "backup_id": body[6][0].hex(),
        "domain": body[6][1].hex(), "generation": body[6][2], "fingerprint": body[6][3].hex(),
        "fingerprint_words": sharing.spoken(body[6][3]),
        "manifest_sha256": body[7][1].hex(), "manifest_mac": body[7][2].hex(),
        "counts": dict(zip(("keys", "versions", "deleted", "assignments"), body[9])),
        "opened": {"keys": body[10][0], "versions": body[10][1]},
        "coverage": [{"what": w, "state": receipt.STATES[s], "why": y} for w, s, y in body[13]],
        "folder_checked": bool(args.folder), "blocks_compared": compared}, _receipt_text)


def do_audit_head(args, out):
    with Place(args.head):
        head = audit.Head(audit.from_answer(domain.read_file(args.head, "head")))
        signer_is = head.judge([_key_id(k) for k in args.signer])
    first = newest = None
    if args.partition:
        with Place(args.partition), open(args.partition, "rb") as image:
            first, newest = head.check_image(image.read())
    body = head.body
    out.result({
        "signer": head.signer.hex(), "signer_is": signer_is, "record": head.sequence, "hash": head.hash.hex(),
        "made": when(body[2]), "appliance": body[3].hex(), "hsm": body[4], "domain": body[5][0].hex(),
        "generation": body[5][1], "partition_checked": bool(args.partition), "first_kept": first,
        "newest": newest}, _audit_head_text)


def _audit_head_text(h):
    yield f"head      record {h['record']} of HSM {h['hsm']}, signed {h['made']}"
    yield f"signer    {h['signer']}"
    yield f"          {h['signer_is']}"
    if not h["partition_checked"]:
        yield "partition not compared (--partition IMAGE)"
        return
    yield f"partition records {h['first_kept']} to {h['record']} are those that were there"
    if h["newest"] > h["record"]:
        yield f"          the head says nothing of {h['record'] + 1} to {h['newest']}"


def _receipt_text(r):
    yield f"receipt   {r['scope']}  of {r['folder']}, backup {r['seq']} of HSM {r['hsm']}, verified {r['verified']}"
    yield f"signer    {r['signer']}"
    yield f"          {r['signer_is']}"
    yield f"domain    {r['domain']} generation {r['generation']}"
    yield f"          {r['fingerprint_words']}"
    share = f", a sample of {r['percent']} %" if r["scope"] == "sample" else ""
    yield f"read      {r['blocks_read']} of {r['blocks']} blocks, {r['bytes_read']} bytes{share}"
    yield (f"opened    {r['opened']['keys']} of {r['counts']['keys']} keys, {r['opened']['versions']} of "
           f"{r['counts']['versions']} versions")
    for line in r["coverage"]:
        yield f"{line['state']:9} {line['what']}{': ' + line['why'] if line['why'] else ''}"
    if not r["folder_checked"]:
        yield "folder    not compared (--folder DIR)"
    elif r["blocks_compared"] == r["blocks"]:
        yield "folder    is byte for byte the backup that was verified"
    else:
        yield (f"folder    manifest and {r['blocks_compared']} of {r['blocks']} blocks are those that were verified; "
               "the receipt says nothing of the others")


def do_extract(args, out):
    backup, document = open_backup(args, out.note)
    stream, slots, _ = backup.stream(args.stream)
    if stream[3] != RAW:
        raise Refused(MISSING, f"stream {args.stream!r} holds records; see `inspect list`")
    if os.path.exists(args.out):
        raise FileExistsError(f"{args.out} exists")
    part = args.out + ".part"
    with open(part, "xb") as f:
        try:
            total = walk.read_raw(backup, stream, slots, f.write)
        except BaseException:
            os.unlink(part)
            raise
    os.rename(part, args.out)
    result = summary(backup, document)
    result.update(stream=args.stream, bytes=total, out=args.out)
    out.result(result, lambda r: [f"extracted {r['bytes']} bytes of {r['stream']} to {r['out']}"])


class Output:
    """Text lines, or one JSON object at the end."""

    def __init__(self, as_json):
        self.as_json = as_json

    def note(self, line):
        if not self.as_json:
            print(line)

    def result(self, value, text):
        if self.as_json:
            print(json.dumps(value, indent=1))
        else:
            for line in text(value):
                print(line)

    def refused(self, error):
        if self.as_json:
            print(json.dumps({"verified": False, "class": error.cls, "place": error.place,
                              "error": error.text}, indent=1))
        sys.stderr.write(f"inspect: {error.cls}: {error}\n")
        return EXIT[error.cls]


def main(argv):
    args = parse(argv)
    out = Output(args.json)
    try:
        {"verify": do_verify, "list": do_list, "extract": do_extract,
         "receipt": do_receipt, "audit-head": do_audit_head}[args.command](args, out)
    except Refused as error:
        return out.refused(error)
    except OSError as error:
        sys.stderr.write(f"inspect: {error}\n")
        return 1
    return 0
