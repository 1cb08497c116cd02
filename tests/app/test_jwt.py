"""Staff tokens of an OpenID provider: only what it signed, for us, and now."""

from __future__ import annotations

import datetime
from typing import Any

import httpx
import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api.context import Context
from app.identity.verify_jwt import JwtVerifier, read_roles
from app.settings import SettingError, Settings, load_settings
from domain.identity import Role

ISSUER, AUDIENCE = "https://id.example", "onhand"
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def jwk(key: Any, kid: str, algorithm: str) -> dict[str, Any]:
    kind: Any = jwt.algorithms.RSAAlgorithm if algorithm.startswith("RS") else jwt.algorithms.ECAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, "alg": algorithm, "use": "sig"}


KEYS = {"keys": [jwk(RSA_KEY, "r", "RS256"), jwk(EC_KEY, "e", "ES256")]}


def make_verifier(keys: Any = KEYS) -> JwtVerifier:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=keys if isinstance(keys, bytes) else orjson.dumps(keys))

    settings = Settings(
        database_url="postgresql://nowhere/x",
        redis_url="redis://nowhere",
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        jwt_jwks_url="https://id.example/keys",
    )
    return JwtVerifier(settings, httpx.AsyncClient(transport=httpx.MockTransport(answer)))


def claims(**changed: Any) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC)
    found = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "anna",
        "exp": now + datetime.timedelta(minutes=5),
        "roles": ["WAREHOUSE"],
    }
    return {name: value for name, value in (found | changed).items() if value is not None}


def sign(key: Any = RSA_KEY, kid: str = "r", algorithm: str = "RS256", **changed: Any) -> str:
    return jwt.encode(claims(**changed), key, algorithm, headers={"kid": kid})


async def test_what_the_provider_signed_for_us_is_a_principal() -> None:
    verifier = make_verifier()
    found = await verifier.verify(sign(name="Anna", roles=["WAREHOUSE", "VIEWER", "JANITOR"]))
    assert found is not None
    assert (found.id, found.name, found.roles) == ("jwt:anna", "Anna", frozenset({Role.WAREHOUSE, Role.VIEWER}))
    assert found.token_id is None
    assert found.expires_at is not None
    assert await verifier.verify(sign(EC_KEY, "e", "ES256")) is not None


async def test_somebody_without_a_role_may_do_nothing() -> None:
    found = await make_verifier().verify(sign(roles=None))
    assert found is not None
    assert found.roles == frozenset()
    assert not found.may(list(Role), None)


PAST = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)
FORGED = {
    "another key": sign(OTHER_KEY),
    "an unknown key": sign(kid="x"),
    "no key named": jwt.encode(claims(), RSA_KEY, "RS256"),
    "for others": sign(aud="payroll"),
    "for nobody": sign(aud=None),
    "of another issuer": sign(iss="https://evil.example"),
    "of no issuer": sign(iss=None),
    "expired": sign(exp=PAST),
    "without an end": sign(exp=None),
    "without a subject": sign(sub=None),
    "not yet valid": sign(nbf=datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)),
    "the key of another algorithm": sign(RSA_KEY, "e", "RS256"),
    "unsigned": jwt.encode(claims(), "", "none", headers={"kid": "r"}),
    "signed with the public key": jwt.encode(claims(), "x" * 64, "HS256", headers={"kid": "r"}),
    "rubbish": "a.b.c",
    "no token": "hello",
    "too late to be a date": sign(exp=10**18),
    "empty": "",
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
async def test_anything_else_is_nobody(token: str) -> None:
    assert await make_verifier().verify(token) is None


@pytest.mark.parametrize("keys", [b"", b"[]", b'{"keys": 1}', {"keys": []}, {"keys": [{"kty": "RSA"}]}])
async def test_keys_that_cannot_be_read_let_nobody_in(keys: Any) -> None:
    assert await make_verifier(keys).verify(sign()) is None


@pytest.mark.parametrize(
    ("claim", "path", "roles"),
    [
        ({"roles": ["ADMIN"]}, "roles", ["ADMIN"]),
        ({"roles": "ADMIN VIEWER"}, "roles", ["ADMIN", "VIEWER"]),
        ({"roles": "admin"}, "roles", []),
        ({"roles": 7}, "roles", []),
        ({"roles": [["ADMIN"], None, {}]}, "roles", []),
        ({"realm_access": {"roles": ["VIEWER"]}}, "realm_access.roles", ["VIEWER"]),
        ({"https://onhand.example/roles": ["VIEWER"]}, "https://onhand.example/roles", ["VIEWER"]),
        ({"realm_access": "VIEWER"}, "realm_access.roles", []),
        ({}, "roles", []),
    ],
)
def test_roles_by_claim(claim: dict[str, Any], path: str, roles: list[str]) -> None:
    assert read_roles(claim, path) == roles


def test_a_provider_without_issuer_or_audience_is_no_setting() -> None:
    urls = {"database_url": "postgresql://nowhere/x", "redis_url": "redis://nowhere"}
    for given in ({}, {"jwt_issuer": ISSUER}, {"jwt_audience": AUDIENCE}):
        with pytest.raises(SettingError, match="needs ONHAND_JWT_ISSUER and ONHAND_JWT_AUDIENCE"):
            load_settings(**urls, jwt_jwks_url="https://id.example/keys", **given)


async def test_what_a_person_changes_is_kept_under_their_subject() -> None:
    found = await make_verifier().verify(sign(name="Anna"))
    assert found is not None
    state: Any = None
    kept = Context(state, found, "request").provenance("key")
    assert (kept.actor, kept.token_id, kept.request_id) == ("Anna", "jwt:anna", "request")
