"""Hash slots: CRC16/XMODEM of the key or of its hash tag, modulo 16384."""
import binascii

SLOT_COUNT = 16384


def slot_of(key):
    if isinstance(key, str):
        key = key.encode()
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1:end]
    return binascii.crc_hqx(key, 0) % SLOT_COUNT


def key_in(low, high, prefix="key"):
    """A key PREFIX:n whose slot is within LOW..HIGH."""
    for n in range(10_000_000):
        key = "%s:%d" % (prefix, n)
        if low <= slot_of(key) <= high:
            return key
    raise LookupError("no key found for slots %d-%d" % (low, high))
