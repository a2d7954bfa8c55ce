"""Tests the decoder: the vectors of PROTOCOL.md, and conversations of an encoder of this file, sound and with faults.

    python3 test_decoder.py
"""

import json
import math
import os
import random
import re
import struct
import sys

import decoder
import wire

PROTOCOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "PROTOCOL.md")

failures = []


def check(good, what):
    if not good:
        failures.append(what)
        print("FAIL " + what)


# The vectors

def read_vectors():
    with open(PROTOCOL, encoding="utf-8") as page:
        text = page.read()
    out = []
    for name, block in re.findall(r"```vector name=([a-z-]+)\n(.*?)```", text, re.S):
        head, _, tail = ("\n" + block).partition("\n--\n")
        data = bytearray()
        for word in head.split():
            pair, _, count = word.partition("*")
            data += bytes.fromhex(pair) * int(count or "1")
        out.append((name, bytes(data), tail.rstrip("\n").split("\n")))
    return out


def number(value):
    """A number as ECMAScript writes it, as far as the vectors need."""
    if isinstance(value, float) and value == math.floor(value):
        return str(int(value))
    return repr(value)


def say_ack(last):
    ack = last["packet"].ack
    if ack.sequence is None:
        return "ack = none"
    text = "ack = %d after %s ms, and the %d before" % (last["ack"], number(ack.delay / 16), ack.reach)
    missing = [last["ack"] - 1 - n for n, bit in enumerate(ack.history) if not bit]
    return text + (", but not " + " and ".join(ranges(missing[::-1])) if missing else "")


def ranges(numbers):
    """Ascending numbers as text; three and more in a row as one."""
    out = []
    while numbers:
        count = sum(1 for n, value in enumerate(numbers) if value == numbers[0] + n)
        if count > 2:
            out.append("%d to %d" % (numbers[0], numbers[count - 1]))
        else:
            count = 1
            out.append(str(numbers[0]))
        numbers = numbers[count:]
    return out


def say_fields(fields, values):
    return ", ".join("%s %d" % (f.name, q) for f, q in zip(fields, values))


def say_event(schema, event, n):
    if event["kind"] == 1:
        return ["message %d = enter, epoch %d, tick %d, seed 0x%08x"
                % (n, event["epoch"], event["tick"], event["seed"])]
    if event["kind"] == 2:
        return ["message %d = leave, epoch %d" % (n, event["epoch"])]
    out = ["message %d = effects, epoch %d, tick %d" % (n, event["epoch"], event["tick"])]
    for kind, entity, count, values in event["effects"]:
        name, fields = schema.effects[kind]
        out.append("%s of %d, n %d = %s" % (name, entity, count, say_fields(fields, values)))
    return out


def say_row(schema, entity, row, base, changes):
    archetype = schema.archetypes[row.archetype]
    text = "%s %d = " % (archetype.name, entity)
    if base is None:
        told = [n for _, _, positions in archetype.told(row.yours) for n in positions]
        return text + "whole" + (", yours" if row.yours else "") + ": " + ", ".join(
            "%s %d" % (archetype.fields[n].name, row.values[n]) for n in told)
    parts = []
    for n, old, delta, q, _ in changes:
        name = archetype.fields[n].name
        if delta is None:
            parts.append("%s %d" % (name, q))
        else:
            parts.append("%s %d %s %d = %d" % (name, old, "-" if delta < 0 else "+", abs(delta), q))
    return text + "change since %d: " % base + ", ".join(parts)


def say_section(reader, kind, body, detail):
    schema = reader.schema
    if kind == 64:
        return ["section 64 = ping"]
    if kind == 65:
        return ["section 65 = close: " + wire.REASONS[detail[0]], "text = " + detail[1]]
    if kind == 2 and "inputs" in detail:
        out = ["section 2 = inputs, epoch %d" % detail["epoch"]]
        out.append("view = " + ("none" if detail["view"] is None else number(detail["view"])))
        for n, values in enumerate(detail["inputs"]):
            out.append("input %d = %s" % (detail["tick"] - n, say_fields(schema.inputs, values)))
        return out
    if kind == 2:
        out = ["section 2 = snapshot, epoch %d" % detail["epoch"]]
        out.append("tick = %d" % detail["tick"] + (", whole" if detail["whole"] else "") +
                   (", predicted" if detail["predicted"] else ""))
        if detail["feedback"] is not None:
            out.append("feedback = input %d, %s ms" % (detail["feedback"][0], number(detail["feedback"][1] / 4)))
        out.append("gone = " + (", ".join(map(str, detail["gone"])) or "none"))
        return out + [say_row(schema, *row) for row in detail["rows"]]
    delivery = reader.channels[kind]["kind"]
    out = ["section %d = %s" % (kind, delivery)]
    messages = iter(detail)
    for record in wire.records(delivery, body, None):
        # The vectors lose no record and have less than 65536 of them.
        if delivery == "reliable-latest":
            said = "deleted" if record.bytes is None else say_message(next(messages))
            out.append("key %d = revision %d: %s" % (record.key, record.revision, said))
            continue
        if not record.whole():
            out.append("fragment %d = index %d%s, %d bytes" % (record.id, record.index,
                                                              ", last" if record.last else "", len(record.bytes)))
        if record.last:
            message = next(messages)
            begin = "" if record.id is None else " %d" % (record.id - (record.index or 0))
            if kind == 0:
                out += say_event(schema, message, int(begin))
            else:
                out.append("message%s = %s" % (begin, say_message(message)))
    return out


def say_message(message):
    """An application message; the bytes in those of the vectors are all zero."""
    name, items = message
    return name + " " + json.dumps(items, ensure_ascii=False, separators=(",", ":"),
                                   default=lambda b: "%d zero bytes" % len(b) if not any(b) else b.hex())


def say_handshake(packet):
    kind = packet["kind"]
    out = ["kind = " + kind]
    if kind == "request":
        out.append("versions = %d to %d" % (packet["lowest"], packet["highest"]))
    if kind == "proof":
        out.append("version = %d" % packet["version"])
    if kind in ("request", "proof"):
        out.append("game id hash = 0x%08x" % packet["game"])
        out.append("schema digest = 0x%08x" % packet["digest"])
    out.append("nonce = " + (packet["nonce"].hex() if kind == "request" else "echoed"))
    if kind == "challenge":
        out.append("cookie = " + packet["cookie"].hex())
    if kind == "proof":
        check(packet["echo"] and packet["returned"], "the proof returns what it was given")
        out += ["cookie = returned", "client id = 0x%08x" % packet["id"], "client key = " + packet["key"].hex()]
    if kind == "accept":
        out += ["server id = 0x%08x" % packet["id"], "server key = " + packet["key"].hex(),
                "tag = " + ("valid" if packet["fits"] else "wrong")]
    if kind == "refuse":
        out += ["reason = " + wire.REASONS[packet["reason"]], "text = " + packet["text"]]
    if kind in ("request", "proof"):
        out.append("padding = %d" % packet["padding"])
    return out


def say(reader):
    last = reader.last
    if "handshake" in last:
        return say_handshake(last["handshake"])
    out = ["kind = data", "to = " + last["to"], "sequence = %d" % last["sequence"], say_ack(last)]
    for section in last["sections"]:
        out += say_section(reader, *section)
    return out + ["tag = " + ("valid" if last["tag"] else "wrong")]


def fields_vector(lines):
    for line in lines:
        found = re.fullmatch(r"(\w+)\((.*?)\) of (\S+) = (\d+) = (\S+)", line)
        check(found is not None, "fields: " + line)
        kind, arguments, value, q, shown = found.groups()
        a = [float(x) for x in arguments.split(",") if x]
        n = int(a[0]) if a else 1
        if kind == "fixed":
            high = math.floor((a[1] - a[0]) / a[2] + 0.5) - 1
            field = wire.Field("", kind, max(1, high.bit_length()), a[0], a[2], high)
        elif kind == "axis":
            half = (1 << (n - 1)) - 1
            field = wire.Field("", kind, n, -1, 1 / half, 2 * half)
        else:
            low = -(1 << (n - 1)) if kind == "int" else 0
            step = 6.283185307179586 / (1 << n) if kind == "angle" else 1
            field = wire.Field("", kind, n, low, step, (1 << n) - 1)
        got = field.quantise(float(value))
        check(got == int(q) and number(field.value(got)) == shown,
              "fields: %s gives %d = %s" % (line, got, number(field.value(got))))


def test_vectors():
    vectors = read_vectors()
    check(len(vectors) >= 16, "PROTOCOL.md has vectors")
    first = [{"id": 0, "kind": "reliable-ordered", "from": "server", "messageBytes": 1 << 18, "queueBytes": 1 << 20},
             {"id": 1, "kind": "reliable-ordered", "from": "both", "messageBytes": 1 << 18, "queueBytes": 1 << 20},
             {"id": 2, "kind": "state", "from": "both"}]
    reader = None
    for name, data, lines in vectors:
        if name == "fields":
            fields_vector(lines)
            continue
        if lines[0].startswith("id = "):
            reader = schema_vector(name, data, lines, reader, first)
            continue
        if lines[0] == "kind = data":
            sender = "client" if lines[1] == "to = server" else "server"
            due = int(lines[2].split()[-1])
            while len(reader.sides[sender].sent) < due:
                reader.event({"event": "withheld", "from": sender})
        else:
            sender = "client" if lines[0] in ("kind = request", "kind = proof") else "server"
        other = "server" if sender == "client" else "client"
        reader.line += 1
        before = len(reader.complaints)
        # The refusal of the vectors answers the same proof as the accept: as if it had come twice.
        if name == "refuse":
            reader.event({"event": "received", "by": "server", "bytes": proof.hex()})
        if name == "proof":
            proof = data
        try:
            reader.event({"event": "sent", "from": sender, "bytes": data.hex()})
            got = say(reader)
        except Exception as error:
            got = ["%s: %s" % (type(error).__name__, error)]
        if name != "refuse":
            reader.event({"event": "received", "by": other, "bytes": data.hex(), "verdict": "accepted"})
        check(got == lines, "vector %s:\n  said %s\n  read %s" % (name, lines, got))
        check(len(reader.complaints) == before, "vector %s: %s" % (name, reader.complaints[before:]))
    finish_vectors(reader)
    return len(vectors)


def schema_vector(name, data, lines, before, channels):
    """A reader for the conversation under a schema; the second one goes on after the handshake of the first."""
    header = {"format": 1, "schema": lines[1][len("text = "):], "channels": channels}
    if before is not None:
        finish_vectors(before)
        sides = before.sides
        header["connectionIds"] = {side: sides[side].id for side in sides}
        header["keys"] = {"clientToServer": sides["client"].key.hex(), "serverToClient": sides["server"].key.hex()}
        header["channels"] = wire.Schema(header["schema"]).channels
    reader = decoder.Decoder()
    reader.line = 1
    reader.event(header)
    schema = reader.schema
    check(struct.pack("<II", schema.game, schema.digest) == data, name + ": the hashes")
    check(lines[0] == "id = " + schema.id, name + ": the id")
    return reader


def finish_vectors(reader):
    reader.finish()
    check(not reader.complaints, "vectors at the end: %s" % reader.complaints[-1:])


# An encoder

def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def ack_block(kept, newest, delay, reach):
    if newest is None:
        return b"\0"
    history = bytearray(reach // 8)
    for n in range(reach):
        s = newest - 1 - n
        if s < 0 or s in kept:
            history[n >> 3] |= 1 << (n & 7)
    masks, bytes_out = 0, b""
    for n, byte in enumerate(history):
        if byte != 0xff:
            masks |= 1 << n
            bytes_out += bytes([byte])
    flags = 1 | (2 if masks else 0) | (reach // 64 - 1) << 2
    out = bytes([flags]) + struct.pack("<HH", newest & 0xffff, min(65535, delay))
    return out + (masks.to_bytes(reach // 64, "little") + bytes_out if masks else b"")


def section(number, body):
    return bytes([number | 128]) + varint(len(body)) + body


def cut(message):
    """(index, last, bytes) of the records of a message; a short one has no index."""
    if len(message) <= 1100:
        return [(None, True, message)]
    parts = [message[n:n + 1100] for n in range(0, len(message), 1100)]
    return [(n, n == len(parts) - 1, part) for n, part in enumerate(parts)]


def record(part, ident, reliable):
    index, last, data = part
    out = struct.pack("<H", ident & 0xffff) if reliable else b""
    out += varint(len(data) * 2 + (index is not None))
    if index is not None:
        out += b"" if reliable else struct.pack("<H", ident & 0xffff)
        out += varint(index * 2 + last)
    return out + data


IDS = {"client": 0x11223344, "server": 0xabcd0001}
KEYS = {"client": b"c" * 32, "server": b"s" * 32}
CHANNELS = [
    {"id": 1, "kind": "reliable-ordered", "messageBytes": 20000, "queueBytes": 60000},
    {"id": 3, "kind": "reliable-unordered", "messageBytes": 20000, "queueBytes": 60000},
    {"id": 4, "kind": "unreliable", "messageBytes": 20000},
    {"id": 5, "kind": "unreliable-sequenced", "messageBytes": 20000},
    {"id": 6, "kind": "reliable-latest", "keys": 8},
]


class Peer:
    """One end of a conversation; faults are planted by the hooks of its world."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.next = 0
        self.kept = {}
        self.newest = None
        self.received = set()
        self.queues = {1: [], 3: []}
        self.ids = {1: 0, 3: 0, 4: 0, 5: 0}
        self.flying = {}
        self.resend = []
        self.revisions = {}

    def say(self, channel, message):
        for part in cut(message):
            self.queues[channel].append((self.ids[channel], part))
            self.ids[channel] += 1

    def acked(self, newest, bits, reach):
        told = {newest} | {newest - 1 - n for n in range(reach) if bits[n]}
        for s in sorted(self.flying):
            if s in told:
                del self.flying[s]
            elif s < newest - 2:
                self.resend += self.flying.pop(s)

    def packet(self, sections, now):
        world = self.world
        delay, reach = 0, 64
        if self.newest is not None:
            delay = int((now - self.kept[self.newest]) * 16)
            need = self.newest - max([s for s, at in self.kept.items() if at <= now - 300], default=-1)
            reach = min(256, max(64, (need + 63) // 64 * 64))
        body = world.hook("ack", self, ack_block(self.kept, self.newest, delay, reach))
        body += b"".join(world.hook("sections", self, sections))
        data = b"\6" + struct.pack("<IH", IDS[world.other(self.name)], self.next & 0xffff) + body
        data = world.hook("packet", self, data)
        data += wire.mac(KEYS[self.name], data + struct.pack("<d", self.next))
        data = world.hook("tagged", self, data)
        self.next += 1
        return data

    def flush(self, now, random):
        out, room = [], 1000
        said = []
        bodies = {1: b"", 3: b""}

        def fits(part):
            return room == 1000 or len(part[2]) + 8 <= room

        while self.resend and fits(self.resend[0][2]):
            item = self.resend.pop(0)
            room -= len(item[2][2]) + 8
            bodies[item[0]] += self.world.hook("again", self, record(item[2], item[1], True))
            said.append(item)
        for channel, queue in self.queues.items():
            while queue and fits(queue[0][1]):
                ident, part = queue.pop(0)
                room -= len(part[2]) + 8
                bodies[channel] += self.world.hook("record", self, record(part, ident, True))
                said.append((channel, ident, part))
        for channel, body in bodies.items():
            if body:
                out.append(section(channel, body))
        if room == 1000 and random.random() < 0.5:
            message = random.randbytes(random.choice((5, 900)))
            out.append(section(random.choice((4, 5)), record(cut(message)[0], 0, False)))
        if random.random() < 0.2 and room > 100:
            key = random.randrange(4)
            revision = self.revisions[key] = self.revisions.get(key, 0) + 1
            out.append(section(6, varint(key) + struct.pack("<H", revision) + varint(4) + random.randbytes(3)))
        if not out and random.random() < 0.1:
            out.append(section(64, b""))
        self.flying[self.next] = said
        return self.packet(out, now)


class World:
    def __init__(self, seed, faults=None, steps=260, loss=0.15):
        self.random = random.Random(seed)
        self.faults = faults or {}
        self.fired = 0
        self.now = 0.0
        self.lines = [{"format": 1, "channels": CHANNELS, "connectionIds": IDS,
                       "keys": {"clientToServer": KEYS["client"].hex(), "serverToClient": KEYS["server"].hex()}}]
        self.peers = {name: Peer(self, name) for name in IDS}
        self.steps, self.loss = steps, loss
        self.air = []

    def other(self, name):
        return "server" if name == "client" else "client"

    def hook(self, name, peer, value):
        fault = self.faults.get(name)
        if fault is None or peer.name != "client" or self.now < 500 or self.fired:
            return value
        changed = fault(peer, value)
        if changed != value:
            self.fired += 1
        return changed

    def run(self):
        for step in range(self.steps):
            self.now = step * 10.0 + 0.125
            for name, peer in self.peers.items():
                if step < self.steps * 0.55 and self.random.random() < 0.3:
                    size = self.random.choice((0, 10, 700, 1100, 1101, 2200, 5000))
                    peer.say(self.random.choice((1, 3)), self.random.randbytes(size))
                data = peer.flush(self.now, self.random)
                self.lines.append({"event": "sent", "from": name, "atMs": self.now, "bytes": data.hex()})
                quiet = step > self.steps - 60
                copies = 0 if not quiet and self.random.random() < self.loss else 1
                if self.random.random() < 0.05:
                    copies += 1
                for _ in range(copies):
                    self.air.append((self.now + self.random.uniform(15, 50), len(self.air), name, data))
            self.air.sort()
            while self.air and self.air[0][0] < self.now + 10:
                self.arrive(*self.air.pop(0))
        return self.lines

    def arrive(self, at, _, name, data):
        peer = self.peers[self.other(name)]
        number = wire.expand(wire.data_head(data)[1], max(peer.received, default=-1) + 1)
        verdict = "duplicate" if number in peer.received else "accepted"
        genuine = wire.data_tag(KEYS[name], data, number) == data[-16:]
        if verdict == "accepted" and not genuine:
            verdict = "forged"
        if verdict == "accepted":
            peer.received.add(number)
            peer.kept[number] = at
            peer.newest = max(peer.kept)
            packet = wire.Data(data, lambda n: True) if not self.fired else None
            if packet is not None and packet.ack.sequence is not None:
                peer.acked(wire.expand(packet.ack.sequence, peer.next - 1), packet.ack.history, packet.ack.reach)
        self.lines.append({"event": "received", "by": peer.name, "atMs": at, "bytes": data.hex(), "verdict": verdict})


def decode(lines):
    return decoder.Decoder().run(json.dumps(line) for line in lines)


def rules(summary):
    return [c["rule"] + ": " + c["detail"] for c in summary["complaints"]]


def flip_history(peer, block):
    """Says that one sequence that was kept was not, or the other way round."""
    if len(block) < 5:
        return block
    newest = peer.newest
    kept = set(peer.kept) ^ {newest - 3}
    reach = 64 * ((block[0] >> 2 & 3) + 1)
    return ack_block(kept, newest, int.from_bytes(block[3:5], "little"), reach)


def change(at, by):
    def fault(peer, block):
        if len(block) <= at:
            return block
        value = int.from_bytes(block[at:at + 2], "little") + by & 0xffff
        return block[:at] + struct.pack("<H", value) + block[at + 2:]
    return fault


def first_section(test, replace):
    """Replaces the first section that passes the test."""
    def fault(peer, sections):
        for n, s in enumerate(sections):
            if test(s):
                return sections[:n] + replace(s) + sections[n + 1:]
        return sections
    return fault


def is_fragment(rec):
    return len(rec) > 4 and rec[2] & 1 == 1


def fragment_index(rec):
    """The index one higher; the head of a fragment is of two bytes when it is long."""
    if not is_fragment(rec):
        return rec
    at = 2 + (2 if rec[2] & 0x80 else 1)
    return rec[:at] + bytes([rec[at] + 2]) + rec[at + 1:]


FAULTS = {
    "a flipped history bit": ("ack", flip_history, "history bit"),
    "ack one too low": ("ack", change(1, -1), "ack is the newest"),
    "ack one too high": ("ack", change(1, 1), "ack is the newest"),
    "a delay of 3/16 ms too much": ("ack", change(3, 3), "delay"),
    "no ack": ("ack", lambda p, b: b"\0" if p.kept else b, "a side that kept a packet acks"),
    "reserved bits of the ack flags": ("ack", lambda p, b: bytes([b[0] | 0x40]) + b[1:], "reserved"),
    "empty masks": ("ack", lambda p, b: bytes([b[0] & 1 | 2]) + b[1:5] + b"\0", "masks"),
    "a history byte of 0xff": ("ack", lambda p, b: bytes([3]) + b[1:5] + b"\1\xff", "0xff"),
    "a duplicated section": ("sections", lambda p, s: s + s[:1] if s and len(s[0]) < 100 else s, "two sections"),
    "an unknown section": ("sections", lambda p, s: s + [b"\xbf\x01a"], "section numbers"),
    "an unknown section to be skipped": ("sections", lambda p, s: s + [b"\x3f\x01a"], "section numbers"),
    "an empty channel section": ("sections", lambda p, s: s or [b"\x81\0"], "empty channel"),
    "a byte left over": ("packet", lambda p, d: d + b"\0", "malformed"),
    "a section that is too long": ("packet", lambda p, d: d + b"\xc0\x05abc", "bytes do not hold"),
    "a long varint": ("packet", lambda p, d: d + b"\xc0\x80\0", "shortest"),
    "a wrong connection id": ("packet", lambda p, d: d[:1] + b"\1\2\3\4" + d[5:], "connection id"),
    "a left out sequence": ("packet", lambda p, d: d[:5] + struct.pack("<H", p.next + 1) + d[7:], "one by one"),
    "a wrong tag": ("tagged", lambda p, d: d[:-1] + bytes([d[-1] ^ 1]), "tag fits"),
    "a tag over an integer": ("tagged", lambda p, d: d[:-16] + wire.mac(KEYS[p.name], d[:-16] + struct.pack(
        "<Q", p.next)), "tag fits"),
    "a reserved bit of the first byte": ("packet", lambda p, d: b"\x26" + d[1:], "reserved"),
    "key phase 1": ("packet", lambda p, d: b"\x16" + d[1:], "key phase"),
    "kind 0": ("packet", lambda p, d: b"\0" + d[1:], "unknown kind"),
    "a fragment of a wrong index": ("record", lambda p, r: fragment_index(r), "fragments|same|last fragment"),
    "a record id that leaves one out": ("record", lambda p, r: struct.pack(
        "<H", (int.from_bytes(r[:2], "little") + 7) & 0xffff) + r[2:], "record ids|same"),
    "a record that changes": ("again", lambda p, r: r[:-1] + bytes([r[-1] ^ 1]), "same"),
    "a packet of 1300 bytes": ("sections", lambda p, s: [section(4, record((None, True, bytes(1100)), 0, False)),
                                                         section(5, record((None, True, bytes(150)), 0, False))],
                               "1200 bytes"),
    "a close that does not stand alone": ("sections", lambda p, s: s + [section(65, b"\0")] if s else s, "alone"),
    "too long a record": ("sections", lambda p, s: [section(4, varint(1101 * 2) + bytes(1101))], "1100"),
    "a fragment that is short": ("sections", lambda p, s: [section(4, varint(21) + b"\0\0\0" + bytes(10))],
                                 "less than 1100"),
    "a last fragment of index 0": ("sections", lambda p, s: [section(4, varint(21) + b"\0\0\1" + bytes(10))],
                                   "index 0"),
    "a fragment beyond messageBytes": ("sections", lambda p, s: [section(4, varint(21) + b"\0\0" + varint(
        19 * 2 + 1) + bytes(10))], "longer than its channel"),
    "a value that changes without a revision": ("sections", lambda p, s: [section(6, b"\1\1\0\2a\1\1\0\2b")],
                                                "value said again"),
}


def test_faults():
    sound = 0
    for seed in range(4):
        world = World(seed)
        world.lines[0]["complete"] = True
        summary = decode(world.run())
        check(summary["complaintsFound"] == 0, "a sound conversation %d: %s" % (seed, rules(summary)[:3]))
        check(summary["acksChecked"] > 300 and summary["bitsChecked"] > 20000, "enough is checked")
        for name in IDS:
            check(len(summary["messages"][name]["1"]) > 5, "messages are put together")
            check(summary["verdicts"][name].get("duplicate", 0) > 0, "duplicates came")
        sound += summary["packets"]
    for name, (hook, fault, expected) in FAULTS.items():
        world = World(7, {hook: fault}, steps=130)
        lines = world.run()
        check(world.fired == 1, "fault planted: " + name)
        summary = decode(lines)
        found = [r for r in rules(summary) if re.search(expected, r)]
        check(found, "fault complained of: %s: %s" % (name, rules(summary)[:3]))
    test_edited_captures()
    return sound


def test_edited_captures():
    """Faults of the receiving side: what it says of a packet."""
    lines = World(9, steps=130).run()

    def edited(name, edit, expected):
        copy = [dict(line) for line in lines]
        edit(copy)
        found = [r for r in rules(decode(copy)) if re.search(expected, r)]
        check(found, "capture with %s: %s" % (name, rules(decode(copy))[:2]))

    def pick(copy, verdict, after=300):
        return next(n for n in range(after, len(copy)) if copy[n].get("verdict") == verdict)

    def set_verdict(old, new):
        def edit(copy):
            copy[pick(copy, old)]["verdict"] = new
        return edit

    def damage(copy):
        n = pick(copy, "accepted")
        data = bytearray.fromhex(copy[n]["bytes"])
        data[9] ^= 4
        copy[n]["bytes"] = data.hex()

    def forge_and_keep(copy):
        n = pick(copy, "accepted")
        data = bytearray.fromhex(copy[n]["bytes"])
        data[-1] ^= 4
        copy.insert(n, dict(copy[n], bytes=data.hex()))

    edited("an accepted duplicate", set_verdict("duplicate", "accepted"), "verdict")
    edited("a refusal without cause", set_verdict("accepted", "refused"), "verdict")
    edited("a packet that was not kept but is acked", lambda c: c.pop(pick(c, "accepted")), "history bit|newest")
    edited("a damaged packet that is accepted", damage, "verdict.*forged")
    edited("a forged packet that is accepted", forge_and_keep, "verdict.*forged")


# The handshake

def capture_of_vectors():
    return {name: (data, lines) for name, data, lines in read_vectors()}


def test_handshake():
    """The handshake of the vectors, with one thing changed."""
    vectors = capture_of_vectors()
    names = [("client", "request"), ("server", "challenge"), ("client", "proof"), ("server", "accept"),
             ("client", "ping")]

    def run(edits=None, twice=(), gap=250.0):
        lines = [{"format": 1, "channels": []}]
        now = 0.0
        for sender, name in names:
            for _ in range(2 if name in twice else 1):
                now += gap
                data = bytearray(vectors[name][0])
                for at, value in (edits or {}).get(name, []):
                    data[at] = value
                lines.append({"event": "sent", "from": sender, "atMs": now, "bytes": data.hex()})
            lines.append({"event": "received", "by": "server" if sender == "client" else "client", "atMs": now + 1,
                          "bytes": data.hex(), "verdict": "accepted"})
        return rules(decode(lines))

    check(not run(), "the handshake of the vectors: %s" % run())
    for what, edits, expected in [
        ("padding", {"request": [(1199, 1)]}, "padding"),
        ("magic", {"request": [(1, 0)]}, "magic"),
        ("nonce", {"challenge": [(1, 0)]}, "nonce"),
        ("cookie", {"proof": [(31, 0)]}, "cookie"),
        ("client id", {"proof": [(n, 0) for n in range(51, 55)]}, "client id 0"),
        ("reserved", {"proof": [(6, 1)]}, "reserved"),
        ("token", {"proof": [(87, 1)]}, "token"),
        ("accept tag", {"accept": [(68, 0)]}, "accept fits"),
        ("version", {"proof": [(5, 2)]}, "version used"),
        ("data tag", {"ping": [(25, 0)]}, "tag fits"),
    ]:
        got = run(edits)
        check(any(expected in r for r in got), "handshake with a wrong %s: %s" % (what, got))
    check(any("200 ms" in r for r in run(twice=("request",), gap=150.0)), "a request repeated too soon")
    check(any("at most once" in r for r in run(twice=("challenge",))), "two challenges for a request")


# The rest of the records

def test_records():
    """Rules of section 6 that a reader keeps."""
    channel = {"id": 1, "kind": "reliable-ordered", "messageBytes": 5000, "queueBytes": 3000}

    def verdict(*bodies, judge=None):
        into = decoder.ReliableIn(channel)
        for body in bodies[:-1]:
            into.judge(body)
            into.take(body, 0)
        try:
            return into.judge(bodies[-1]), into
        except wire.Malformed as problem:
            return str(problem), into

    def rec(ident, index=None, last=True, size=1100):
        return record((index, last, b"x" * size), ident, True)

    whole = lambda ident: rec(ident, size=3)
    for what, bodies, expected in [
        ("id 256 beyond", [whole(256)], "256 or more"),
        ("id 255 beyond", [whole(255)], None),
        ("begins before 0", [rec(0, 1, True, 9)], "before record 0"),
        ("begins among delivered", [whole(0) + whole(1), rec(2, 1, True, 9)], "within another"),
        ("within another", [rec(0, 0, False), rec(1, 0, False)], "next index"),
        ("does not go on", [rec(0, 0, False), whole(1)], "next index"),
        ("contains another", [whole(2), rec(3, 2, True, 9)], "within another"),
        ("contains a later one", [rec(2, 1, True, 9), rec(1, 0, False) + rec(3, 1, True, 4)],
         "within another|contains"),
        ("another begins after", [whole(2), rec(1, 0, False)], "after which"),
        ("two that contradict in one section", [rec(1, 0, False) + whole(2)], "next index"),
        ("goes on", [rec(0, 0, False), rec(1, 1, True, 9)], None),
        ("early last", [rec(2, 2, True, 9), rec(1, 1, False)], None),
        ("received before", [whole(0), whole(0)], None),
        ("a message too long", [rec(0, 0, False) + rec(4, 4, False)], "longer"),
    ]:
        got, _ = verdict(*bodies)
        good = got == {"accepted"} if expected is None else isinstance(got, str) and re.search(expected, got)
        check(good, "reliable-ordered, %s: %s" % (what, got))
    got, _ = verdict(*[rec(n) for n in range(1, 8)], rec(8))
    check(got == {"refused"}, "reliable-ordered, beyond the bound: %s" % got)

    into = decoder.ReliableIn(dict(channel, kind="reliable-unordered"))
    for body in (rec(2, 1, True, 9), whole(3), rec(1, 0, False), whole(0)):
        check(into.judge(body) == {"accepted"}, "reliable-unordered accepts")
        into.take(body, 0)
    check([len(m) for m in into.messages] == [3, 1109, 3] and into.next == 4 and not into.held,
          "reliable-unordered delivers as soon as it is there")

    into = decoder.UnreliableIn({"id": 4, "kind": "unreliable-sequenced", "messageBytes": 5000})
    into.take(record((1, True, b"b"), 1, False), 3)
    into.take(record((None, True, b"new"), 0, False), 2)
    into.take(record((0, False, b"a" * 1100), 0, False), 1)
    check(into.messages == [b"new"], "sequenced drops what began before")

    into = decoder.LatestIn({"id": 6, "kind": "reliable-latest", "keys": 1})
    into.take(b"\1\5\0\2a", 5)
    into.take(b"\1\4\0\2b", 4)
    into.take(b"\1\6\0\0", 6)
    check(into.messages == [b"a"] and into.keys[1][2] is None, "latest takes what is of a later packet")
    check(into.judge(b"\2\0\0\2a") == {"accepted", "refused"}, "a deleted key may count")


# Acks in time, reach, ends

class Script:
    """A capture written packet by packet."""

    def __init__(self, **options):
        self.lines = [dict({"format": 1, "channels": CHANNELS, "connectionIds": IDS,
                            "keys": {"clientToServer": KEYS["client"].hex(), "serverToClient": KEYS["server"].hex()}},
                           **options)]
        self.counts = {"client": 0, "server": 0}

    def send(self, name, at, ack=b"\0", sections=b""):
        other = "server" if name == "client" else "client"
        n = self.counts[name]
        self.counts[name] += 1
        data = b"\6" + struct.pack("<IH", IDS[other], n & 0xffff) + ack + sections
        data += wire.mac(KEYS[name], data + struct.pack("<d", n))
        self.lines.append({"event": "sent", "from": name, "atMs": at, "bytes": data.hex()})
        return data

    def arrive(self, by, at, data, verdict="accepted"):
        self.lines.append({"event": "received", "by": by, "atMs": at, "bytes": data.hex(), "verdict": verdict})

    def both(self, name, at, **what):
        self.arrive("server" if name == "client" else "client", at, self.send(name, at, **what))

    def rules(self):
        return rules(decode(self.lines))


def test_rules_of_a_connection():
    ping, close = section(64, b""), section(65, b"\0bye")

    def expect(what, script, expected):
        got = script.rules()
        good = not got if expected is None else any(re.search(expected, r) for r in got)
        check(good, "%s: %s" % (what, got[:3]))

    for reach, expected in ((64, "reach"), (128, None), (256, None)):
        script = Script()
        for n in range(100):
            script.both("server", n, sections=ping)
        script.send("client", 100, ack=ack_block(set(range(100)), 99, 16, reach))
        expect("reach %d for 100 packets" % reach, script, expected)

    for at, expected in ((41.0, None), (60.0, "in time")):
        script = Script(flushMs=16)
        script.both("server", 0, sections=ping)
        script.send("client", at, ack=ack_block({0}, 0, int(at * 16), 64))
        expect("an ack after %d ms" % at, script, expected)

    for delay, expected in ((65535, None), (64000, "delay")):
        script = Script()
        script.both("server", 0, sections=ping)
        script.send("client", 5000, ack=ack_block({0}, 0, delay, 64))
        expect("a delay of %d" % delay, script, expected)

    script = Script()
    script.send("client", 0, ack=ack_block(set(), 0, 0, 64))
    expect("an ack of nothing", script, "before anything")

    script = Script()
    script.send("client", 0, sections=section(64, bytes(1300)))
    expect("a padded ping", script, None)

    message = section(1, record((None, True, b"m"), 0, True))
    for verdict, expected in (("refused", None), ("accepted", "verdict")):
        script = Script()
        data = script.send("server", 0, sections=message)
        script.send("client", 1, sections=close)
        script.arrive("client", 2, data, verdict)
        expect("a message after a close is " + verdict, script, expected)
    script = Script()
    script.send("client", 1, sections=close)
    script.send("client", 90, sections=ping)
    expect("a ping after a close", script, "sends only closes")
    script = Script()
    script.send("client", 1, sections=close)
    script.send("client", 30, sections=close)
    expect("a close again after 29 ms", script, "50 ms")
    script = Script()
    script.both("client", 1, sections=close)
    script.send("server", 3, ack=ack_block({0}, 0, 32, 64), sections=ping)
    expect("a ping in answer to a close", script, "heard a close")

    script = Script()
    parts = b"".join(record((None, True, b"m"), n, True) for n in range(128))
    script.send("client", 0, sections=section(1, parts))
    parts = b"".join(record((None, True, b"m"), n, True) for n in range(128, 256))
    script.send("client", 1, sections=section(1, parts))
    expect("256 records under way", script, None)
    script.send("client", 2, sections=section(1, record((None, True, b"m"), 256, True)))
    expect("257 records under way", script, "256 records")

    script = Script()
    refused = script.send("server", 0, sections=b"\xbf\1a")
    script.arrive("client", 1, refused, "refused")
    script.arrive("client", 2, refused, "duplicate")
    script.both("server", 3, sections=ping)
    script.send("client", 3, ack=ack_block({1}, 1, 0, 64))
    expect("a refused packet is not acked", script, "section numbers")
    check(len(script.rules()) == 1, "a refused packet is not acked: %s" % script.rules())


def main():
    vectors = test_vectors()
    test_handshake()
    test_records()
    test_rules_of_a_connection()
    packets = test_faults()
    print("%d vectors, %d faults, %d sound packets, %d failures" % (vectors, len(FAULTS), packets, len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
