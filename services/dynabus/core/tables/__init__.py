"""What the control plane makes of a table: its description, its partitions, what a change does to it, its tags.

Pure; auto-admin evaluates it for the rows of the admin log, routers call what they check before they ask.
"""
