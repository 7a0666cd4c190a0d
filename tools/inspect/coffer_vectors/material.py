"""The domain, its generations and the user keys of all vectors."""
import functools
import os
from uuid import UUID

from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.asymmetric import ec

from coffer_inspect import cbor
from coffer_inspect.domain import Keyring
from coffer_inspect.kdf import hmac256
from coffer_inspect.keyblob import kcv

from .fixed import Signer, fixed, load_jwk, pkcs8, spki_of

NOW = 1767225600  # 2026-01-01T00:00:00Z
DOMAIN = fixed("domain id", 16)
APPLIANCE = fixed("appliance id", 16)
EPOCH = fixed("store epoch", 16)
IDENTITY = Signer("identity")
SECOND = Signer("second signer")
FOREIGN = Signer("foreign")
SINCE = NOW - 86400


def keyring_plain(count, domain=DOMAIN, name="vec"):
    """CBOR of a keyring with generations 1..count."""
    def gen(g):
        return [g] + [fixed(f"{k} {g} {domain.hex()}", 32) for k in ("bk", "kek", "mk")] + [
            NOW - 1000 + g]
    return cbor.encode({1: 1, 2: domain, 3: name, 4: [gen(g + 1) for g in range(count)]})


RING1, RING2 = Keyring(keyring_plain(1)), Keyring(keyring_plain(2))
OTHER = Keyring(keyring_plain(2, fixed("other domain", 16), "other"))


@functools.lru_cache(maxsize=None)
def user_keys(sd):
    """{name: (class, type, size, material, spki)}; `sd` = tests/vectors/sd."""
    rsa_key = load_jwk(os.path.join(sd, "sde.jwk"))
    curves = {"p256": (1, ec.SECP256R1()), "p384": (2, ec.SECP384R1()), "p521": (3, ec.SECP521R1()),
              "p256k": (4, ec.SECP256K1())}
    out = {"rsa2048": (3, 1, 2048, pkcs8(rsa_key), spki_of(rsa_key))}
    for name, (number, curve) in curves.items():
        key = ec.derive_private_key(int.from_bytes(fixed(f"user {name}", 30), "big"), curve)
        out[name] = (3, 2, number, pkcs8(key), spki_of(key))
    for name, size in (("aes128", 16), ("aes192", 24), ("aes256", 32), ("hmac512", 64),
                       ("hmac160", 20), ("hmac40", 5)):
        out[name] = (4, 3, 8 * size, fixed(f"user {name}", size), b"")
    return out


def keyblob(ring, generation, key, name, version, created, flags=0, pad=0, change=None):
    """A blob of keystore/FORMAT.md 3.1. `pad`: zeros the token put behind the material before
    wrapping. `change(fields)` alters the fields before they are laid out and MACed."""
    cls, kind, size, material, spki = key
    gen = ring.generations[generation]
    f = {"magic": b"CFRK", "version": 1, "wrap": 1, "class": cls, "type": kind, "size": size,
         "flags": flags, "material": len(material), "domain": ring.domain_id,
         "generation": generation, "reserved": bytes(4), "id": version, "created": created,
         "kcv": kcv(material) if cls == 4 else bytes(8), "name": name.encode(), "spki": spki,
         "wrapped": keywrap.aes_key_wrap_with_padding(gen["kek"], material + bytes(pad)),
         "mk": gen["mk"]}
    if change:
        change(f)
    le = lambda v, n: v.to_bytes(n, "little")  # noqa: E731
    body = (f["magic"] + bytes([f["version"], f["wrap"], f["class"], f["type"]])
            + le(f["size"], 2) + le(f["flags"], 2) + le(f["material"], 4) + f["domain"]
            + le(f["generation"], 4) + le(f.get("w", len(f["wrapped"])), 4)
            + le(f.get("s", len(f["spki"])), 2) + le(f.get("l", len(f["name"])), 2) + f["reserved"]
            + f["id"] + le(f["created"], 8) + f["kcv"] + f["name"] + f["spki"] + f["wrapped"])
    return body + hmac256(f["mk"], b"coffer.v1.keyblob\0" + body)


def version_row(version, created, ops, exportable=False, tags=(), **more):
    """A version row; more: nbf, exp, enabled, policy."""
    row = {1: version, 2: created, 3: created + 5, 4: more.get("enabled", True), 5: ops,
           8: exportable, 9: [list(t) for t in tags]}
    for key, name in ((6, "nbf"), (7, "exp"), (10, "policy")):
        if name in more:
            row[key] = more[name]
    return row


def key_row(name, created, deleted=None, rotation=None):
    row = {1: name, 2: created, 3: created + 5}
    if deleted is not None:
        row.update({4: deleted, 5: deleted + 90 * 86400})
    if rotation is not None:
        row[6] = rotation
    return row


class Content:
    """Keys and policy that the vectors back up and store."""

    def __init__(self, sd, ring=RING1):
        self.user, self.ring = user_keys(sd), ring

    def version(self, name, number, kind, ops, generation=1, **more):
        """[version row, blob] of one version."""
        version, created = fixed(f"version {name} {number}", 16), NOW - 5000 + 10 * number
        flags = 1 if more.get("exportable") else 0
        blob = keyblob(self.ring, generation, self.user[kind], name.lower(), version, created,
                       flags | more.pop("imported", 0), more.pop("pad", 0))
        return [version_row(version, created, ops, **more), blob]

    def record(self, name, versions, **more):
        return {1: name.lower(), 2: key_row(name, NOW - 5000, **more), 3: versions}

    def keys(self):
        """Four keys: two versions, one deleted, one long, spellings, tags, dates."""
        policy = ["application/json; charset=utf-8", fixed("release policy", 5000), False]
        rotation = b'{"lifetimeActions":[],"attributes":{"expiryTime":"P2Y"}}'
        return [
            self.record("Alpha", [self.version("Alpha", 1, "p256", 12, enabled=False),
                                  self.version("Alpha", 2, "p256", 12, tags=[("env", "prüf")])],
                        rotation=rotation),
            self.record("bravo", [self.version("bravo", 1, "rsa2048", 63, exportable=True,
                                               policy=policy, pad=6)]),
            self.record("charlie", [self.version("charlie", 1, "aes256", 51, nbf=NOW,
                                                 exp=NOW + 9, imported=2)], deleted=NOW - 100),
            self.record("delta-4", [self.version("delta-4", 1, "hmac512", 12,
                                                 tags=[("a", ""), ("b", "2")])]),
        ]

    @staticmethod
    def policy():
        """Two assignments, a role, a setting, sorted by key text."""
        ids = sorted(fixed(f"guid {i}", 16) for i in range(3))
        text = [str(UUID(bytes=i)) for i in ids]
        role = ids[2]
        return [
            {1: f"assignment/{text[0]}", 2: {1: ids[0], 2: "/", 3: role, 4: text[1], 5: NOW}},
            {1: f"assignment/keys/alpha/{text[1]}",
             2: {1: ids[1], 2: "/keys/alpha", 3: role, 4: "backup-user", 5: NOW}},
            {1: f"role/{text[2]}",
             2: {1: role, 2: "Signer", 3: "", 4: ["/"],
                 5: [[[], [], ["Microsoft.KeyVault/managedHsm/keys/sign/action"], []]],
                 6: NOW, 7: NOW}},
            {1: "setting/allowkeymanagementoperationsthrougharm",
             2: {1: "AllowKeyManagementOperationsThroughARM", 2: "false", 3: NOW}},
        ]
