"""The `isthmus` command: a file a verb; `bootstrap` is the composition root."""
