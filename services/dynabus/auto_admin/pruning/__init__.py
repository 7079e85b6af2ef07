"""Pruning of replication logs (I8): what is still needed and by whom, and the deletion of the rest."""
