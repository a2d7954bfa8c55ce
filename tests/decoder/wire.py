"""The Tickwire wire format, written from PROTOCOL.md alone. Numbers in brackets are its sections.

Everything here is about one datagram or one body. What needs the history of a connection is in decoder.py.
"""

import json
import math
import struct

MAX_DATAGRAM = 1472
HEAD = 7
PATH_CHALLENGE, PATH_RESPONSE = PATH = 66, 67
FRAGMENT = 1100
WIRE_VERSION = 2

RELIABLE = ("reliable-ordered", "reliable-unordered")
UNRELIABLE = ("unreliable", "unreliable-sequenced")
KINDS = RELIABLE + UNRELIABLE + ("reliable-latest", "state")

REASONS = ["closed", "kicked", "shutdown", "timeout", "error", "refused", "full", "version", "game", "unreachable",
           "aborted", "overflow", "credentials", "token-invalid", "token-expired", "token-used", "resume-invalid",
           "replaced", "identity"]


class Malformed(Exception):
    """What makes a datagram malformed; the text is the rule that is broken."""


class Refused(Exception):
    """A section that cannot be kept now [5]."""


class Bytes:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def left(self):
        return len(self.data) - self.at

    def take(self, n):
        if self.left() < n:
            raise Malformed("a length that the bytes do not hold")
        self.at += n
        return self.data[self.at - n:self.at]

    def u8(self):
        return self.take(1)[0]

    def u16(self):
        return int.from_bytes(self.take(2), "little")

    def u32(self):
        return int.from_bytes(self.take(4), "little")

    def varint(self):
        value = 0
        for n in range(5):
            byte = self.u8()
            value |= (byte & 0x7f) << (7 * n)
            if byte < 0x80:
                if byte == 0 and n > 0:
                    raise Malformed("varint is not of the shortest form")
                if value >= 1 << 32:
                    raise Malformed("varint of 2^32 or more")
                return value
        raise Malformed("varint of more than 5 bytes")

    def end(self):
        if self.left():
            raise Malformed("bytes left over")


class Bits:
    def __init__(self, data):
        self.value = int.from_bytes(data, "big")
        self.size = 8 * len(data)
        self.at = 0

    def bits(self, n):
        if self.at + n > self.size:
            raise Malformed("a bit field that the bytes do not hold")
        self.at += n
        return self.value >> (self.size - self.at) & ((1 << n) - 1)

    def signed(self, n):
        value = self.bits(n)
        return value - (1 << n) if value >> (n - 1) else value

    def flag(self):
        return self.bits(1) == 1

    def var(self):
        value = 0
        for n in range(8):
            group = self.bits(4)
            value |= group << (4 * n)
            if not self.bits(1):
                if group == 0 and n > 0:
                    raise Malformed("var is not of the shortest form")
                return value
        raise Malformed("var of more than 40 bits")

    def end(self):
        if self.size - self.at >= 8:
            raise Malformed("bytes left over")
        if self.bits(self.size - self.at):
            raise Malformed("the last byte is not filled up with zero bits")


def expand(wire, nearest, bits=16):
    """The full number for its low bits, near another one [4]."""
    modulus = 1 << bits
    delta = (wire - nearest) % modulus
    return nearest + (delta if delta < modulus // 2 else delta - modulus)


def text_of_end(data):
    return data[:200].decode("utf-8", "replace")


def fnv(text):
    value = 0x811c9dc5
    for byte in text.encode("utf-16-le", "surrogatepass"):
        value = (value ^ byte) * 0x01000193 & 0xffffffff
    return value


# Handshake [3]

def first_byte(data):
    if not data:
        raise Malformed("an empty datagram")
    if len(data) > MAX_DATAGRAM:
        raise Malformed("a datagram of more than 1472 bytes")
    if data[0] & 0xe0:
        raise Malformed("reserved bits of the first byte")
    kind = data[0] & 15
    if data[0] & 0x10 and kind != 6:
        raise Malformed("key phase 1")
    if not 1 <= kind <= 6:
        raise Malformed("unknown kind of packet")
    return kind


SENDER_OF_KIND = {1: "client", 2: "server", 3: "client", 4: "server", 5: "server"}


def handshake(data):
    """A handshake packet as a dictionary."""
    kind = first_byte(data)
    sizes = {1: (1200, 1200), 2: (70, 70), 3: (1200, 1200), 4: (69, 69), 5: (18, 218)}
    low, high = sizes[kind]
    if not low <= len(data) <= high:
        raise Malformed("size of a handshake packet")
    reader = Bytes(data)
    reader.u8()
    if kind in (1, 3):
        if reader.take(4) != b"TKWR":
            raise Malformed("magic")
        out = {"kind": "request" if kind == 1 else "proof", "lowest": reader.u8(), "highest": reader.u8()}
        out["game"] = reader.u32()
        out["digest"] = reader.u32()
        out["nonce"] = reader.take(16)
        if kind == 3:
            out["version"] = reader.u8()
            out["cookie"] = reader.take(20)
            out["id"] = reader.u32()
            if out["id"] == 0:
                raise Malformed("client id 0")
            out["key"] = reader.take(32)
            length = reader.u16()
            if not 1 <= length <= 1094:
                raise Malformed("credential length %d" % length)
            out["sealed"] = reader.take(length + 16)
        out["padding"] = reader.left()
        out["zero"] = not any(reader.take(reader.left()))
        return out
    out = {"kind": {2: "challenge", 4: "accept", 5: "refuse"}[kind], "nonce": reader.take(16)}
    if kind == 2:
        out["version"] = reader.u8()
        out["key"] = reader.take(32)
        out["cookie"] = reader.take(20)
    elif kind == 4:
        out["id"] = reader.u32()
        if out["id"] == 0:
            raise Malformed("server id 0")
        out["key"] = reader.take(32)
        out["tag"] = reader.take(16)
    else:
        out["reason"] = reader.u8()
        if out["reason"] >= len(REASONS):
            raise Malformed("unknown reason in a refusal")
        out["text"] = text_of_end(reader.take(reader.left()))
    reader.end()
    return out


# Data packets [4]

class Ack:
    """The ack block: sequence is the low 16 bits or None, history the bits from n = 0 on."""

    def __init__(self, reader):
        flags = reader.u8()
        self.sequence = None
        self.delay = 0
        self.reach = 0
        self.history = []
        if flags & 0xf0:
            raise Malformed("reserved bits of the ack flags")
        if not flags & 1:
            if flags:
                raise Malformed("ack flags other than 0 without an ack")
            return
        self.sequence = reader.u16()
        self.delay = reader.u16()
        self.reach = 64 * ((flags >> 2) + 1)
        history = bytearray(b"\xff" * (self.reach // 8))
        if flags & 2:
            masks = int.from_bytes(reader.take(self.reach // 64), "little")
            if masks == 0:
                raise Malformed("history masks that are all 0")
            for n in range(self.reach // 8):
                if masks >> n & 1:
                    history[n] = reader.u8()
                    if history[n] == 0xff:
                        raise Malformed("a history byte of 0xff was written out")
        self.history = [history[n >> 3] >> (n & 7) & 1 for n in range(self.reach)]


class Data:
    """The opened body of a data packet taken apart; known(number) says whether the reader knows a section."""

    def __init__(self, body, known):
        reader = Bytes(body)
        self.ack = Ack(reader)
        self.sections = []
        self.unknown_must = []
        self.skipped = 0
        seen = set()
        while reader.left():
            kind = reader.u8()
            number = kind & 0x7f
            body = reader.take(reader.varint())
            if not known(number):
                if kind & 0x80:
                    self.unknown_must.append(number)
                else:
                    self.skipped += 1
                continue
            if number in seen:
                raise Malformed("two sections of number %d" % number)
            seen.add(number)
            if number < 64 and not body:
                raise Malformed("an empty channel section")
            if number in PATH and len(body) != 4:
                raise Malformed("a path section without 4 bytes")
            self.sections.append((number, body, kind >= 0x80))
        self.eliciting = len(self.sections) > 0
        self.numbers = seen

    def body(self, number):
        for n, body, _ in self.sections:
            if n == number:
                return body
        return None


def data_head(data):
    """Key phase, connection id and low bits of the sequence of something that claims to be a data packet."""
    if len(data) < 24:
        raise Malformed("a data packet of less than 24 bytes")
    return data[0] >> 4, int.from_bytes(data[1:5], "little"), int.from_bytes(data[5:7], "little")


# Records [6]

class Record:
    __slots__ = ("id", "index", "last", "bytes", "key", "revision")

    def __init__(self):
        self.id = None
        self.index = None
        self.last = True
        self.bytes = b""

    def form(self):
        return self.index, self.last, self.bytes

    def whole(self):
        return self.index is None


def records(kind, body, message_bytes):
    """The records of a section body; ids are the low 16 bits."""
    reader = Bytes(body)
    out = []
    while reader.left():
        record = Record()
        if kind == "reliable-latest":
            record.key = reader.varint()
            record.revision = reader.u16()
            size = reader.varint()
            if size > FRAGMENT + 1:
                raise Malformed("a record of more than 1100 bytes")
            record.bytes = None if size == 0 else reader.take(size - 1)
        else:
            if kind in RELIABLE:
                record.id = reader.u16()
            head = reader.varint()
            length = head >> 1
            if length > FRAGMENT:
                raise Malformed("a record of more than 1100 bytes")
            if head & 1:
                if kind in UNRELIABLE:
                    record.id = reader.u16()
                value = reader.varint()
                if value >= 1 << 14:
                    raise Malformed("a fragment index of more than two bytes")
                record.index = value >> 1
                record.last = value & 1 == 1
                if not record.last and length != FRAGMENT:
                    raise Malformed("a fragment that is not last and has less than 1100 bytes")
                if record.last and (record.index == 0 or length == 0):
                    raise Malformed("a last fragment of index 0 or without bytes")
            total = (record.index or 0) * FRAGMENT + length + (0 if record.last else 1)
            if message_bytes is not None and total > message_bytes:
                raise Malformed("a message longer than its channel allows")
            record.bytes = reader.take(length)
        out.append(record)
    return out


# Fields [8]

class Field:
    def __init__(self, name, kind, bits, low, step, high):
        self.name, self.kind, self.bits, self.min, self.step, self.max = name, kind, bits, low, step, high
        self.zero = self.quantise(0)

    def quantise(self, value):
        if self.kind == "angle":
            turn = value / 6.283185307179586
            q = math.floor((turn - math.floor(turn)) * (1 << self.bits) + 0.5)
            return 0 if q == 1 << self.bits else q
        if value != value:
            value = 0
        q = math.floor((value - self.min) / self.step + 0.5)
        return max(0, min(self.max, q))

    def value(self, q):
        if self.kind == "axis":
            half = (1 << (self.bits - 1)) - 1
            return (q - half) / half
        return self.min + q * self.step

    def read(self, bits):
        q = bits.bits(self.bits)
        if q > self.max:
            raise Malformed("a q above the maximum of %s" % self.name)
        return q


class Archetype:
    """Components of the archetype, and of each the fields as positions in the row."""

    def __init__(self, head, components, fields):
        self.name, self.capacity, self.controlled = head
        self.fields = [Field(*f) for f in fields]
        self.components = []
        at = 0
        for name, count, audience, *_ in components:
            self.components.append((name, audience, range(at, at + count)))
            at += count
        if at != len(self.fields):
            raise ValueError("components and fields of the schema do not fit")

    def told(self, yours):
        return [c for c in self.components if c[1] == 0 or (yours and c[1] == 1)]


class Schema:
    """The canonical text [12]."""

    def __init__(self, text):
        self.text = text
        self.digest = fnv(text)
        self.id, *parts = json.loads(text)
        # Without a game there is nothing but messages.
        self.tick_hz, inputs, archetypes, effects, messages = parts if len(parts) > 1 else [0, [], [], [], *parts]
        self.game = fnv(self.id)
        self.inputs = [Field(*f) for f in inputs]
        self.archetypes = [Archetype(*a) for a in archetypes]
        self.effects = [(name, [Field(*f) for f in fields]) for name, fields in effects]
        said = json.loads(messages)
        self.messages = said["messages"] if isinstance(said, dict) else said
        # As they stand in the header of a capture; the text has none when none but main is there.
        self.channels = []
        for n, (name, kind, bounds, _, _) in enumerate(said["channels"] if isinstance(said, dict) else []):
            self.channels.append({"id": n + 2 if n else 1, "kind": kind, "messageBytes": bounds[2],
                                  "queueBytes": bounds[3], "keys": bounds[6]})


# Inputs [9]

def read_inputs(schema, body):
    bits = Bits(body)
    out = {"epoch": bits.bits(8), "tick": bits.bits(16), "view": None, "inputs": []}
    count = bits.bits(5) + 1
    if bits.flag():
        out["view"] = (bits.bits(16), bits.bits(8))
    newest = [f.read(bits) for f in schema.inputs]
    out["inputs"].append(newest)
    for _ in range(count - 1):
        if bits.flag():
            newest = [f.read(bits) for f in schema.inputs]
        out["inputs"].append(newest)
    bits.end()
    return out


# Match events [7]

def read_event(schema, message):
    reader = Bytes(message)
    kind = reader.u8()
    out = {"kind": kind, "epoch": reader.u8()}
    if kind == 1:
        out["tick"] = reader.u32()
        out["seed"] = reader.u32()
        reader.end()
    elif kind == 2:
        reader.end()
    elif kind == 3:
        out["tick"] = reader.u32()
        out["effects"] = []
        bits = Bits(reader.take(reader.left()))
        while bits.flag():
            effect = bits.bits(8)
            entity = bits.var()
            n = bits.var()
            if effect >= len(schema.effects):
                raise Malformed("an effect kind that the schema does not have")
            out["effects"].append((effect, entity, n, [f.read(bits) for f in schema.effects[effect][1]]))
        bits.end()
    else:
        raise Malformed("an unknown match event")
    return out


# Snapshots [10]

class Row:
    """What is known of an entity at a tick."""

    def __init__(self, archetype, yours, values):
        self.archetype, self.yours, self.values = archetype, yours, values


def read_snapshot(schema, body, newest, baseline):
    """A snapshot; newest(epoch) is the tick to expand near or None for a stay that is not the present one, and
    baseline(epoch, id, tick) the row at a tick, or None."""
    bits = Bits(body)
    out = {"epoch": bits.bits(8), "foreign": False}
    near = newest(out["epoch"])
    if near is None:
        out["foreign"] = True
        return out
    tick = out["tick"] = expand(bits.bits(16), near)
    if tick < 0:
        raise Malformed("a negative snapshot tick")
    out["whole"] = bits.flag()
    out["predicted"] = bits.flag()
    out["feedback"] = (expand(bits.bits(16), tick), bits.signed(12)) if bits.flag() else None
    count = bits.var()
    if count > 64:
        raise Malformed("more than 64 entities gone")
    out["gone"] = [bits.var() for _ in range(count)]
    gone = set(out["gone"])
    rows = out["rows"] = []
    while bits.flag():
        number = bits.bits(8)
        if number >= len(schema.archetypes):
            raise Malformed("an archetype that the schema does not have")
        archetype = schema.archetypes[number]
        previous = 0
        for _ in range(bits.var() + 1):
            previous += bits.var() + 1
            if previous >= 1 << 32:
                raise Malformed("an entity id of 2^32 or more")
            if len(rows) == 1200:
                raise Malformed("more than 1200 records in a snapshot")
            if not bits.flag():
                yours = bits.flag()
                values = [f.zero for f in archetype.fields]
                for _, _, positions in archetype.told(yours):
                    for n in positions:
                        values[n] = archetype.fields[n].read(bits)
                rows.append((previous, Row(number, yours, values), None, []))
                continue
            back = bits.bits(6)
            if back == 0:
                raise Malformed("a change of distance 0")
            base = None if previous in gone else baseline(out["epoch"], previous, tick - back)
            if base is None:
                raise Refused("no row of entity %d at tick %d" % (previous, tick - back))
            if base.archetype != number:
                raise Malformed("a change of another archetype than its baseline")
            values = list(base.values)
            changes = []
            for _, _, positions in archetype.told(base.yours):
                if not bits.flag():
                    continue
                for n in positions:
                    if bits.flag():
                        read_change(bits, archetype.fields[n], n, values, changes)
            rows.append((previous, Row(number, base.yours, values), tick - back, changes))
    bits.end()
    return out


def read_change(bits, field, n, values, changes):
    old = values[n]
    width = (field.bits + 1) // 2
    if field.bits >= 12 and bits.flag():
        delta = bits.signed(width)
        q = old + delta
        if field.kind == "angle":
            q %= 1 << field.bits
        elif not 0 <= q <= field.max:
            raise Malformed("a near change out of the range of %s" % field.name)
        changes.append((n, old, delta, q, False))
    else:
        q = field.read(bits)
        delta = q - old
        if field.kind == "angle":
            delta = expand(q, old, field.bits) - old
        # A writer uses near whenever the difference fits.
        fits = field.bits >= 12 and -(1 << (width - 1)) <= delta < 1 << (width - 1)
        changes.append((n, old, None, q, fits))
    values[n] = q


# Application messages [11]

class Pack:
    """One MessagePack value within the bounds of section 11."""

    def __init__(self, data):
        self.reader = Bytes(data)
        self.items = 0

    def value(self, depth=0):
        r = self.reader
        b = r.u8()
        if b < 0x80:
            return b
        if b < 0x90:
            return self.map(b & 15, depth)
        if b < 0xa0:
            return self.array(b & 15, depth)
        if b < 0xc0:
            return self.text(b & 31)
        if b == 0xc0:
            return None
        if b in (0xc2, 0xc3):
            return b == 0xc3
        if 0xc4 <= b <= 0xc6:
            return r.take(int.from_bytes(r.take(1 << (b - 0xc4)), "big"))
        if b == 0xca:
            return struct.unpack(">f", r.take(4))[0]
        if b == 0xcb:
            return struct.unpack(">d", r.take(8))[0]
        if 0xcc <= b <= 0xd3:
            n = int.from_bytes(r.take(1 << (b & 3)), "big", signed=b >= 0xd0)
            if abs(n) >= 1 << 53:
                raise Malformed("an integer of more than 53 bits")
            return n
        if 0xd9 <= b <= 0xdb:
            return self.text(int.from_bytes(r.take(1 << (b - 0xd9)), "big"))
        if b in (0xdc, 0xdd):
            return self.array(int.from_bytes(r.take(2 if b == 0xdc else 4), "big"), depth)
        if b in (0xde, 0xdf):
            return self.map(int.from_bytes(r.take(2 if b == 0xde else 4), "big"), depth)
        if b >= 0xe0:
            return b - 0x100
        raise Malformed("a MessagePack form that is not allowed")

    def text(self, n):
        try:
            return self.reader.take(n).decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("a str that is not UTF-8") from None

    def nest(self, count, depth):
        self.items += count
        if depth >= 8:
            raise Malformed("nested more than 8 deep")
        if self.items > 1024:
            raise Malformed("more than 1024 items")

    def array(self, count, depth):
        self.nest(count, depth)
        return [self.value(depth + 1) for _ in range(count)]

    def map(self, count, depth):
        self.nest(count, depth)
        out = {}
        for _ in range(count):
            key = self.value(depth + 1)
            if not isinstance(key, str):
                raise Malformed("a map key that is not a str")
            out[key] = self.value(depth + 1)
        return out


def read_message(schema, message):
    """(name, items) of an application message."""
    reader = Bytes(message)
    kind = reader.varint()
    if kind >= len(schema.messages):
        raise Malformed("a message kind that the schema does not have")
    name, fields = schema.messages[kind]
    pack = Pack(reader.take(reader.left()))
    items = pack.value()
    pack.reader.end()
    if not isinstance(items, list) or len(items) != len(fields):
        raise Malformed("not an array of the declared length")
    for item, (field, kind, low, step, high) in zip(items, fields):
        number = isinstance(item, (int, float)) and not isinstance(item, bool)
        if kind == "text":
            good = isinstance(item, str) and len(item.encode("utf-8")) <= high
        elif kind == "bytes":
            good = isinstance(item, bytes) and len(item) <= high
        elif kind == "flag":
            good = isinstance(item, bool)
        elif kind in ("uint", "int"):
            good = number and math.isfinite(item) and item == math.floor(item) and low <= item <= low + high * step
        elif kind == "fixed":
            good = number and low <= item < low + (high + 1) * step
        else:
            good = number and math.isfinite(item)
        if not good:
            raise Malformed("field %s of message %s" % (field, name))
    return name, items


# Ends [13]

def read_close(body):
    """(reason, text) of a close section."""
    reason = body[0] if body else 0
    if reason >= len(REASONS):
        reason = 0
    return reason, text_of_end(body[1:])
