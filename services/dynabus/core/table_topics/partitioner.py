"""Which topic partition a key has: Kafka's default for keyed records, as Java's producer computes it.

    (murmur2(key) & 0x7fffffff) modulo number of topic partitions

So Kafka Streams and others find a table partitioned as they would have done it. Source: Apache Kafka,
`org.apache.kafka.common.utils.Utils.murmur2` and `BuiltInPartitioner.partitionForKey`; test vectors, from Java's
own tests and computed with it, in tests/vectors/murmur2.json.
"""

from __future__ import annotations

import struct

_SEED, _FACTOR, _SHIFT, _MASK = 0x9747B28C, 0x5BD1E995, 24, 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """32 bits, unsigned."""
    length = len(key)
    whole = length & ~3
    found = (_SEED ^ length) & _MASK
    for (word,) in struct.iter_unpack("<I", key[:whole]):
        mixed = word * _FACTOR & _MASK
        mixed = (mixed ^ (mixed >> _SHIFT)) * _FACTOR & _MASK
        found = (found * _FACTOR & _MASK) ^ mixed
    if whole < length:
        found = (found ^ int.from_bytes(key[whole:], "little")) * _FACTOR & _MASK
    found = (found ^ (found >> 13)) * _FACTOR & _MASK
    return found ^ (found >> 15)


def topic_partition(key: bytes, count: int) -> int:
    """0 to count - 1."""
    return (murmur2(key) & 0x7FFFFFFF) % count
