"""Process APIs: start a process, follow and cancel its runs."""
