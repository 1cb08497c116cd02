"""One frozen `Settings`, read once from `ONHAND_*` and passed down; nothing else reads the environment."""

from __future__ import annotations

from functools import cached_property
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingError(Exception):
    """A setting is missing or wrong; the message is one sentence that says what to set."""


def _is_url(value: str, *schemes: str) -> bool:
    try:
        found = urlsplit(value)
        _ = found.port
    except ValueError:
        return False
    return found.scheme in schemes


class Settings(BaseSettings):
    """Every setting of Onhand. Durations are seconds and sizes bytes unless the name says otherwise."""

    model_config = SettingsConfigDict(env_prefix="ONHAND_", frozen=True, extra="ignore")

    database_url: str
    """PostgreSQL of the application, `postgresql://user:password@host:port/database`."""
    migration_database_url: str | None = None
    """The owner's URL, for migrations; the application's own when not given."""
    redis_url: str
    """Redis or Valkey, `redis://:password@host:port/0`."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    public_url: str | None = None
    """Where this instance is reached from outside: channels are asked to send their events there."""
    secret_key: str | None = None
    """Fernet keys, newest first, comma separated: channel credentials are encrypted with them at rest."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    otlp_endpoint: str | None = None
    """OpenTelemetry collector (OTLP over HTTP); no spans are made when it is not set."""
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """Where a process serves its own metrics on `host`, beside the API's `/metrics`; a worker has no other place."""
    metrics_token: str | None = Field(default=None, min_length=16)
    """When set, the API's `/metrics` answers only who sends it as a bearer token: the numbers tell what is sold."""

    graphiql: bool = True
    introspection: bool = True
    query_depth_max: int = Field(default=12, ge=1)
    query_aliases_max: int = Field(default=30, ge=0)
    query_tokens_max: int = Field(default=2_000, ge=10)
    query_cost_max: int = Field(default=20_000, ge=10)
    request_bytes_max: int = Field(default=1_048_576, ge=1_024)
    request_seconds_max: float = Field(default=15.0, gt=0)
    rate_per_second: float = Field(default=0.0, ge=0)
    """Operations a principal may send to one process each second; 0 for no limit."""
    rate_burst: int = Field(default=100, ge=1)
    """How many of them at once after a rest."""
    subscriptions_per_connection_max: int = Field(default=50, ge=1)

    database_pool_size: int = Field(default=8, ge=1)
    database_hot_pool_size: int = Field(default=6, ge=2)
    combine_batch_max: int = Field(default=128, ge=1, le=1_000)
    combine_queue_max: int = Field(default=20_000, ge=1)

    token_cache_seconds: float = Field(default=2.0, ge=0)
    reauthorize_seconds: float = Field(default=1.0, gt=0)
    jwt_issuer: str | None = None
    """Staff tokens of an OpenID provider: issuer, audience and keys are set together or not at all."""
    jwt_audience: str | None = None
    jwt_jwks_url: str | None = None
    jwt_roles_claim: str = "roles"
    """The claim that names roles of ours; `realm_access.roles` is one within another."""

    reservation_seconds_default: int = Field(default=900, ge=1)
    reservation_seconds_max: int = Field(default=2_592_000, ge=1)
    idempotency_days: int = Field(default=7, ge=7)
    feed_retention_seconds: int = Field(default=86_400, ge=1)
    feed_rows_max: int = Field(default=2_000_000, ge=1)
    feed_poll_seconds: float = Field(default=0.5, gt=0)
    sweep_seconds: float = Field(default=1.0, gt=0)

    channel_timeout_seconds: float = Field(default=10.0, gt=0)
    push_lease_seconds: float = Field(default=30.0, gt=0)
    push_poll_seconds: float = Field(default=1.0, gt=0)
    observe_again_seconds: float = Field(default=10.0, gt=0)
    """The same listing is not looked at sooner than this."""
    drift_seconds: float = Field(default=60.0, gt=0)
    """How long a channel may show something else than it took before it is told again and a case is opened."""
    orders_poll_seconds: float = Field(default=60.0, gt=0)
    orders_overlap_seconds: float = Field(default=600.0, ge=0)
    """Orders are polled again from so long before the last poll: vendors' lists shift while they are paged."""
    subscribe_again_seconds: float = Field(default=900.0, gt=0)
    """How often it is looked whether a channel still sends us its events."""
    returns_poll_seconds: float = Field(default=900.0, gt=0)
    """How often a channel is asked for returns that it does not tell of by itself."""
    return_expected_days: int = Field(default=30, ge=1)
    """How long a customer has to send a return in, unless it says otherwise."""
    return_inspect_hours: float = Field(default=48.0, gt=0)
    """How long a received return may wait for its inspection before it is a case."""
    approval_hours: float = Field(default=4.0, gt=0)
    """How long something may wait for a second person before it is a case."""
    accept_seconds: float = Field(default=14_400.0, gt=0)
    """How long a warehouse may leave released work unanswered before it is promised from elsewhere."""
    fulfillment_poll_seconds: float = Field(default=1.0, gt=0)
    attempts_retention_seconds: int = Field(default=604_800, ge=60)
    contact_days: int = Field(default=365, ge=0)
    """Days after delivery, or cancellation, that names and addresses of an order are kept."""
    contact_days_by_kind: dict[str, int] = Field(default_factory=lambda: {"AMAZON": 30})
    """The same for a kind of channel that wants it otherwise, as JSON: Amazon's policy is 30 days."""
    delivery_assumed_days: int = Field(default=14, ge=0)
    """A parcel that nobody says has arrived is taken to have arrived so many days after it was shipped."""
    promise_risk_seconds: float = Field(default=14_400.0, gt=0)
    """How long before an order must ship somebody is told that it has not."""
    payment_wait_days: int = Field(default=7, ge=1)
    """An order that holds stock so long and is not paid is told to somebody."""
    orders_sweep_seconds: float = Field(default=5.0, gt=0)
    alerts_retention_seconds: int = Field(default=2_592_000, ge=3_600)
    count_share_percent: float = Field(default=5.0, ge=0, le=100)
    """Of a warehouse's lines so many are planned to be counted each day; 0 plans none."""

    @field_validator("database_url", "migration_database_url")
    @classmethod
    def _is_postgresql(cls, value: str | None) -> str | None:
        if value is not None and not _is_url(value, "postgresql", "postgres"):
            raise ValueError("must look like postgresql://user:password@host:port/database")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: str) -> str:
        if not _is_url(value, "redis", "rediss", "unix"):
            raise ValueError("must look like redis://:password@host:port/0")
        return value

    @model_validator(mode="after")
    def _knows_whose_tokens(self) -> Settings:
        """A provider signs tokens for many: without issuer and audience, each of them would open this door."""
        if self.jwt_jwks_url is not None and not (self.jwt_issuer and self.jwt_audience):
            raise ValueError("ONHAND_JWT_JWKS_URL needs ONHAND_JWT_ISSUER and ONHAND_JWT_AUDIENCE beside it")
        return self

    @cached_property
    def owner_database_url(self) -> str:
        return self.migration_database_url or self.database_url


def load_settings(**overrides: object) -> Settings:
    """Read the environment. Raises `SettingError`, in one sentence, for the first thing that is wrong."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        reason = str(first["msg"]).removeprefix("Value error, ")
        if not first["loc"]:
            raise SettingError(f"{reason}.") from None
        name = "ONHAND_" + "_".join(str(part) for part in first["loc"]).upper()
        if first["type"] == "missing":
            raise SettingError(f"{name} is not set: set it, or run `onhand up`, which brings its own.") from None
        raise SettingError(f"{name} is wrong: {reason[:1].lower()}{reason[1:]}.") from None
