"""Static files, cached for ever when asked for with the hash of their content."""

from os import PathLike, stat_result

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.http.pages.rendering import STATIC

_FOREVER = "public, max-age=31536000, immutable"


class VersionedFiles(StaticFiles):
    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        versioned = b"v=" in scope.get("query_string", b"")
        response.headers["Cache-Control"] = _FOREVER if versioned else "public, max-age=300"
        return response


def files() -> VersionedFiles:
    return VersionedFiles(directory=STATIC)
