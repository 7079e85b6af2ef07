"""Signature Version 4 as DynamoDB checks it: pure, so that every answer can be tested with a time that is given.

    claim.py      what a request says of its signature, in its headers or in its query string
    canonical.py  the request in the one form that client and server hash alike
    verifier.py   the checks in DynamoDB's order, and the comparison

Without a file of access keys only `require_claim` is asked: that a signature is there and whole. DynamoDB says
`InvalidSignatureException` where other services say `SignatureDoesNotMatch`, and answers all of these with HTTP 400.

Sources: the AWS documentation of Signature Version 4
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html), and for the order of
the checks and their words what dynalite recorded of DynamoDB (its index.js and test/connection.js).
"""

from dynabus.core.signatures.claim import Claim, claim_of, require_claim
from dynabus.core.signatures.verifier import SKEW_S, AccessKey, Signed, Verifier

__all__ = ["SKEW_S", "AccessKey", "Claim", "Signed", "Verifier", "claim_of", "require_claim"]
