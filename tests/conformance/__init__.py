"""What DynamoDB answers, one file per operation, asked through boto3 of a whole cluster. Each case names its source.

Short names of sources, all below https://docs.aws.amazon.com/amazondynamodb/latest/: API =
APIReference/API_<operation>, EXPR = developerguide/Expressions, LIMITS = developerguide/ServiceQuotas, CAPACITY =
developerguide/capacity-unit-calculations, PAGES = developerguide/Query.Pagination. "observed" = wording that
published suites recorded from DynamoDB and that AWS does not document.
"""
