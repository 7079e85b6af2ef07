"""Time to live: expired items are found by a list of deadlines beside the rows, and deleted as by a client.

deadlines.py   the list of one replica
sweeping.py    the partitions that this node leads
"""
