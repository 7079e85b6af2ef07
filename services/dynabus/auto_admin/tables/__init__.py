"""Tables as rows of the admin log: decisions, workflows, how far they are, and the metadata that others read."""
