"""ReplAdmin: the workflow of global tables (ARCHITECTURE, "Global tables").

copying.py   initial copies
"""
