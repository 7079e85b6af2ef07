"""A music library through PynamoDB: a versioned model, nested maps, a local index. Prints what it saw as JSON."""

# PynamoDB is installed where this runs, not where types are checked.
# mypy: disable-error-code="import-not-found,misc"

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
    VersionAttribute,
)
from pynamodb.exceptions import PutError, UpdateError
from pynamodb.indexes import AllProjection, LocalSecondaryIndex
from pynamodb.models import Model

NAME = sys.argv[1]
RELEASED = datetime(1965, 6, 1, tzinfo=UTC)


class ByPlays(LocalSecondaryIndex["Track"]):
    class Meta:
        index_name = "by-plays"
        projection = AllProjection()

    artist = UnicodeAttribute(hash_key=True)
    plays = NumberAttribute(range_key=True)


class Label(MapAttribute[str, Any]):
    name = UnicodeAttribute()
    founded = NumberAttribute(null=True)


class Track(Model):
    class Meta:
        table_name = NAME
        billing_mode = "PAY_PER_REQUEST"

    artist = UnicodeAttribute(hash_key=True)
    title = UnicodeAttribute(range_key=True)
    plays = NumberAttribute(default=0)
    live = BooleanAttribute(default=False)
    released = UTCDateTimeAttribute()
    label = Label()
    genres = UnicodeSetAttribute(null=True)
    ratings = ListAttribute[Any](default=list)
    extra = JSONAttribute(null=True)
    version = VersionAttribute()
    by_plays = ByPlays()


def track(artist: str, number: int) -> Track:
    return Track(
        artist,
        f"Track {number:02}",
        plays=number * 11 % 20,
        live=number % 4 == 0,
        released=RELEASED + timedelta(days=number),
        label=Label(name="Philips", founded=1950),
        genres={"jazz", "soul"},
        extra={"b-side": number},
    )


def write_all() -> int:
    with Track.batch_write() as batch:
        for artist in ("Nina", "Ella", "Billie"):
            for number in range(20):
                batch.save(track(artist, number))
    return sum(Track.count(artist, consistent_read=True) for artist in ("Nina", "Ella", "Billie"))


def live_tracks() -> dict[str, Any]:
    found = Track.query("Nina", filter_condition=Track.live == True, page_size=8, consistent_read=True)  # noqa: E712
    titles = [each.title for each in found]
    return {"titles": titles, "found": found.total_count, "more": found.last_evaluated_key is not None}


def resumed() -> list[str]:
    first = Track.query("Ella", Track.title.startswith("Track 1"), limit=4, consistent_read=True)
    titles = [each.title for each in first]
    rest = Track.query(
        "Ella", Track.title.startswith("Track 1"), last_evaluated_key=first.last_evaluated_key, consistent_read=True
    )
    return titles + [each.title for each in rest]


def most_played() -> list[list[Any]]:
    found = Track.by_plays.query("Ella", ByPlays.plays > 14, scan_index_forward=False, consistent_read=True)
    return [[each.title, each.plays] for each in found]


def read_one() -> dict[str, Any]:
    found = Track.get("Billie", "Track 07", consistent_read=True)
    return {
        "released": found.released.isoformat(),
        "label": found.label.as_dict(),
        "genres": sorted(found.genres),
        "extra": found.extra,
        "version": found.version,
    }


def create_again() -> str:
    try:
        track("Nina", 1).save(Track.artist.does_not_exist(), add_version_condition=False)
    except PutError as refusal:
        return f"{refusal.cause_response_code}: {refusal.cause_response_message}"
    return ""


def two_writers() -> dict[str, Any]:
    """Optimistic locking: the second writer is told that it saw an old version."""
    mine, theirs = (Track.get("Nina", "Track 02", consistent_read=True) for _ in range(2))
    mine.update(
        [
            Track.plays.add(100),
            Track.ratings.set(Track.ratings.append([5, 4])),
            Track.label.name.set("Verve"),
            Track.extra.remove(),
        ]
    )
    try:
        theirs.update([Track.live.set(True)])
    except UpdateError as refusal:
        return {
            "plays": mine.plays,
            "ratings": mine.ratings,
            "label": mine.label.name,
            "version": mine.version,
            "loser": refusal.cause_response_code,
        }
    return {}


def fetch_all() -> dict[str, int]:
    keys = [(artist, f"Track {number:02}") for artist in ("Nina", "Ella", "Nobody") for number in range(40)]
    return {"asked": len(keys), "found": len(list(Track.batch_get(keys, consistent_read=True)))}


def scan_all() -> list[int]:
    scans = [Track.scan(segment=n, total_segments=3, page_size=7, consistent_read=True) for n in range(3)]
    return [sum(len(list(scan)) for scan in scans), len(list(Track.scan(Track.live == False, limit=10)))]  # noqa: E712


def forget() -> str:
    track = Track.get("Nina", "Track 03", consistent_read=True)
    track.delete()
    try:
        track.refresh(consistent_read=True)
    except Track.DoesNotExist as refusal:
        return str(refusal)
    return ""


def main() -> None:
    Track.create_table(wait=True)
    described = Track.describe_table()
    steps: dict[str, Any] = {"status": described["TableStatus"], "written": write_all(), "live": live_tracks()}
    steps |= {"resumed": resumed(), "most_played": most_played(), "read": read_one(), "refused": create_again()}
    steps |= {"two_writers": two_writers(), "fetched": fetch_all(), "scan": scan_all(), "gone": forget()}
    Track.delete_table()
    print(json.dumps(steps))


main()
