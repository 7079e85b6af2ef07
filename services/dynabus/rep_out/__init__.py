"""RepOut: sends what this region wrote to the other ones (ARCHITECTURE, "Global tables").

service.py       metadata, and a destination for each other region that any table goes to
destination.py   one other region, in a thread of its own: read, send, hear, commit
shards.py        its consumer group: which shards are ours, from where they are read, how far they are done
line.py          batches to the destination's Kafka, acknowledgements from this one's; initial copies use it too
latency.py       how long changes take
"""
