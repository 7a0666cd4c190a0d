"""Security-domain documents with fixed randomness, and the vectors of tests/vectors/domain-v1."""
import json
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from coffer_inspect import cbor, domain, sharing
from coffer_inspect.errors import Refused
from coffer_inspect.jwe import b64u
from coffer_inspect.kdf import kdf512, sha256

from .fixed import fixed, lines, load_jwk, oaep_encrypt, pem, seal_cbc, sign_p256, write
from .material import APPLIANCE, DOMAIN, IDENTITY, NOW, SINCE, Keyring, keyring_plain

SHARE_HEADER = '{"alg":"RSA-OAEP-256","enc":"A256CBC-HS512","kid":"not used"}'


class Dealer:
    """One sharing: M of N, the first len(officers) holders by certificate, the others on paper."""

    def __init__(self, name, quorum, count, officers, generations, hooks=None):
        self.name, self.quorum, self.count, self.hooks = name, quorum, count, hooks or {}
        self.keyring = Keyring(keyring_plain(generations))
        self.plain = keyring_plain(generations)
        self.master = fixed(f"master {name}", 32)
        self.sharing_id = fixed(f"sharing {name}", 16)
        self.context = sharing.context(DOMAIN, self.sharing_id, quorum, count)
        self.shares = self._deal()
        self._document(officers)

    def hook(self, step, value):
        return self.hooks[step](value) if step in self.hooks else value

    def _deal(self):
        """{x: 64 bytes}; coefficients by rejection from 9-bit values."""
        columns = []
        for j, secret in enumerate(self.master):
            raw = fixed(f"{self.name} column {j}", 512)
            draws = [int.from_bytes(raw[i:i + 2], "big") & 511 for i in range(0, 512, 2)]
            columns.append([secret] + [d for d in draws if d < 257][:self.quorum - 1])
        return {x: sharing.share_of(x, [sum(c * x ** i for i, c in enumerate(column)) % 257
                                        for column in columns])
                for x in range(1, self.count + 1)}

    def _share_jwe(self, x, certificate):
        cek = fixed(f"{self.name} cek {x}", 64)
        wrapped = oaep_encrypt(certificate.public_key(), cek, fixed(f"{self.name} seed {x}", 32))
        return seal_cbc(SHARE_HEADER, wrapped, cek, fixed(f"{self.name} iv {x}", 16),
                        self.shares[x])

    def _item(self, tag, plain):
        header = '{"alg":"dir","enc":"A256CBC-HS512","kid":"%s"}' % tag
        return seal_cbc(header, b"", kdf512(self.master, tag),
                        fixed(f"{self.name} item {tag}", 16), plain)

    def _document(self, officers):
        holders, entries = [], []
        for x in range(1, self.count + 1):
            check = sharing.check_of(self.shares[x], self.context)
            if x > len(officers):
                holders.append([x, check, b"", 2, f"paper {x}", b""])
                continue
            jwe = self._share_jwe(x, officers[x - 1])
            thumb = officers[x - 1].fingerprint(hashes.SHA256())
            holders.append([x, check, thumb, 1, f"officer {x}", sha256(jwe.encode())])
            entries.append({"enc_key": jwe, "x5t_256": b64u(thumb)})
        item = self._item("hsm_backup", self.hook("keyring", self.plain))
        ring = self.keyring
        value = {1: 1, 2: DOMAIN, 3: self.sharing_id, 4: self.quorum, 5: self.count, 6: NOW,
                 7: sharing.master_check(self.master, self.context), 8: holders,
                 9: [["hsm_backup", sha256(item.encode())]],
                 10: [[g, ring.fp(g)] for g in ring.generations]}
        self.map = self.hook("map bytes", cbor.encode(self.hook("map", value)))
        signed = b"coffer.v1.document\0" + self.map
        newest = ring.generations[max(ring.generations)]["mk"]
        identity = [IDENTITY.spki, SINCE,
                    domain.endorsement(newest, APPLIANCE, IDENTITY.spki, SINCE)]
        entry = self.hook("signature", IDENTITY.entry(signed))
        sig = cbor.encode({1: self.hook("identity", identity), 2: APPLIANCE, 3: b"\1" + entry})
        self.json = self.hook("json", {
            "EncData": {"data": [{"compact_jwe": item, "tag": "hsm_backup"}], "kdf": "sp108_kdf"},
            "SharedKeys": {"coffer": b64u(self.map), "coffer_sig": b64u(sig),
                           "enc_shares": entries, "key_algorithm": "shamir_share",
                           "required": self.quorum},
            "version": 2})
        self.text = json.dumps(self.json, separators=(",", ":"))


def officers(sd):
    out = []
    for i in range(3):
        with open(os.path.join(sd, f"cert_{i}.cer"), "rb") as f:
            out.append(x509.load_pem_x509_certificate(f.read()))
    return out


def drill(dealer, x, challenge, time):
    """The 138 bytes of an answer."""
    document_id = sha256(dealer.map)
    d = sharing.scalar(dealer.shares[x], dealer.context)
    body = (b"\1" + document_id + bytes([x]) + challenge + time.to_bytes(8, "little"))
    return body + sign_p256(d, sharing.drill_message(document_id, x, challenge, time))


def restore_blob(dealer, sd, tamper=lambda v: v):
    """What az makes of the document for the exchange key sde."""
    with open(os.path.join(sd, "sde.cer"), "rb") as f:
        cert = x509.load_pem_x509_certificate(f.read())
    master = fixed("restore master", 32)
    header = '{"alg":"dir","enc":"A256CBC-HS512","kid":"hsm_backup"}'
    item = seal_cbc(header, b"", kdf512(master, "hsm_backup"), fixed("restore iv", 16),
                    dealer.plain)
    cek = fixed("restore cek", 64)
    wrapped = oaep_encrypt(cert.public_key(), cek, fixed("restore seed", 32))
    key = seal_cbc(SHARE_HEADER, wrapped, cek, fixed("restore key iv", 16), tamper(master))
    return json.dumps({"EncData": {"data": [{"compact_jwe": item, "tag": "hsm_backup"}],
                                   "kdf": "sp108_kdf"},
                       "WrappedKey": {"enc_key": key,
                                      "x5t_256": b64u(cert.fingerprint(hashes.SHA256()))}})


def _values(dealer):
    """Every intermediate value of a sharing, as text."""
    out = [("domain_id", DOMAIN), ("sharing_id", dealer.sharing_id), ("quorum", dealer.quorum),
           ("holders", dealer.count), ("master", dealer.master),
           ("master_check", sharing.master_check(dealer.master, dealer.context)),
           ("map", dealer.map), ("document_id", sha256(dealer.map)),
           ("document_words", sharing.spoken(sha256(dealer.map))),
           ("cek.hsm_backup", kdf512(dealer.master, "hsm_backup")), ("keyring", dealer.plain)]
    for x, share in dealer.shares.items():
        d = sharing.scalar(share, dealer.context)
        out += [(f"share.{x}", share), (f"d.{x}", d.to_bytes(32, "big")),
                (f"check.{x}", sharing.check_of(share, dealer.context)),
                (f"sheet.{x}", " ".join(sharing.sheet_of(share, dealer.sharing_id, dealer.quorum,
                                                         dealer.count)))]
    for x in (1, dealer.count):
        challenge = fixed(f"{dealer.name} challenge {x}", 32)
        out += [(f"drill.{x}.challenge", challenge), (f"drill.{x}.time", NOW + 60),
                (f"drill.{x}.answer", drill(dealer, x, challenge, NOW + 60))]
    return lines(*out, head=f"sharing {dealer.name}: domain/FORMAT.md 3.2 to 3.7")


def make(root, sd):
    """Writes domain-v1; returns the dealers by name."""
    certs = officers(sd)
    dealers = {"2of3-g1": Dealer("2of3-g1", 2, 3, certs, 1),
               "2of3": Dealer("2of3", 2, 3, certs, 2),
               "5of10": Dealer("5of10", 5, 10, certs, 2)}
    base = os.path.join(root, "domain-v1")
    for i in range(3):
        write(f"{base}/officers/officer{i + 1}.key", pem(load_jwk(f"{sd}/cert_{i}.jwk")))
        with open(f"{sd}/cert_{i}.cer", "rb") as f:
            write(f"{base}/officers/officer{i + 1}.cer", f.read())
    for name, dealer in dealers.items():
        write(f"{base}/{name}.json", dealer.text)
        write(f"{base}/{name}.txt", _values(dealer))
    ten = dealers["5of10"]
    for x in range(4, 11):
        words = sharing.sheet_of(ten.shares[x], ten.sharing_id, 5, 10)
        rows = [" ".join(words[i:i + 7]) for i in range(0, 42, 7)]
        write(f"{base}/sheets/5of10-{x}.txt", "\n".join(rows) + "\n")
    write(f"{base}/restore-blob-2of3.json", restore_blob(dealers["2of3"], sd))
    from .domain_negative import make as negatives
    negatives(base, sd, dealers)
    return dealers


def class_of(call):
    """Class of the refusal of call(), or `ok`."""
    try:
        call()
    except Refused as refused:
        return refused.cls
    return "ok"
