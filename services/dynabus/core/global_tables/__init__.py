"""Global tables: tables that several regions write, each a cluster with a Kafka of its own. Pure.

versions.py   which write wins, and what it has met       floors.py   when a deletion may be forgotten
leading.py    what a partition's log says of regions, and the version of each row that is written
promises.py   what RepOut can tell of older changes, which raises floors
rep_out.py    RepOut: a region's own changes to one other region, in batches that wait for its acknowledgement
window.py     batches under way, which are sent again until they are acknowledged
rep_in.py     RepIn: batches of other regions, each change to the leader of its item
copying.py    the initial copy: rows as they are stored, page by page (pages.py)
regions.py    which regions there are                      links.py   which tables' changes go where
register.py   what a region keeps of a global table        sending.py  what of its links when members change
"""
