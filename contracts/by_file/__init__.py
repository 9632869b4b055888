"""Procurement procedures in the set-up file: what a file says of them, and what it may do.

A file says what people plan and decide. What may only happen as an event in time stays an act of
people: to hand in a tender, to open all of them, to tell the award, to write the protocol.
"""
