"""Where traces go, by OpenTelemetry's own variables. The SDK reads the others of its variables by itself."""

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from api.settings.group import Group


class TracingSettings(Group):
    """The headers carry a vendor's credential."""

    model_config = SettingsConfigDict(env_prefix="OTEL_", extra="ignore")

    exporter_otlp_endpoint: str = ""  # OTLP over HTTP, as http://collector:4318; "" is: no traces
    exporter_otlp_traces_endpoint: str = ""  # whole, with /v1/traces; goes before the other
    exporter_otlp_headers: SecretStr | None = None  # name=value, comma-separated
    service_name: str = ""  # "" is firstuser-api, firstuser-dispatcher, firstuser-flows
    sdk_disabled: bool = False

    @property
    def traces_url(self) -> str:
        """ "" for none."""
        if self.sdk_disabled:
            return ""
        base = self.exporter_otlp_endpoint.rstrip("/")
        return self.exporter_otlp_traces_endpoint or (f"{base}/v1/traces" if base else "")
