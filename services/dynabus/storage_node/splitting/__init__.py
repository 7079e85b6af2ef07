"""Splits as members see them: heirs follow the parent's log, begin with a copy of its store, and take over."""
