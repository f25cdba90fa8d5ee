"""Commands beside `up` and `down`: each module has `register(app: typer.Typer) -> None`."""
