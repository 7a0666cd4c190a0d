"""Independent reader of Coffer backups.

Written from the three FORMAT.md pages alone; shares no code with the firmware, so that a
mistake made there is not made here too.
"""
