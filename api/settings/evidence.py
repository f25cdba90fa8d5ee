"""The evidence ledger: what its records are signed with, and where copies are kept that nobody can change."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from api.settings.group import Group


class EvidenceSettings(Group):
    model_config = SettingsConfigDict(env_prefix="FIRSTUSER_EVIDENCE_", extra="ignore")

    key: SecretStr | None = None  # 32 bytes, base64: the private half of the Ed25519 key
    key_pending: SecretStr | None = None  # the next one, while keys are rotated
    store_url: str = ""  # s3://bucket/prefix of a bucket with object lock; "" keeps no copies
    lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] = "COMPLIANCE"
    lock_days: int = Field(default=365, ge=1, le=3650)
