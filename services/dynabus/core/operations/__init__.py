"""DynamoDB's operations, one file each.

An operation has two halves that never share memory:

* the *router half* is a generator: it checks the request in DynamoDB's order, yields the calls that storage nodes (or
  auto-admin) must answer, is sent their replies and returns the answer's JSON. It does no I/O and may yield often.
* the *storage-node half* (`node`, found through `registry`) evaluates one call on one partition: writes against the
  previous row at the leader, reads against the rows of one replica.

What goes between them is `RequestPart`: encoded key, item JSON, and as `detail` those members of the request which
the storage node evaluates, under DynamoDB's own names. Adding an operation is one file, one line in `registry` and
one conformance file.
"""
