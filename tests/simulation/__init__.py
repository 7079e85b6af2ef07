"""Deterministic simulation of a table and its splits: the real brains over a modelled Kafka and modelled disks.

One seed is one history: everything random comes from `random.Random(seed)`, time is a heap of events. The modelled
Kafka loses, delays, doubles and re-orders appends and lies about them; nodes crash to older durable states, pause,
go deaf, stall in the middle of a loop turn, have clocks that drift and wall clocks that jump.

* `world`    time and the heap of events
* `kafka`    the log, its producers' troubles, and the auditor that folds every record as it lands
* `disk`     a replica's store with commits that a crash falls back to
* `node`     a shell around the real `Replica`, and what can happen to it
* `partitions` `splits`  what is decided about partitions, and who decides it
* `client`   routers with their re-sends and clients that record what they were told
* `audit`    the checks after each step
* `faults`   what goes wrong, chosen by the seed
* `run`      many seeds over all cores; a failure prints the command that replays it
* `broken`   brains with one rule left out, each of which the checks must catch
"""
