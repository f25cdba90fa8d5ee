"""`docs/cli.md` from the commands themselves: `python -m deployments.cli_reference` writes it anew."""

from pathlib import Path

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

from deployments import cli
from deployments.contents import PANELS
from deployments.local.layout import REPOSITORY

PAGE = REPOSITORY / "docs" / "cli.md"
_INTRO = """# The command line

Written by `python -m deployments.cli_reference`; a test keeps it in step. In the order of the runbook:

{contents}

Completion for bash, zsh and fish: `firstuser --install-completion`; `--show-completion` shows it.

"""


def reference() -> str:
    app = cli.everything()
    command = get_command(app)
    context = typer.Context(command, info_name="firstuser")
    body = get_docs_for_click(obj=command, ctx=context, name="firstuser", title="Commands")
    contents = "\n".join(
        f"- {panel}: " + ", ".join(f"[`{name}`](#firstuser-{name})" for name in names)
        for panel, names in PANELS.items()
    )
    return _INTRO.format(contents=contents) + body.replace("# Commands", "## Commands", 1).strip() + "\n"


def main(page: Path = PAGE) -> None:
    page.write_text(reference())


if __name__ == "__main__":
    main()
