"""`/api/healthz`: the event loop answers, no I/O. `/api/readyz`: this process can serve (`?verbose`: why)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from api.http.credentials import PUBLIC
from api.http.services import Services, services
from api.settings.fingerprint import configuration

router = APIRouter(prefix="/api", tags=["probes"])


@router.get("/healthz", openapi_extra=PUBLIC)
async def healthz() -> JSONResponse:
    return JSONResponse({"status": "ok"})


@router.get(
    "/readyz",
    responses={503: {"description": "This process cannot serve now."}},
    openapi_extra=PUBLIC,
)
async def readyz(
    at: Annotated[Services, Depends(services)], verbose: Annotated[str | None, Query()] = None
) -> JSONResponse:
    report = await at.readiness.report()
    body: dict[str, object] = {"status": "ok" if report.ready else "failing"}
    if verbose is not None:
        service = at.settings.service
        body |= {
            "checks": report.checks,
            "environment": service.env,
            "deploy_id": service.deploy_id,
            "release": service.release,
            "configuration": configuration(at.settings, at.live_rings.known),
            "restored_copy": service.restored_copy,
            "as_of": service.as_of.isoformat() if service.as_of else None,
        }
    return JSONResponse(body, 200 if report.ready else 503)
