"""Supabase for one project: backups, add-ons, branches with data and their actions. Its restore in place is
there to be seen when somebody asks for it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from api.core.clock import system_clock
from api.core.errors import FirstUserError
from tests.managed.places import Places
from tests.managed.vendor import HOST, FakeVendor, Made, iso
from tests.platforms.fake import Asked, Reply

PROJECT = "abcdefghijklmnopqrst"
_STEPS = ("clone", "health", "configure")


class FakeSupabase(FakeVendor):
    def __init__(self, places: Places, passwords: dict[str, str] | None = None) -> None:
        super().__init__(places, passwords)
        self.addon: str | None = "pitr_14"

    def said(self, message: str, status: int) -> Any:
        return None

    def not_authorized(self) -> Reply:
        return Reply(401)

    def turn_pitr_off(self) -> None:
        self.addon = None

    def answer(self, asked: Asked) -> Reply:
        match [asked.method, *asked.path.strip("/").split("/")]:
            case ["GET", "v1", "projects", ref, "database", "backups"] if ref == PROJECT:
                return Reply(200, self._backups())
            case ["GET", "v1", "projects", ref, "billing", "addons"] if ref == PROJECT:
                return Reply(200, {"selected_addons": self._addons(), "available_addons": []})
            case ["GET", "v1", "projects", ref, "branches"] if ref == PROJECT:
                return Reply(200, [self._branch(made) for made in self.made.values()])
            case ["POST", "v1", "projects", ref, "branches"] if ref == PROJECT:
                return self._create(asked.body)
            case ["GET", "v1", "projects", ref, "actions"]:
                return Reply(200, self._actions(ref))
            case [method, "v1", "branches", ref]:
                return self._one(method, ref)
            case _:
                self.effects.append(f"not expected: {asked.method} {asked.path}")
                return Reply(500)

    def _create(self, asked: dict[str, Any]) -> Reply:
        if not asked.get("with_data") or any(
            made.name == asked["branch_name"] for made in self.made.values()
        ):
            return Reply(500)
        number = next(self.numbers)
        ref = f"copyofabcdefghijklm{chr(96 + number)}"
        made = self.make(asked["branch_name"], ref, None)
        made.facts["number"] = number
        return Reply(201, self._branch(made))

    def _one(self, method: str, ref: str) -> Reply:
        made = self.made.get(ref)
        if made is None:
            return Reply(404)
        if method == "DELETE":
            self.drop(made)
            return Reply(200, {"message": "ok"})
        port = self._port(made)
        known = (
            {"db_port": port, "db_user": "postgres", "db_pass": "of-the-branch"} if port else {"db_port": 1}
        )
        described = {"postgres_version": "17.6", "postgres_engine": "17", "release_channel": "ga"}
        return Reply(200, {"ref": ref, "status": self._status(made), "db_host": HOST, **described, **known})

    def _status(self, made: Made) -> str:
        try:
            return "COMING_UP" if self.port(made) is None else "ACTIVE_HEALTHY"
        except FirstUserError:
            return "RESTORE_FAILED"

    def _port(self, made: Made) -> int | None:
        try:
            return self.port(made)
        except FirstUserError:
            return None

    def _branch(self, made: Made) -> dict[str, Any]:
        return {
            "id": str(UUID(int=made.facts.get("number", 1))),
            "name": made.name,
            "project_ref": made.id,
            "parent_project_ref": PROJECT,
            "is_default": False,
            "persistent": False,
            "status": "CREATING_PROJECT",
            "created_at": iso(made.created),
            "updated_at": iso(made.created),
            "with_data": True,
            "preview_project_status": self._status(made),
        }

    def _actions(self, ref: str) -> list[dict[str, Any]]:
        made = self.made.get(ref)
        if made is None:
            return []
        status = "EXITED" if self._status(made) == "ACTIVE_HEALTHY" else "RUNNING"
        times = {"created_at": iso(made.created), "updated_at": iso(made.created)}
        steps = [{"name": name, "status": status, **times} for name in _STEPS]
        empty = {"git_config": None, "workdir": None, "check_run_id": None}
        return [{"id": "run-1", "branch_id": made.id, "run_steps": steps, **times, **empty}]

    def _addons(self) -> list[dict[str, Any]]:
        if self.addon is None:
            return []
        price = {"description": "$200/month", "type": "fixed", "interval": "monthly", "amount": 200}
        return [{"type": "pitr", "variant": {"id": self.addon, "name": "PITR", "price": price}}]

    def _backups(self) -> dict[str, Any]:
        now = system_clock()
        daily = {"id": 1, "is_physical_backup": True, "status": "COMPLETED"}
        window = {
            "earliest_physical_backup_date_unix": int((now - timedelta(days=14)).timestamp()),
            "latest_physical_backup_date_unix": int(now.timestamp()) - 1,
        }
        return {
            "region": "eu-central-1",
            "walg_enabled": True,
            "pitr_enabled": self.addon is not None,
            "backups": [{**daily, "inserted_at": iso(now - timedelta(hours=8))}],
            "physical_backup_data": window if self.addon else {},
        }
