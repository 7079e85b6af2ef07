"""What the state machine found in Dynabus, each as the few requests that show it."""

from __future__ import annotations

from tests.model.comparison import Pair
from tests.model.database import Database
from tests.model.expressions import Exists
from tests.model.requests import Put, Scan
from tests.model.schema import INDEXED_TABLES
from tests.model.targets import InProcess


def pair() -> Pair:
    target = InProcess()
    target.create(INDEXED_TABLES)
    return Pair(Database(INDEXED_TABLES), target)


def test_an_index_answers_what_it_projects_though_the_filter_looks_at_more() -> None:
    asked = pair()
    asked.ask(Put("indexed", {"pk": {"S": "a"}, "sk": {"S": "a"}, "ls": {"S": "a"}, "x": {"S": "not projected"}}))
    asked.ask(Scan("indexed", "by_string", filter=Exists(("x",)), capacity="INDEXES"))
