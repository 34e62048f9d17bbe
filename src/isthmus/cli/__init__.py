"""The `isthmus` command: a file a verb; `bootstrap` is the composition root."""

from __future__ import annotations


def main() -> None:
    """Run the command. Nothing is imported before it is needed, so that help answers at once."""
    from isthmus.cli.verbs import run

    run()
