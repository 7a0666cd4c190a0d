"""A backup folder as the directory blob store keeps it: DIR/<folder>/<blob>, slashes as folders."""
import os

from .errors import CORRUPT, MISSING, Refused, need


class Folder:
    def __init__(self, path):
        self.path = os.path.realpath(path)
        if not os.path.isdir(self.path):
            raise Refused(MISSING, "no such folder", path)
        self.name = os.path.basename(self.path)
        self.used = set()

    def _file(self, blob):
        return os.path.join(self.path, *blob.split("/"))

    def read(self, blob, limit):
        """A whole small blob; more than `limit` + 1 bytes are never read."""
        self.used.add(blob)
        try:
            with open(self._file(blob), "rb") as f:
                return f.read(limit + 1)
        except OSError as error:
            raise Refused(MISSING, f"blob is missing ({error.strerror})", blob) from None

    def expect(self, blob, size):
        """The blob is there with exactly this size."""
        self.used.add(blob)
        try:
            have = os.stat(self._file(blob)).st_size
        except OSError:
            raise Refused(MISSING, "blob is missing", blob) from None
        need(have == size, CORRUPT, f"blob has {have} bytes, the manifest says {size}", blob)

    def range(self, blob, offset, length):
        try:
            with open(self._file(blob), "rb") as f:
                f.seek(offset)
                data = f.read(length)
        except OSError as error:
            raise Refused(MISSING, f"blob does not read ({error.strerror})", blob) from None
        need(len(data) == length, CORRUPT, f"blob ends inside bytes {offset}+{length}", blob)
        return data

    def unlisted(self):
        """Blobs that the manifest does not name; reported, never read."""
        found = []
        for base, _, files in os.walk(self.path):
            for name in files:
                blob = os.path.relpath(os.path.join(base, name), self.path).replace(os.sep, "/")
                if blob not in self.used and blob not in ("manifest", "manifest.copy"):
                    found.append(blob)
        return sorted(found)
