"""RepIn: takes what other regions send, and writes it through this region's request path (ARCHITECTURE, "Global
tables").

    service.py   in the event loop: batches in, acknowledgements out; a router without HTTP does the asking
    inlet.py     a topic partition while it is ours, with its brain (`core.global_tables.rep_in`)
    driving.py   changes to their leaders, and again until they are decided        tasks.py   what runs beside
    words.py     what sources say of what they wrote before, to leaders
    telling.py   acknowledgements to the source's Kafka, parked changes to this one's
"""
