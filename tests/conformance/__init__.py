"""What DynamoDB answers, asked of a whole cluster. Each case names its source.

One file per operation, through boto3; one for each thing that operations share (conditions, placeholders, sort keys,
return values, consumed capacity, legacy members, unknown operations); and the protocol itself, byte by byte.

Short names of sources, all below https://docs.aws.amazon.com/amazondynamodb/latest/: API =
APIReference/API_<operation>, EXPR = developerguide/Expressions, LIMITS = developerguide/ServiceQuotas, CAPACITY =
developerguide/capacity-unit-calculations, PAGES = developerguide/Query.Pagination. "observed" = wording that
published suites recorded from DynamoDB and that AWS does not document. DDB-TABLE-n = finding n of ack-api-quirks
(services/dynamodb), a public catalogue of what DynamoDB was seen to answer. "Ours" = what this version refuses or
decides.
"""
