"""eBay sends events only to an endpoint that proves itself ours: a hash of its challenge, our token and our address."""

from __future__ import annotations

import hashlib

import orjson

CHALLENGE_LENGTH_MAX = 256


def answer_challenge(challenge: str, verification_token: str, endpoint: str) -> str:
    """The JSON body for `GET ?challenge_code=…`. `endpoint` exactly as eBay was given it."""
    asked = challenge[:CHALLENGE_LENGTH_MAX]
    digest = hashlib.sha256(f"{asked}{verification_token}{endpoint}".encode()).hexdigest()
    return orjson.dumps({"challengeResponse": digest}).decode()
