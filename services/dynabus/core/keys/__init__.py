"""Keys as bytes: what a partition's range, a Query's range and the order of a Scan are made of.

The *encoded key* of an item is one byte string. A partition is a half-open range of them, an item collection
(all items of one partition key) is a contiguous range, and within it byte order is DynamoDB's order of the
sort key. Partition keys are in the order of their hash, as in DynamoDB.

    part            bytes        what
    hash            8            first 8 bytes of MD5 of the next part
    partition key   2 … 4,098    self-delimiting, order-preserving
    sort key        0 … 1,024    order-preserving; absent if the table has none

Encodings of one value (`keys.encoding`):

    type    as partition key                                     as sort key
    S       UTF-8, each 00 written as 00 FF, then 00 00          UTF-8
    B       bytes, each 00 written as 00 FF, then 00 00          bytes
    N       ordered decimal, self-delimiting (below)             the same

    number          bytes
    negative        01, FF - (exponent + 130), digits as nibbles E - d, F to the end of the byte (at least one)
    zero            02
    positive        03, exponent + 130, digits as nibbles d + 1, 0 to the end of the byte (at least one)

The exponent is that of the leading digit (-130 … 125); digits are the significant ones, without trailing
zeros. The type itself is not in the key: a table's key schema fixes it, and the types share nothing.

The entries of local secondary indexes are in a key space of their own (`core.local_indexes`):

    part            bytes        what
    index           1            its number in the table, from 1; under 0 stand the sizes of item collections
    hash            8            as above
    partition key   2 … 4,098    as above
    index sort key  1 … 2,050    encoded as a partition key, so that the table's sort key can follow
    sort key        1 … 1,024    the table's, encoded as a sort key

The rows of a global secondary index have keys of their own, in partitions of their own (`core.global_indexes`):

    part                 bytes          what
    hash                 8              first 8 bytes of MD5 of the next part
    partition keys       2 … 4,108      one to four attributes, each encoded as a partition key
    sort keys            0 … 2,056      none to four, each encoded as a partition key, so that others can follow
    table's key          2 … 5,122      partition key, encoded as one; sort key, encoded as one: who ties is in order

Every encoding is injective and a stored key says all about its item's place, so nothing here needs the item.
Keys are longer than LMDB allows (511 bytes); `keys.layers` says how they are stored in exact order.
Test vectors: tests/vectors/keys.json.
"""

from dynabus.core.keys.bounds import delimited_range_bounds, index_range_bounds, partition_key_bounds, range_bounds
from dynabus.core.keys.encoding import (
    encode_delimited,
    encode_key,
    encode_number,
    encode_partition_key,
    encode_partition_keys,
    encode_sort_key,
    hash_prefix,
    prefix_successor,
    raw_bytes,
)

__all__ = [
    "delimited_range_bounds",
    "encode_delimited",
    "encode_key",
    "encode_number",
    "encode_partition_key",
    "encode_partition_keys",
    "encode_sort_key",
    "hash_prefix",
    "index_range_bounds",
    "partition_key_bounds",
    "prefix_successor",
    "range_bounds",
    "raw_bytes",
]
