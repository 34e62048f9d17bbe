"""Reads a company's folder, checks it with file:line:column errors, and compiles it to a release."""
