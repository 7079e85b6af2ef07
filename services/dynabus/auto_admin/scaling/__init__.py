"""Auto scaling: what tables consume, their targets, and what is changed for them."""
