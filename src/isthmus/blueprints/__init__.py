"""Business processes, a folder each; they import only what a user's process may."""
