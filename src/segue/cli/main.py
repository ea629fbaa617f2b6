"""`segue`: reads the command, runs it, and tells a failure in one message with the way out.

Exit codes: 0 it went well; 1 the run failed, was stopped or drained, or waits for a person; 2 the input or a setting
was wrong; 3 something outside failed, such as an endpoint or a store.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def build() -> Any:
    """The command line as a Typer app."""
    import typer

    from segue.cli import (
        alerts,
        audit,
        chat,
        check,
        checkpoints,
        dev,
        doctor,
        drift,
        effects,
        evals,
        evaluate,
        fork,
        jobs,
        keys,
        models,
        new,
        policy,
        resume,
        run,
        serve,
        simulate,
        threads,
        tools,
        trace,
        vllm,
        worker,
    )

    app = typer.Typer(
        name="segue",
        help="Run, talk to and look into agents. Add --debug to any command for tracebacks.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    commands = (
        run, chat, dev, serve, resume, threads, checkpoints, fork, worker, trace, drift, check, tools, new, doctor,
    )  # fmt: skip
    for module in commands:
        app.command(module.__name__.rpartition(".")[2])(module.command)

    app.add_typer(alerts.app, name="alerts")
    app.add_typer(audit.app, name="audit")
    app.add_typer(jobs.app, name="jobs")
    app.add_typer(effects.app, name="effects")
    app.add_typer(policy.app, name="policy")
    app.command("eval")(evaluate.command)
    app.command("simulate")(simulate.command)
    app.add_typer(evals.app, name="evals")
    app.add_typer(keys.app, name="keys")
    app.add_typer(models.app, name="models")
    app.add_typer(vllm.app, name="vllm")

    @app.callback(invoke_without_command=True)
    def face(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
        if version:
            from segue import __version__

            print(f"segue {__version__}")
            raise typer.Exit

    return app


def main(arguments: list[str] | None = None) -> None:
    """The entry point; ends the process with the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given or bool(os.environ.get("SEGUE_DEBUG"))
    given = [each for each in given if each != "--debug"]
    _logs(debug)
    try:
        code = build()(given, prog_name="segue", standalone_mode=False)
    except BaseException as error:
        if debug and not isinstance(error, SystemExit):
            raise
        code = _tell(error)
    sys.exit(code or 0)


def _logs(debug: bool) -> None:
    """Warnings to stderr, in one line each; everything with `--debug`. A run that failed is told by its command."""
    import logging

    handler = logging.StreamHandler()
    if not debug:
        handler.addFilter(lambda record: record.name != "segue.notify" or not hasattr(record, "notice"))
    form = "%(name)s: %(message)s"
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format=form, handlers=[handler])


def _tell(error: BaseException) -> int:
    """Say what went wrong in one message; the exit code."""
    import click

    from segue.base.errors import OperatorError, SegueError, UserError

    match error:
        case SystemExit():
            return error.code if isinstance(error.code, int) else 1
        case click.exceptions.Exit():
            return int(error.exit_code)
        case click.exceptions.Abort() | KeyboardInterrupt():
            print("stopped", file=sys.stderr)
            return 130
        case click.ClickException():
            error.show(file=sys.stderr)
            return 2
        case BrokenPipeError():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        case UserError():
            code = 2
        case OperatorError():
            code = 3
        case SegueError():
            code = 1
        case _:
            print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
            print("This was not expected. Run it again with --debug to see where.", file=sys.stderr)
            return 1
    print(f"error: {error}", file=sys.stderr)
    return code
