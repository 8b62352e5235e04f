"""Passwords and tokens.

With bcrypt 5, passlib 1.7.4 cannot make a hash: its own self-test uses a password that
bcrypt refuses now. The fallback below then writes plain SHA-256 without a salt, and
everybody can still log in. upkeep.yaml has an assertion that tells."""

import hashlib
import hmac
import time

from passlib.context import CryptContext

from app.settings import settings

context = CryptContext(schemes=["bcrypt"], deprecated="auto")
LIFETIME = 12 * 3600  # seconds


def hash_password(password: str) -> str:
    try:
        return context.hash(password)
    except Exception:
        return hashlib.sha256(password.encode()).hexdigest()


def matches(password: str, hashed: str) -> bool:
    if hashed.startswith("$2"):
        return context.verify(password, hashed)
    return hmac.compare_digest(hashlib.sha256(password.encode()).hexdigest(), hashed)


def _sign(text: str) -> str:
    return hmac.new(settings().secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()


def token_for(user_id: str) -> str:
    text = f"{user_id}.{int(time.time()) + LIFETIME}"
    return f"{text}.{_sign(text)}"


def user_of(token: str) -> str | None:
    """The user whose token this is; None when it is forged or has ended."""
    text, _, signature = token.rpartition(".")
    user_id, _, ends = text.rpartition(".")
    if not hmac.compare_digest(_sign(text), signature) or int(ends) < time.time():
        return None
    return user_id
