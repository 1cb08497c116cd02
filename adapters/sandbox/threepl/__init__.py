"""A logistics partner: a warehouse of its own that speaks ShipEngine Connect's contract of a fulfilment provider.

It proves conformance to the published contract, not to how any real partner behaves.
"""
