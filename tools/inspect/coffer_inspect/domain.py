"""The security-domain document and the keyring in it: domain/FORMAT.md."""
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from . import cbor, jwe, sharing, signature
from .errors import AUTH, CORRUPT, DENIED, LIMIT, MISSING, Place, Refused, need
from .kdf import equal, fingerprint, hmac256, kdf512, sha256

MAX_DOCUMENT = 1 << 20
KIND_CERTIFICATE, KIND_PAPER = 1, 2


def read_file(path, what):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError as error:
        raise Refused(MISSING, f"{what}: {error.strerror}", path) from None


def endorsement(mk, appliance_id, spki, since):
    """backup/FORMAT.md 3.5."""
    return hmac256(mk, b"coffer.v1.member\0" + appliance_id + sha256(spki)
                   + since.to_bytes(8, "little"))


class Keyring:
    """Domain id and the keys of each generation: {g: {bk, kek, mk, made}}."""

    def __init__(self, plain):
        value = cbor.fields(cbor.decode(plain), "keyring", {1: int, 2: 16, 3: str, 4: list})
        need(value[1] == 1, CORRUPT, "keyring: newer format")
        need(1 <= len(value[4]) <= 64, CORRUPT, "keyring: number of generations")
        self.domain_id, self.name = value[2], value[3]
        self.generations, last = {}, 0
        for entry in value[4]:
            g, bk, kek, mk, made = cbor.row(entry, "generation", int, 32, 32, 32, int)
            need(last < g < 1 << 32, CORRUPT, "keyring: generations not ascending")
            self.generations[g] = {"bk": bk, "kek": kek, "mk": mk, "made": made}
            last = g

    def fp(self, g):
        return fingerprint(self.generations[g]["bk"], self.domain_id, g)

    def keys(self, g, place=""):
        need(g in self.generations, DENIED, f"needs generation {g} of the domain", place)
        return self.generations[g]


class Document:
    """A parsed document; open() gives the keyring."""

    def __init__(self, text):
        need(len(text) <= MAX_DOCUMENT, LIMIT, "document over 1 MiB")
        top = jwe.json_strict(text.decode("utf-8", "replace"), "document")
        self._members(top)
        self.map_bytes = jwe.unb64u(self.shared["coffer"], "coffer")
        self._map(cbor.decode(self.map_bytes))
        self.document_id = sha256(self.map_bytes)
        self._match()
        self._signature()

    def _members(self, top):
        def member(where, name, kind):
            need(isinstance(where, dict) and isinstance(where.get(name), kind)
                 and not isinstance(where.get(name), bool), CORRUPT, f"document: member {name}")
            return where[name]
        need(member(top, "version", int) == 2, CORRUPT, "document: version is not 2")
        enc = member(top, "EncData", dict)
        need(member(enc, "kdf", str) == "sp108_kdf", CORRUPT, "document: kdf is not sp108_kdf")
        self.items = [(member(i, "tag", str), member(i, "compact_jwe", str))
                      for i in member(enc, "data", list)]
        self.shared = member(top, "SharedKeys", dict)
        need(member(self.shared, "key_algorithm", str) == "shamir_share", CORRUPT,
             "document: key_algorithm is not shamir_share")
        self.required = member(self.shared, "required", int)
        self.shares = [(member(s, "x5t_256", str), member(s, "enc_key", str))
                       for s in member(self.shared, "enc_shares", list)]
        member(self.shared, "coffer", str)
        member(self.shared, "coffer_sig", str)
        tags = [t for t, _ in self.items]
        good = all(1 <= len(t) <= 64 and t.isascii() and t.isprintable()
                   and not t.startswith("coffer.") for t in tags)
        need(good and len(set(tags)) == len(tags) <= 16 and "hsm_backup" in tags, CORRUPT,
             "document: tags of the items")

    def _map(self, value):
        need(isinstance(value, dict) and value.get(1) == 1, CORRUPT, "coffer map: newer format")
        cbor.fields(value, "coffer map", {1: int, 2: 16, 3: 16, 4: int, 5: int, 6: int, 7: 32,
                                          8: list, 9: list, 10: list})
        self.domain_id, self.sharing_id = value[2], value[3]
        self.quorum, self.count, self.made, self.master_check = (value[k] for k in (4, 5, 6, 7))
        self.holders = [cbor.row(h, "holder", int, 33, bytes, int, str, bytes) for h in value[8]]
        self.item_digests = [cbor.row(i, "item", str, 32) for i in value[9]]
        self.fps = [cbor.row(g, "generation", int, 32) for g in value[10]]
        need(2 <= self.quorum <= self.count and 3 <= self.count <= 10
             and self.quorum == self.required and self.count == len(self.holders), CORRUPT,
             "coffer map: M and N")
        xs = [h[0] for h in self.holders]
        need(xs == sorted(set(xs)) and 1 <= xs[0] and xs[-1] <= 126, CORRUPT,
             "coffer map: holders' x")
        gs = [g for g, _ in self.fps]
        need(gs and gs == sorted(set(gs)) and gs[0] >= 1, CORRUPT, "coffer map: generations")
        self.context = sharing.context(self.domain_id, self.sharing_id, self.quorum, self.count)

    def _match(self):
        """Map and JSON speak of the same shares and items."""
        certificates = []
        for x, _, x5t, kind, name, digest in self.holders:
            need(kind in (KIND_CERTIFICATE, KIND_PAPER), CORRUPT, f"holder {x}: kind {kind}")
            need(len(name.encode()) <= 127, CORRUPT, f"holder {x}: name too long")
            want = (32, 32) if kind == KIND_CERTIFICATE else (0, 0)
            need((len(x5t), len(digest)) == want, CORRUPT, f"holder {x}: lengths")
            if kind == KIND_CERTIFICATE:
                certificates.append((x, x5t, digest))
        need(len(certificates) == len(self.shares), CORRUPT, "document: number of enc_shares")
        for (x, x5t, digest), (thumb, enc_key) in zip(certificates, self.shares):
            need(jwe.unb64u(thumb, "x5t_256") == x5t, CORRUPT, f"holder {x}: x5t_256 differs")
            need(sha256(enc_key.encode()) == digest, AUTH, f"holder {x}: enc_key was exchanged")
        need([t for t, _ in self.items] == [t for t, _ in self.item_digests], CORRUPT,
             "document: items are not those of the map")
        for (tag, text), (_, digest) in zip(self.items, self.item_digests):
            need(sha256(text.encode()) == digest, AUTH, f"item {tag} was exchanged")

    def _signature(self):
        raw = cbor.decode(jwe.unb64u(self.shared["coffer_sig"], "coffer_sig"))
        value = cbor.fields(raw, "coffer_sig", {1: list, 2: 16, 3: bytes})
        self.identity = cbor.row(value[1], "coffer_sig identity", bytes, int, 32)
        self.appliance_id = value[2]
        entries = signature.parse(value[3], "coffer_sig")
        mine = [e for e in entries if e["key_id"] == sha256(self.identity[0])]
        need(mine, AUTH, "coffer_sig: identity did not sign")
        signature.check(mine[0], self.identity[0], b"coffer.v1.document\0" + self.map_bytes,
                        "coffer_sig")

    # Opening -------------------------------------------------------------------------------

    def accept(self, share, seen):
        """One share against its public check; adds it to `seen` {x: values}."""
        x, values = sharing.words_of(share)
        need(x not in seen, CORRUPT, f"share of officer {x} given twice")
        holder = next((h for h in self.holders if h[0] == x), None)
        need(holder is not None and equal(holder[1], sharing.check_of(share, self.context)), AUTH,
             f"share of officer {x} is wrong")
        seen[x] = values
        return x

    def open(self, officers):
        """Keyring from officers = [Officer]; uses the first M that open."""
        seen, notes = {}, []
        for officer in officers:
            share, note = officer.share(self)
            with Place(officer.path):
                x = self.accept(share, seen)
            notes.append(f"officer {x}: {officer.path}{note}")
            if len(seen) == self.quorum:
                break
        need(len(seen) == self.quorum, DENIED,
             f"{len(seen)} of {self.quorum} officers: give more --officer files")
        master = sharing.combine(list(seen.items()))
        need(equal(sharing.master_check(master, self.context), self.master_check), AUTH,
             "shares do not combine")
        return self.keyring_from(master), notes

    def keyring_from(self, master):
        plain = {t: jwe.open_dir(text, kdf512(master, t), t, f"item {t}")
                 for t, text in self.items}
        keyring = Keyring(plain["hsm_backup"])
        need(keyring.domain_id == self.domain_id, AUTH, "keyring is of another domain")
        need([(g, keyring.fp(g)) for g in keyring.generations] == [tuple(f) for f in self.fps],
             AUTH, "fingerprints of the map are not those of the keyring")
        newest = keyring.generations[max(keyring.generations)]
        spki, since, mac = self.identity
        need(equal(endorsement(newest["mk"], self.appliance_id, spki, since), mac), AUTH,
             "coffer_sig: identity is not endorsed by the domain")
        return keyring


class Officer:
    """A share holder's file: PEM private key (certificate beside it), or a paper sheet's words."""

    def __init__(self, path, password=None):
        self.path = path
        self.raw = read_file(path, "officer key")
        self.key = None
        if b"-----BEGIN" in self.raw:
            try:
                self.key = serialization.load_pem_private_key(self.raw, password)
            except (ValueError, TypeError) as error:
                raise Refused(CORRUPT, f"officer key does not load: {error}", path) from None
            need(isinstance(self.key, rsa.RSAPrivateKey), CORRUPT, "officer key is not RSA", path)

    def _thumbprint(self):
        path = os.path.splitext(self.path)[0] + ".cer"
        if not os.path.exists(path):
            return None
        raw = read_file(path, "certificate")
        try:
            pem = b"-----BEGIN" in raw
            cert = x509.load_pem_x509_certificate(raw) if pem else x509.load_der_x509_certificate(raw)
        except ValueError:
            raise Refused(CORRUPT, "certificate does not load", path) from None
        return cert.fingerprint(hashes.SHA256())

    def share(self, document):
        """(64 bytes, note) of this officer's share in the document."""
        with Place(self.path):
            if self.key is None:
                share, fixed = sharing.read_sheet(self.raw.decode("ascii", "replace"),
                                                  document.sharing_id, document.quorum,
                                                  document.count)
                return share, f" (words corrected: {fixed})" if fixed else ""
            thumb = self._thumbprint()
            if thumb is not None:
                named = [e for t, e in document.shares if t == jwe.b64u(thumb)]
                need(named, DENIED, "this officer holds no share of this document")
                return jwe.open_rsa(named[0], self.key, "share"), ""
            return self._try_all(document), ""

    def _try_all(self, document):
        for _, text in document.shares:
            try:
                return jwe.open_rsa(text, self.key, "share")
            except Refused as refused:
                if refused.cls != AUTH:
                    raise
        raise Refused(DENIED, "no share of this document opens with this key")
