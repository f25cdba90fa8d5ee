"""The dashboard and the alert rules: whole, and each alert leads to a page that is there."""

import json
from typing import Any

import yaml

from deployments.orchestration.deploying import REPOSITORY

FOLDER = REPOSITORY / "deployments"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "prometheus" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
PANELS: list[dict[str, Any]] = json.loads((FOLDER / "grafana" / "firstuser.json").read_text())["panels"]
MUST_PAGE = {  # runbook section 4
    "alert-5xx-burst.md",
    "alert-retries-exhausted.md",
    "alert-retry-loop.md",
    "alert-database-unavailable.md",
}


def test_every_alert_says_how_bad_it_is_and_leads_to_its_page() -> None:
    pages = {rule["annotations"]["runbook"] for rule in RULES}
    assert pages >= MUST_PAGE
    assert [page for page in pages if not (FOLDER / "runbooks" / page).exists()] == []
    assert {rule["labels"]["severity"] for rule in RULES} <= {"critical", "error", "warning"}
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_the_scrape_file_knows_every_job_that_an_alert_asks_about() -> None:
    scraped = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yaml").read_text())
    jobs = {one["job_name"] for one in scraped["scrape_configs"]}
    asked = {part.partition('"')[0] for rule in RULES for part in rule["expr"].split('job="')[1:]}
    assert asked
    assert asked <= jobs
    assert scraped["rule_files"] == ["alerts.yaml"]


def test_no_panel_is_empty_and_none_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        assert panel["type"] == "row" or all(target["expr"] for target in panel["targets"])
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
