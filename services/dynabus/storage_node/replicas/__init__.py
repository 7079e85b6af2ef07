"""Replicas on this node: which it has, opening and closing them, reading logs, and doubts about places."""
