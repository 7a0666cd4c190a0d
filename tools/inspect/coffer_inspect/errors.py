"""One error type: what is wrong, where, and which class of the format pages it is."""

CORRUPT = "corrupt"  # bytes do not fit their format page
AUTH = "auth"        # a tag, digest, check or signature does not verify
LIMIT = "limit"      # a documented maximum is passed
DENIED = "denied"    # another domain, a missing generation, too few officers
MISSING = "missing"  # a file or blob that should be there is not

EXIT = {CORRUPT: 2, AUTH: 3, LIMIT: 4, DENIED: 5, MISSING: 6}


class Refused(Exception):
    """A check failed. `place` says where: blob, offset, stream, block, record."""

    def __init__(self, cls, text, place=""):
        super().__init__(text)
        self.cls = cls
        self.text = text
        self.place = place

    def at(self, place):
        """Puts an outer place in front; the innermost stays last."""
        self.place = f"{place}: {self.place}" if self.place else place
        return self

    def __str__(self):
        return f"{self.place}: {self.text}" if self.place else self.text


def need(condition, cls, text, place=""):
    """Refuses unless the condition holds."""
    if not condition:
        raise Refused(cls, text, place)


class Place:
    """with Place("stream keys"): every refusal inside is prefixed with that place."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, Refused):
            error.at(self.name)
        return False
