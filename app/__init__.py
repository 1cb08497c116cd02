"""Use cases and wiring."""

import gc

GC_THRESHOLDS = (50_000, 50, 50)

# Before anything is imported: most of what a process makes at its start stays, and looking for garbage in it takes a
# fifth of the time.
gc.set_threshold(*GC_THRESHOLDS)
