"""Numbers and digests of docs/protocol.md for fake_trainer.py; nothing but the standard library."""

import hashlib
import json
import math
import struct


def f32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def next_up(value):
    """The next float32 above a finite one."""
    bits = struct.unpack("<i", struct.pack("<f", value))[0]
    bits = bits + 1 if bits >= 0 else bits - 1 if bits != -(1 << 31) else 1
    return struct.unpack("<f", struct.pack("<i", bits))[0]


def uniform(*key):
    """A number in [0, 1) that hangs on the key alone."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def tensor_digest(dtype, shape, data):
    leaves = [hashlib.sha256(data[i : i + 4096]).digest() for i in range(0, len(data), 4096)]
    head = dtype + "\n" + ",".join(map(str, shape)) + "\n"
    return hashlib.sha256(head.encode() + b"".join(leaves)).hexdigest()


def float_digest(shape, values):
    return tensor_digest("float32", shape, struct.pack(f"<{len(values)}f", *values))


def group_digest(named):
    lines = b"".join(f"{name}\n{digest}\n".encode() for name, digest in sorted(named))
    return hashlib.sha256(lines).hexdigest()


def number(value, fmt, digits):
    bits = struct.pack(">" + fmt, value).hex()
    text = f"%.{digits}g" % value if math.isfinite(value) else "null"
    return f'{{"bits":"{bits}","value":{text}}}'


def canonical_digest(value):
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
