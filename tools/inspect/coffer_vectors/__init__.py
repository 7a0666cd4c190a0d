"""Generator of the golden and negative vectors: a writer in Python with fixed randomness.

Not for production: keys and randomness follow from names. It shares the readers' primitives
(KDF, CBOR, words); what it writes is judged by the reader before it is stored.
"""
