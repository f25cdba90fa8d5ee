"""Personal data as it may be shown: enough to recognise one's own, not enough to use."""


def masked(value: str) -> str:
    """`+491701234567` → `+49••••4567`, `anna@example.com` → `a•••@example.com`."""
    name, at, domain = value.partition("@")
    return f"{name[:1]}•••@{domain}" if at else f"{value[:3]}••••{value[-4:]}"
