"""What the checks of a simulation raise."""

from __future__ import annotations


class Violation(Exception):
    """A promise of the database was broken."""
