"""Negative cases of domain-v1/negative: one file each, with its expected class."""
import json
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from coffer_inspect import cbor, domain, jwe, sharing
from coffer_inspect.errors import AUTH, DENIED, need
from coffer_inspect.kdf import kdf512, sha256

from . import domains
from .fixed import fixed, lines, sign_p256, write
from .material import FOREIGN, NOW, OTHER, keyring_plain

SD = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "..", "tests",
                  "vectors", "sd")


def _words(share):
    return [int.from_bytes(share[i:i + 2], "little") for i in range(0, 64, 2)]


def _bytes(words):
    return b"".join(w.to_bytes(2, "little") for w in words)


def _poly(dealer):
    """A share of holder 2 from another polynomial with the same secret and x."""
    x, values = sharing.words_of(dealer.shares[2])
    return sharing.share_of(x, [(v + 1) % 257 for v in values])


def share_cases(dealer, older):
    """(name, expect, why, [shares in the order of entry])."""
    one, two = dealer.shares[1], dealer.shares[2]
    w = _words(one)
    changed = _bytes(w[:7] + [w[7] ^ 1] + w[8:])
    other_x = _bytes(w[:31] + [(2 << 9) | (w[31] & 511)])
    return [
        ("share-word-changed", "auth", "one value of share 1 is another", [changed]),
        ("share-value-257", "corrupt", "a value of 257", [_bytes([(1 << 9) | 257] + w[1:])]),
        ("share-value-511", "corrupt", "a value of 511", [_bytes(w[:31] + [(1 << 9) | 511])]),
        ("share-x-0", "corrupt", "x = 0", [_bytes([v & 511 for v in w])]),
        ("share-x-127", "corrupt", "x = 127", [_bytes([(127 << 9) | v & 511 for v in w])]),
        ("share-x-mixed", "corrupt", "the last word has another x", [other_x]),
        ("share-x-twice", "corrupt", "share 1 is given twice", [one, one]),
        ("share-unknown-x", "auth", "x = 9, no such holder",
         [_bytes([(9 << 9) | v & 511 for v in w])]),
        ("share-short", "corrupt", "63 bytes", [one[:63]]),
        ("share-long", "corrupt", "65 bytes", [one + b"\0"]),
        ("share-wrong-polynomial", "auth", "share 2 of another polynomial", [one, _poly(dealer)]),
        ("share-older-sharing", "auth", "share 2 of the sharing before", [one, older.shares[2]]),
        ("share-too-few", "denied", "one of two", [two]),
    ]


def _combine_cases():
    """Shares given straight to combine, without checks."""
    flat = [(1, [256] * 32), (2, [256] * 32)]
    return [("combine-256", "auth", "every column combines to 256",
             [sharing.share_of(x, v) for x, v in flat])]


def _tamper_json(path, change):
    def hook(value):
        value = json.loads(json.dumps(value))
        where = value
        for step in path[:-1]:
            where = where[step]
        where[path[-1]] = change(where[path[-1]])
        return value
    return hook


def _flip_last(text):
    return text[:-5] + ("A" if text[-5] != "A" else "B") + text[-4:]


def document_cases(sd):
    """(name, expect, why, document text); all are 2 of 3, opened with officers 1 and 2."""
    certs = domains.officers(sd)

    def made(**hooks):
        steps = {k.replace("_", " "): v for k, v in hooks.items()}
        return domains.Dealer("2of3", 2, 3, certs, 2, steps).text

    def in_map(key, value):
        return lambda m: {**m, key: value(m[key]) if callable(value) else value}

    shared, enc = "SharedKeys", "EncData"
    good = made()
    cases = [
        ("document-version", "corrupt", "version 3", made(json=_tamper_json(["version"],
                                                                            lambda v: 3))),
        ("document-kdf", "corrupt", "another kdf",
         made(json=_tamper_json([enc, "kdf"], lambda v: "hkdf"))),
        ("document-algorithm", "corrupt", "another sharing",
         made(json=_tamper_json([shared, "key_algorithm"], lambda v: "xor"))),
        ("document-required", "corrupt", "required is not M",
         made(json=_tamper_json([shared, "required"], lambda v: 3))),
        ("document-item-exchanged", "auth", "item's JWE is not the map's",
         made(json=_tamper_json([enc, "data", 0, "compact_jwe"], _flip_last))),
        ("document-share-exchanged", "auth", "enc_key is not the map's",
         made(json=_tamper_json([shared, "enc_shares", 1, "enc_key"], _flip_last))),
        ("document-x5t", "corrupt", "x5t_256 of another certificate",
         made(json=_tamper_json([shared, "enc_shares", 1, "x5t_256"], _flip_last))),
        ("document-no-coffer", "corrupt", "coffer is missing",
         good.replace('"coffer":', '"other":', 1)),
        ("document-doubled", "corrupt", "a member twice", good[:-1] + ',"version":2}'),
        ("document-trailing", "corrupt", "bytes behind the JSON", good + "x"),
        ("document-base64", "corrupt", "padding in base64url",
         made(json=_tamper_json([shared, "coffer"], lambda v: v + "="))),
        ("map-version", "corrupt", "newer format", made(map=in_map(1, 2))),
        ("map-unknown-key", "corrupt", "key 11", made(map=lambda m: {**m, 11: 0})),
        ("map-quorum", "corrupt", "M = 1", made(map=in_map(4, 1))),
        ("map-holder-order", "corrupt", "holders not ascending",
         made(map=in_map(8, lambda h: [h[1], h[0], h[2]]))),
        ("map-holder-kind", "corrupt", "kind 3",
         made(map=in_map(8, lambda h: [h[0][:3] + [3] + h[0][4:]] + h[1:]))),
        ("map-not-shortest", "corrupt", "version in two bytes",
         made(map_bytes=lambda b: b[:1] + b"\1\x18\1" + b[3:])),
        ("map-check-exchanged", "auth", "check of officer 2 is another",
         made(map=in_map(8, lambda h: [h[0], [2, h[0][1]] + h[1][2:], h[2]]))),
        ("map-master-check", "auth", "master check is another", made(map=in_map(7, bytes(32)))),
        ("map-fp", "auth", "fingerprint of another domain",
         made(map=in_map(10, lambda g: [g[0], [2, OTHER.fp(2)]]))),
        ("map-domain", "auth", "another domain id: no check fits", made(map=in_map(2, bytes(16)))),
        ("signature-foreign", "auth", "signed by somebody else",
         made(signature=lambda e: FOREIGN.entry(b"x"))),
        ("signature-flipped", "auth", "one bit",
         made(signature=lambda e: e[:-1] + bytes([e[-1] ^ 1]))),
        ("identity-not-endorsed", "auth", "endorsement of nobody",
         made(identity=lambda i: i[:2] + [bytes(32)])),
        ("keyring-version", "corrupt", "keyring of a newer format",
         made(keyring=lambda b: cbor.encode({**cbor.decode(b), 1: 2}))),
        ("keyring-order", "corrupt", "generations not ascending",
         made(keyring=lambda b: _reordered(cbor.decode(b)))),
        ("keyring-one-generation", "auth", "the map names two",
         made(keyring=lambda b: keyring_plain(1))),
    ]
    return cases


def _reordered(value):
    value[4] = value[4][::-1]
    return cbor.encode(value)


def _write_document(base, name, expect, why, text):
    write(f"{base}/negative/{name}.txt",
          lines(("expect", expect), ("kind", "document"), ("document", text), head=why))


def sheet_cases(dealer):
    """(name, expect, why, words)."""
    words = sharing.sheet_of(dealer.shares[4], dealer.sharing_id, 5, 10)

    def wrong(*places):
        return [sharing.word((sharing.number_of(w) + 77) % 1024) if i in places else w
                for i, w in enumerate(words)]

    symbols = [sharing.number_of(w) for w in words]
    high = symbols[:4] + [257] + symbols[5:36]
    newer = [2 << 7 | 4] + symbols[1:36]
    older = symbols[:2] + [symbols[2] ^ 1] + symbols[3:36]
    return [
        ("sheet-two-wrong", "ok", "two wrong words are placed: 6 and 40", wrong(5, 39)),
        ("sheet-six-illegible", "ok", "six illegible words are filled",
         ["?" if i in (0, 1, 9, 20, 35, 41) else w for i, w in enumerate(words)]),
        ("sheet-three-wrong", "auth", "three wrong words", wrong(4, 11, 30)),
        ("sheet-seven-illegible", "auth", "seven illegible words",
         ["?" if i < 7 else w for i, w in enumerate(words)]),
        ("sheet-short", "corrupt", "41 words", words[:41]),
        ("sheet-value-257", "corrupt", "a value of 257, parity right",
         [sharing.word(s) for s in high + sharing.parity(high)]),
        ("sheet-newer", "corrupt", "version 2, parity right",
         [sharing.word(s) for s in newer + sharing.parity(newer)]),
        ("sheet-other-sharing", "auth", "another sharing id, parity right",
         [sharing.word(s) for s in older + sharing.parity(older)]),
    ]


def drill_cases(dealer):
    """(name, expect, why, challenge, answer) of officer 1."""
    challenge, other = fixed("drill challenge", 32), fixed("drill other", 32)
    good = domains.drill(dealer, 1, challenge, NOW)
    d = sharing.scalar(dealer.shares[1], dealer.context)
    message = sharing.drill_message(sha256(dealer.map), 1, challenge, NOW)
    return [
        ("drill-other-challenge", "auth", "answers another challenge", other, good),
        ("drill-other-document", "auth", "another document id", challenge,
         good[:1] + bytes(32) + good[33:]),
        ("drill-time-changed", "auth", "another time under the same signature", challenge,
         good[:66] + (NOW + 1).to_bytes(8, "little") + good[74:]),
        ("drill-other-officer", "auth", "signed by officer 2's share", challenge,
         good[:74] + domains.drill(dealer, 2, challenge, NOW)[74:]),
        ("drill-high-s", "auth", "s in the upper half", challenge,
         good[:74] + sign_p256(d, message, True)),
        ("drill-version", "corrupt", "version 2", challenge, b"\2" + good[1:]),
        ("drill-short", "corrupt", "137 bytes", challenge, good[:-1]),
    ]


def restore_cases(dealer, sd):
    """(name, expect, why, text) for the exchange key sde."""
    good = json.loads(domains.restore_blob(dealer, sd))

    def changed(path, change):
        return json.dumps(_tamper_json(path, change)(good))
    return [
        ("restore-other-exchange-key", "denied", "x5t_256 of another exchange key",
         changed(["WrappedKey", "x5t_256"], _flip_last)),
        ("restore-key-tag", "auth", "tag of WrappedKey",
         changed(["WrappedKey", "enc_key"], _flip_last)),
        ("restore-item-tag", "auth", "tag of the item",
         changed(["EncData", "data", 0, "compact_jwe"], _flip_last)),
        ("restore-key-short", "auth", "master key of 31 bytes",
         domains.restore_blob(dealer, sd, lambda m: m[:31])),
    ]


def make(base, sd, dealers):
    two, ten = dealers["2of3"], dealers["5of10"]
    for name, expect, why, shares in share_cases(two, dealers["2of3-g1"]):
        write(f"{base}/negative/{name}.txt",
              lines(("expect", expect), ("kind", "share"), ("document", "2of3.json"),
                    *((f"share.{i + 1}", s) for i, s in enumerate(shares)), head=why))
    for name, expect, why, shares in _combine_cases():
        write(f"{base}/negative/{name}.txt",
              lines(("expect", expect), ("kind", "combine"),
                    *((f"share.{i + 1}", s) for i, s in enumerate(shares)), head=why))
    for case in document_cases(sd):
        _write_document(base, *case)
    for name, expect, why, words in sheet_cases(ten):
        write(f"{base}/negative/{name}.txt",
              lines(("expect", expect), ("kind", "sheet"), ("document", "5of10.json"),
                    ("words", " ".join(words)), head=why))
    for name, expect, why, challenge, answer in drill_cases(two):
        write(f"{base}/negative/{name}.txt",
              lines(("expect", expect), ("kind", "drill"), ("document", "2of3.json"),
                    ("challenge", challenge), ("answer", answer), head=why))
    for name, expect, why, text in restore_cases(two, sd):
        write(f"{base}/negative/{name}.txt",
              lines(("expect", expect), ("kind", "restore-blob"), ("blob", text), head=why))


def judge(base, case, read_document):
    """Class that the reader gives to one negative file (a dict of its lines)."""
    kind = case["kind"]
    shares = [bytes.fromhex(v) for k, v in sorted(case.items()) if k.startswith("share.")]
    if kind == "combine":
        return domains.class_of(lambda: sharing.combine([sharing.words_of(s) for s in shares]))
    if kind == "document":
        officers = [domain.Officer(f"{base}/officers/officer{i}.key") for i in (1, 2)]
        return domains.class_of(
            lambda: domain.Document(case["document"].encode()).open(officers))
    if kind == "restore-blob":
        return domains.class_of(lambda: open_restore_blob(case["blob"]))
    document = read_document(case["document"])
    if kind == "share":
        return domains.class_of(lambda: document.open([_Given(s) for s in shares]))
    if kind == "sheet":
        return domains.class_of(lambda: document.accept(sharing.read_sheet(
            case["words"], document.sharing_id, document.quorum, document.count)[0], {}))
    return domains.class_of(lambda: sharing.verify_drill(
        document.holders[0][1], document.document_id, bytes.fromhex(case["answer"]),
        bytes.fromhex(case["challenge"])))


class _Given:
    """A share that lies open, in place of an officer's file."""

    def __init__(self, share):
        self.path, self._share = "share", share

    def share(self, _document):
        return self._share, ""


def open_restore_blob(text):
    """domain/FORMAT.md 3.8 with the exchange key of tests/vectors/sd."""
    blob = jwe.json_strict(text, "restore blob")
    with open(f"{SD}/sde.cer", "rb") as f:
        cert = x509.load_pem_x509_certificate(f.read())
    wrapped = blob["WrappedKey"]
    need(wrapped["x5t_256"] == jwe.b64u(cert.fingerprint(hashes.SHA256())), DENIED,
         "for another exchange key")
    key = domains.load_jwk(f"{SD}/sde.jwk")
    master = jwe.open_rsa(wrapped["enc_key"], key, "master key")
    need(len(master) == 32, AUTH, "master key is not 32 bytes")
    items = {i["tag"]: jwe.open_dir(i["compact_jwe"], kdf512(master, i["tag"]), i["tag"],
                                    f"item {i['tag']}") for i in blob["EncData"]["data"]}
    return domain.Keyring(items["hsm_backup"])
