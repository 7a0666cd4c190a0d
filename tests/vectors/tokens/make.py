#!/usr/bin/python3
"""Bearer tokens made by PyJWT, an implementation that shares nothing with ours: tokens.txt and jwks.json.

Lines "name = expect token"; judged at 1700000000 with issuer ISSUER, tenant TENANT and audience AUD.
Keys are drawn anew at each run, so the files change; they are made once and kept.
"""
import base64
import hashlib
import hmac
import json

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

NOW = 1700000000
TENANT = "11111111-2222-3333-4444-555555555555"
ISSUER = f"https://sts.example/{TENANT}/"
AUD = "https://coffer.test:8443"
BASE = {"aud": AUD, "iss": ISSUER, "iat": NOW, "nbf": NOW, "exp": NOW + 3600, "oid": "aaaaaaaa-0000-4000-8000-000000000001",
        "tid": TENANT, "appid": "12345678-0000-4000-8000-000000000000", "groups": ["cccccccc-0000-4000-8000-000000000003"]}


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwk(algorithm, key, kid):
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


def main():
    rsa_key, ec_key = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
    stranger = rsa.generate_private_key(65537, 2048)
    keys = [jwk(jwt.algorithms.RSAAlgorithm, rsa_key, "r1"), jwk(jwt.algorithms.ECAlgorithm, ec_key, "e1"),
            {"kty": "oct", "kid": "h1", "k": "AAAA"}, {**jwk(jwt.algorithms.RSAAlgorithm, stranger, "enc"), "use": "enc"}]

    def rs(claims, key=rsa_key, alg="RS256", kid="r1", **more):
        return jwt.encode({**BASE, **claims}, key, alg, headers={"kid": kid, **more})

    public = rsa_key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head = b64(b'{"alg":"HS256","typ":"JWT","kid":"r1"}') + "." + b64(json.dumps(BASE).encode())
    confused = head + "." + b64(hmac.new(public, head.encode(), hashlib.sha256).digest())
    rows = {
        "rs256": ("ok", rs({})), "es256": ("ok", rs({}, ec_key, "ES256", "e1")),
        "audience-with-slash": ("ok", rs({"aud": AUD + "/"})), "audience-list": ("ok", rs({"aud": ["x", AUD]})),
        "expired-within-skew": ("ok", rs({"exp": NOW - 299})),
        "expired": ("refuse", rs({"exp": NOW - 300})), "not-yet": ("refuse", rs({"nbf": NOW + 301})),
        "other-audience": ("refuse", rs({"aud": "https://vault.azure.net"})),
        "other-issuer": ("refuse", rs({"iss": "https://evil.example/"})),
        "other-tenant": ("refuse", rs({"tid": "11111111-2222-3333-4444-555555555556"})),
        "no-oid": ("refuse", rs({"oid": None})), "oid-no-guid": ("refuse", rs({"oid": "admin"})),
        "stranger": ("refuse", rs({}, stranger)), "key-for-encryption": ("refuse", rs({}, stranger, kid="enc")),
        "unknown-kid": ("refuse", rs({}, kid="r2")), "no-kid": ("refuse", jwt.encode(BASE, rsa_key, "RS256")),
        "ps256": ("refuse", rs({}, alg="PS256")), "rs512": ("refuse", rs({}, alg="RS512")),
        "hs256-public-key-as-secret": ("refuse", confused),
        "none": ("refuse", jwt.encode(BASE, None, "none", headers={"kid": "r1"})),
        "crit": ("refuse", rs({}, crit=["exp"])),
        "inline-jwk": ("refuse", rs({}, stranger, kid="r1", jwk=jwk(jwt.algorithms.RSAAlgorithm, stranger, "r1"))),
    }
    with open("jwks.json", "w", encoding="ascii") as out:
        json.dump({"keys": keys}, out, indent=1)
    with open("tokens.txt", "w", encoding="ascii") as out:
        for name, (expect, token) in rows.items():
            out.write(f"{name} = {expect} {token}\n")


main()
