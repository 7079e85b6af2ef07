"""Where replicas are and should be: inventory, planners, moves, nodes, and replicas that differ."""
