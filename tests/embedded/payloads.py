"""Payloads of RESTORE, put together by hand: all the forms that redis has had."""

import struct

POLYNOMIAL = 0x95ac9329ac4bc9b5  # Jones's, the lowest bit first


def checksum(data, crc=0):
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc


def payload(data, version=10):
    data += struct.pack("<H", version)
    return data + struct.pack("<Q", checksum(data))


def text(value):
    data = value if isinstance(value, bytes) else str(value).encode()
    if len(data) < 64:
        return bytes([len(data)]) + data
    return struct.pack(">BI", 0x80, len(data)) + data


def ziplist(values):
    body, last, before = b"", 10, 0
    for value in values:
        entry = bytes([before]) if before < 254 else struct.pack("<BI", 254, before)
        if isinstance(value, int):
            for low, high, code, form in ((-2**7, 2**7, b"\xfe", "<b"), (-2**15, 2**15, b"\xc0", "<h"),
                                          (-2**31, 2**31, b"\xd0", "<i"), (-2**63, 2**63, b"\xe0", "<q")):
                if 0 <= value <= 12:
                    entry += bytes([0xf1 + value])
                    break
                if low <= value < high:
                    entry += code + struct.pack(form, value)
                    break
        elif len(value) < 64:
            entry += bytes([len(value)]) + value
        elif len(value) < 16384:
            entry += struct.pack(">H", 0x4000 | len(value)) + value
        else:
            entry += struct.pack(">BI", 0x80, len(value)) + value
        last, before = 10 + len(body), len(entry)
        body += entry
    return struct.pack("<IIH", 10 + len(body) + 1, last, len(values)) + body + b"\xff"


def zipmap(pairs):
    body = b""
    for key, value in pairs:
        for part in (key, value):
            body += bytes([len(part)]) if len(part) < 254 else struct.pack("<BI", 254, len(part))
            body += (b"\x00" if part is value else b"") + part
    return bytes([len(pairs)]) + body + b"\xff"


SOME = [b"a", 0, 12, 13, -1, 127, 128, -32768, 32768, 2**31, -2**63, b"x" * 63, b"y" * 64,
        b"z" * 20000, b"end"]
PAIRS = [(b"f", b"v"), (b"long", b"w" * 300), (b"n", b"12")]

# What redis wrote before 7.0, and reads still.
OLD = {
    "list": payload(b"\x01\x03" + text("a") + b"\xc0\xfe" + text("c" * 100)),
    "ziplist": payload(b"\x0a" + text(ziplist(SOME))),
    "quicklist": payload(b"\x0e\x02" + text(ziplist(SOME)) + text(ziplist([b"more", 5]))),
    "zset": payload(b"\x03\x03" + text("a") + b"\x031.5" + text("b") + b"\xfe" + text("c") + b"\xff"),
    "large zset": payload(b"\x05\x02" + text("a") + struct.pack("<d", -0.0) + text("m" * 65) + struct.pack("<d", 1)),
    "tiny zset": payload(b"\x0c" + text(ziplist([b"a", b"-inf", b"b", b"4.9406564584124654e-324"]))),
    "tiny zset text": payload(b"\x03\x01" + text("a") + b"\x174.9406564584124654e-324"),
    "small zset": payload(b"\x05\x01" + text("a") + struct.pack("<d", -0.0)),
    "zset ziplist": payload(b"\x0c" + text(ziplist([b"a", 1, b"b", b"2.5", b"c", 3]))),
    "hash ziplist": payload(b"\x0d" + text(ziplist([b"f", 1, b"g", b"two"]))),
    "zipmap": payload(b"\x09" + text(zipmap(PAIRS))),
    "intset": payload(b"\x0b" + text(struct.pack("<IIhhh", 2, 3, -5, 0, 300))),
    "intset of 4": payload(b"\x0b" + text(struct.pack("<IIii", 4, 2, -70000, 70000))),
    "intset of 8": payload(b"\x0b" + text(struct.pack("<IIqq", 8, 2, -2**40, 2**40))),
    "version 1": payload(b"\x00" + text("v"), 1),
    "rubbish behind": payload(b"\x00" + text("v") + b"rubbish"),
    "64 bits of length": payload(b"\x00\x81" + struct.pack(">Q", 3) + b"abc"),
    "number": payload(b"\x00\xc2" + struct.pack("<i", -70000)),
}
