"""Cloning: a replica that a node lacks is copied from one that lives, then reads the log on from there.

A snapshot is what one commit of the source holds: a place (I6), rows, index entries, request ids (I10). It travels in
chunks, each a pure function of the snapshot and of where it begins. So the source remembers nothing but the snapshot:
whoever lacks a chunk says where it begins, and a chunk that comes twice, late or of another clone is known by its
number, its clone and its begin, and dropped.

`position`  where a chunk begins, and what the next one begins with
`sender`    the source's side: what to send next
`receiver`  the other side: what is taken, what is asked for, when it is whole
`contents`  what was received, counted: it must be what the manifest says
`choice`    whom to ask, and whether to ask at all or to replay the log
`pace`      so many bytes a second

What a clone is not: it proves nothing about the log. It is installed only where the log goes on from its place, it
never replaces what has read further (I9), and it counts in its group only when it has read the log to its end.
"""
