"""A fuzzer: requests that nobody means, and what must hold whatever comes.

    requests    a request from a seed and a number alone: a good one or one by the service model, then spoilt
    corpus      good requests: those of the reference model, and operations on tables
    shapes      random requests by botocore's service model
    mutations   what is done to the tree of a request
    strangeness values that stand where something else belongs
    expressions what is done to expression texts
    texts       the tree as JSON, and what is done to the text
    headers     what is done to the head of the request
    targets     the router's application over stores in this process, or a running cluster
    judge       what every answer must be, and what must not have changed

What must hold: no answer is 5xx, no exception but an API error, an error's body has `__type` and a message, a request
that is refused changes nothing, no process dies, memory stays flat. `python -m tests.fuzz --help` runs it for long.
"""
