"""Isthmus measured against what a very good engineer would write by hand, in the same run on the same mock enterprise."""
