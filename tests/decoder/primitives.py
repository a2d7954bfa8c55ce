"""The cryptography that PROTOCOL.md names [1], in Python alone: RFC 7748, RFC 8439, and BLAKE2b from hashlib.

Not safe against anybody who can measure its time: for tests.
"""

import hashlib
import struct

ZEROS = bytes(32)
TAG = 16


def H(key, *parts):
    """Keyed BLAKE2b with an output of 32 bytes."""
    return hashlib.blake2b(b"".join(parts), digest_size=32, key=key).digest()


# X25519 (RFC 7748, section 5)

P = 2 ** 255 - 19
BASE = (9).to_bytes(32, "little")


def x25519(secret, public):
    k = int.from_bytes(secret, "little") & (1 << 254) - 8 | 1 << 254
    u = int.from_bytes(public, "little") & (1 << 255) - 1
    x2, z2, x3, z3, swapped = 1, 0, u, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swapped != bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swapped = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


# ChaCha20 (RFC 8439, section 2.3). A number holds one word of all blocks, 64 bits for each, so that a round is done for
# the whole packet at once.

CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")
COLUMNS = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
DIAGONALS = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
LANES = {}


def lanes(count):
    """(ones, masks of 32 bits, the numbers from 0 on), a lane for each block."""
    if count not in LANES:
        ones = sum(1 << 64 * n for n in range(count))
        LANES[count] = ones, ones * 0xffffffff, sum(n << 64 * n for n in range(count))
    return LANES[count]


def rounds(v, m):
    for _ in range(10):
        for a, b, c, d in COLUMNS + DIAGONALS:
            va, vb, vc, vd = v[a], v[b], v[c], v[d]
            va = va + vb & m
            x = (vd ^ va) << 16
            vd = x & m | x >> 32 & m
            vc = vc + vd & m
            x = (vb ^ vc) << 12
            vb = x & m | x >> 32 & m
            va = va + vb & m
            x = (vd ^ va) << 8
            vd = x & m | x >> 32 & m
            vc = vc + vd & m
            x = (vb ^ vc) << 7
            v[b] = x & m | x >> 32 & m
            v[a], v[c], v[d] = va, vc, vd


def key_stream(key, counter, nonce, count):
    """`count` blocks of 64 bytes."""
    ones, m, numbers = lanes(count)
    start = [word * ones for word in CONSTANTS + struct.unpack("<8I", key)]
    start.append(counter * ones + numbers & m)
    start += [word * ones for word in struct.unpack("<3I", nonce)]
    v = list(start)
    rounds(v, m)
    out = bytearray(64 * count)
    for n in range(16):
        word = (v[n] + start[n] & m).to_bytes(8 * count, "little")
        for byte in range(4):
            out[4 * n + byte::64] = word[byte::8]
    return bytes(out)


def xor(data, stream):
    n = len(data)
    return (int.from_bytes(data, "little") ^ int.from_bytes(stream[:n], "little")).to_bytes(n, "little")


def hchacha20(key, nonce):
    v = list(CONSTANTS + struct.unpack("<8I", key) + struct.unpack("<4I", nonce))
    rounds(v, 0xffffffff)
    return struct.pack("<8I", *v[:4], *v[12:])


# Poly1305 (RFC 8439, section 2.5)

def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at:at + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    return (total + int.from_bytes(key[16:], "little") & (1 << 128) - 1).to_bytes(16, "little")


# The seals of PROTOCOL.md

def tag(poly_key, header, sealed):
    def padded(data):
        return data + bytes(-len(data) % 16)

    return poly1305(poly_key, padded(header) + padded(sealed) + struct.pack("<QQ", len(header), len(sealed)))


def seal_with(key, nonce, header, body):
    """AEAD_CHACHA20_POLY1305 with a nonce of 12 bytes: what is sealed, and its tag."""
    stream = key_stream(key, 0, nonce, 1 + (len(body) + 63) // 64)
    sealed = xor(body, stream[64:])
    return sealed + tag(stream[:32], header, sealed)


def open_with(key, nonce, header, sealed):
    """The body, or None when the tag does not fit."""
    if len(sealed) < TAG:
        return None
    body, found = sealed[:-TAG], sealed[-TAG:]
    stream = key_stream(key, 0, nonce, 1 + (len(body) + 63) // 64)
    return xor(body, stream[64:]) if tag(stream[:32], header, body) == found else None


def nonce_of(n):
    return bytes(4) + n.to_bytes(8, "little")


def seal(key, n, header, body):
    return seal_with(key, nonce_of(n), header, body)


def open_sealed(key, n, header, sealed):
    return open_with(key, nonce_of(n), header, sealed)


def seal_x(key, nonce, header, body):
    return seal_with(hchacha20(key, nonce[:16]), bytes(4) + nonce[16:], header, body)


def open_x(key, nonce, header, sealed):
    return open_with(hchacha20(key, nonce[:16]), bytes(4) + nonce[16:], header, sealed)
