"""`segue models`: what the models do now."""

import typer

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def table_command() -> None:
    """Show."""
