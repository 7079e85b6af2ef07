"""Global tables: regions, replicas in them, and what is told to them (ARCHITECTURE, "Global tables").

regions.py     rows of regions, and their records in metadata
stamping.py    a change of what regions keep alike gets a stamp
replicas.py    replicas that are added and taken away here
receiving.py   what another region says of a table
answers.py     what regions have answered, and how far links are
following.py   a table takes the settings of its global table, step by step
control.py     control requests about all that
"""
