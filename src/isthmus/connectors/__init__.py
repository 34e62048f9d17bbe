"""Our folder for each application, by family; found by entry point, imported by nobody."""
