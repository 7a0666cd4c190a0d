"""Where things are, for the suites of this folder; exits 77 (skipped) without the libraries."""
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", "..", ".."))
VECTORS = os.path.join(ROOT, "tests", "vectors")
TOOL = os.path.join(ROOT, "tools", "inspect")
sys.path.insert(0, TOOL)

try:
    import cbor2  # noqa: F401
    import cryptography  # noqa: F401
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)
