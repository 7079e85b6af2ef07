"""A reference model of DynamoDB's item API, and a test that puts the same requests to it and to Dynabus.

    values        attribute values: normal form, order, equality, sizes
    expressions   trees of conditions, updates and projections, and what they mean
    rendering     the same trees as expression text with placeholders
    requests      one class for each operation: its tree form, and the body that goes to the API
    database      the model: tables as dictionaries, one method for each operation
    capacity      what answers say about consumed capacity
    generation    random requests, drawn from any source of small integers
    comparison    whether an answer is what the model says, and everything that is deliberately not compared
    targets       who is asked: both halves of every operation in this process, or an HTTP endpoint
    legacy        the same with the parameters of before expressions existed
    machine       the state machine (hypothesis) that drives both
    walks         random walks from a seed, for long runs
    faults        defects to plant, each of which the machine must find

The model is written from AWS's documentation. It shares no code with `dynabus`: it evaluates the trees that the
generator made, so it needs no parser, and it is free to be slow. `python -m tests.model --help` runs it for long.
"""
