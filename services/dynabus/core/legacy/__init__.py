"""DynamoDB's legacy parameters: AttributesToGet, Expected, AttributeUpdates, KeyConditions, QueryFilter, ScanFilter.

Each says less than an expression can, so none has an evaluator of its own: a request with legacy parameters becomes
the same request with expressions (`as_expressions`), and everything behind that, at the router as at the storage
node, is the one engine. What is not in expressions is checked here, in DynamoDB's order and words: how many values of
which types an operator takes, which members go together, which key conditions are possible.

Made-up placeholders (`#0`, `:0`) stand for all names and values. The texts that come of it are few and short, so the
cache of parsed texts serves them well. They also bring the limits of expressions: 4 KB of text is some 370 attributes
in one AttributeUpdates, or some 120 conditions. DynamoDB knows no such limit for legacy parameters; a
request beyond it is refused with the name of the parameter (wording ours).

Messages: DynamoDB's, as dynalite's tests recorded them from it (test/query, scan, updateItem, deleteItem), and those
of ExtendDB (legacy ConditionalOperator) and scylladb's Alternator (test_expected), which run against DynamoDB too.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
"""

from dynabus.core.legacy.key_conditions import LegacyCondition, legacy_conditions
from dynabus.core.legacy.members import (
    ATTRIBUTE_UPDATES,
    ATTRIBUTES_TO_GET,
    CONDITIONAL_OPERATOR,
    EXPECTED,
    FILTER,
)
from dynabus.core.legacy.projections import check_select_of_names
from dynabus.core.legacy.requests import as_expressions
from dynabus.core.legacy.updates import in_legacy_words

__all__ = [
    "ATTRIBUTES_TO_GET",
    "ATTRIBUTE_UPDATES",
    "CONDITIONAL_OPERATOR",
    "EXPECTED",
    "FILTER",
    "LegacyCondition",
    "as_expressions",
    "check_select_of_names",
    "in_legacy_words",
    "legacy_conditions",
]
