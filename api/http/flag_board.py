"""Flags and pauses as this process sees them; asked at every call, so they are answered from memory."""


class FlagBoard:
    def integration_enabled(self, integration_id: str) -> bool:
        """False turns every call of the integration away with 403 `integration_disabled`."""
        return True

    def onboarding_paused(self, space_id: str) -> bool:
        """True refuses new entries with 409 `onboarding_paused`; who has joined already goes on."""
        return False

    def webhook_retries_paused(self) -> bool:
        """True holds deliveries back; nothing is lost."""
        return False
