"""ReplAdmin: the workflow of global tables between regions (ARCHITECTURE, "Global tables").

    service.py      the loop: one of these processes is active, and does its duties in turn
    asking.py       questions to auto-admins, of this region and of others
    definitions.py  duty: other regions are told of each global table until they know
    copying.py      duty: initial copies
    pulses.py       duty: which regions answer
    retention.py    duty: links whose region fell behind the stream's retention are copied again

Nothing is kept here: what is to be done is in metadata, in the admin log and in consumer groups.
"""
