"""Decodes a capture of one Tickwire connection to its last bit and checks what its acks mean.

Written from PROTOCOL.md alone; numbers in brackets are its sections. Usage:

    python3 decoder.py [capture.jsonl]      the capture, or standard input
    python3 decoder.py --self-test          the vectors of PROTOCOL.md and planted faults

Prints a JSON summary. The exit code is 1 when there is a complaint. README.md describes captures.
"""

import bisect
import collections
import hashlib
import json
import sys

import handshake
import wire
from primitives import open_sealed
from wire import HEAD, PATH, PATH_CHALLENGE, PATH_RESPONSE, Malformed, Refused, expand

WINDOW = 256
PING, CLOSE = 64, 65
COMPLAINTS_PRINTED = 200
# A receiver takes so many packets a second [5].
PACKETS_A_SECOND = 1000
# A key is kept so long after the next one began, ms [4].
KEY_KEPT = 500
# Of path challenges [5].
CHALLENGE_INTERVAL = 100
WRONG_ANSWERS = 16


class ReliableOut:
    """What a side says on a reliable channel [6]."""

    def __init__(self, channel):
        self.channel = channel
        self.records = []
        self.acked = set()
        self.oldest = 0
        self.parts = []
        self.all = []

    def said(self, body, complain, warn):
        ids = []
        for record in wire.records(self.channel["kind"], body, self.channel.get("messageBytes")):
            record.id = expand(record.id, len(self.records))
            ids.append(record.id)
            if not 0 <= record.id <= len(self.records):
                complain("record ids count from 0 in the order in which they are first sent", "id %d" % record.id)
            elif record.id < len(self.records):
                if self.records[record.id].form() != record.form():
                    complain("a record said again is the same", "id %d" % record.id)
                if record.id in self.acked or record.id < self.oldest:
                    warn("a record is said again although it was acked", "id %d" % record.id)
            else:
                before = self.records[-1] if self.records else None
                going = before is not None and not before.whole() and not before.last
                expected = before.index + 1 if going else 0
                if (record.index or 0) != expected or (going and record.whole()):
                    complain("fragments of a message have consecutive ids", "id %d" % record.id)
                if record.id - self.oldest >= WINDOW:
                    complain("at most 256 records under way", "id %d, oldest %d" % (record.id, self.oldest))
                self.records.append(record)
                self.parts.append(record.bytes)
                if record.last:
                    self.all.append(b"".join(self.parts))
                    self.parts = []
        return ids

    def ack(self, ids):
        self.acked.update(ids)
        while self.oldest in self.acked:
            self.acked.remove(self.oldest)
            self.oldest += 1

    def messages(self):
        return self.all


class ReliableIn:
    """What a side receives on a reliable channel [6]."""

    def __init__(self, channel):
        self.channel = channel
        self.ordered = channel["kind"] == "reliable-ordered"
        self.next = 0
        self.ids = []
        self.known = {}
        self.held = {}
        self.groups = {}
        self.messages = []
        self.fresh = []

    def judge(self, body):
        """Raises what is wrong with a section; says which of refused and accepted the bound leaves."""
        added = []
        try:
            size = sum(len(r.bytes) for r in self.held.values())
            for record in wire.records(self.channel["kind"], body, self.channel.get("messageBytes")):
                record.id = expand(record.id, self.next)
                if record.id < 0:
                    raise Malformed("a negative record id")
                if record.id < self.next or record.id in self.known:
                    continue
                if record.id - self.next >= WINDOW:
                    raise Malformed("an id of 256 or more beyond the lowest missing one")
                self.fits(record)
                self.learn(record)
                added.append(record)
                size += len(record.bytes)
            bound = self.channel.get("queueBytes")
            if bound is None:
                return {"accepted", "refused"}
            return {"refused" if size > bound + self.channel.get("messageBytes", 0) else "accepted"}
        finally:
            for record in added:
                self.ids.remove(record.id)
                del self.known[record.id]

    def first(self, record):
        return record.id - (record.index or 0)

    def learn(self, record):
        bisect.insort(self.ids, record.id)
        self.known[record.id] = (self.first(record), record.last)

    def fits(self, record):
        """Fragments that contradict each other are malformed."""
        first = self.first(record)
        if first < 0:
            raise Malformed("a message that begins before record 0")
        at = bisect.bisect_left(self.ids, record.id)
        if at > 0:
            before = self.ids[at - 1]
            begun, last = self.known[before]
            if first <= before:
                if begun != first or last:
                    raise Malformed("a fragment within another message")
            elif not last and first == before + 1:
                raise Malformed("a fragment that does not go on with the next index")
        elif first < self.next:
            raise Malformed("a message that begins among records delivered before")
        if at < len(self.ids):
            after = self.ids[at]
            begun, _ = self.known[after]
            if begun <= record.id:
                if begun != first or record.last:
                    raise Malformed("a message that contains another one")
            elif begun == record.id + 1 and not record.last:
                raise Malformed("a fragment after which another message begins")

    def take(self, body, sequence):
        self.fresh = []
        for record in wire.records(self.channel["kind"], body, None):
            record.id = expand(record.id, self.next)
            if record.id < self.next or record.id in self.known:
                continue
            self.learn(record)
            self.held[record.id] = record
            if not self.ordered:
                self.complete(record)
            while self.next in self.known:
                if self.ordered:
                    if self.held[self.next].last:
                        self.deliver(self.known[self.next][0], self.next)
                self.next += 1
        # What lies before the message under way is not looked at again.
        keep = self.next - 1
        if keep in self.known and not self.known[keep][1]:
            keep = self.known[keep][0]
        while self.ids and self.ids[0] < keep:
            del self.known[self.ids.pop(0)]

    def complete(self, record):
        first = self.first(record)
        group = self.groups.setdefault(first, [0, None])
        group[0] += 1
        if record.last:
            group[1] = record.id
        if group[1] is not None and group[0] == group[1] - first + 1:
            del self.groups[first]
            self.deliver(first, group[1])

    def deliver(self, first, last):
        message = b"".join(self.held.pop(n).bytes for n in range(first, last + 1))
        self.messages.append(message)
        self.fresh.append(message)


class UnreliableOut:
    def __init__(self, channel):
        self.channel = channel
        self.next = 0
        self.before = None
        self.parts = []
        self.all = []

    def said(self, body, complain, warn):
        for record in wire.records(self.channel["kind"], body, self.channel.get("messageBytes")):
            if record.whole():
                self.all.append(record.bytes)
                continue
            record.id = expand(record.id, self.next)
            if record.id < self.next:
                complain("ids of fragments count the fragments of the channel", "id %d" % record.id)
            elif record.id > self.next:
                warn("ids of fragments leave some out", "%d after %d" % (record.id, self.next))
            elif record.index > 0 and (self.before is None or self.before.last or
                                       self.before.index + 1 != record.index):
                complain("fragments of a message have consecutive ids", "id %d" % record.id)
            elif record.index == 0 and self.before is not None and not self.before.last:
                warn("a message begins before the fragments of another are all said", "id %d" % record.id)
            self.next = max(self.next, record.id + 1)
            if record.index == 0:
                self.parts = []
            self.parts.append(record.bytes)
            if record.last and record.index + 1 == len(self.parts):
                self.all.append(b"".join(self.parts))
            self.before = record
        return []

    def ack(self, ids):
        pass

    def messages(self):
        return self.all


class UnreliableIn:
    """A reader that forgets nothing; a true one may drop what is fragmented and old."""

    def __init__(self, channel):
        self.channel = channel
        self.sequenced = channel["kind"] == "unreliable-sequenced"
        self.next = 0
        self.groups = {}
        self.newest = (-1, 0)
        self.messages = []
        self.fresh = []

    def judge(self, body):
        wire.records(self.channel["kind"], body, self.channel.get("messageBytes"))
        return {"accepted"}

    def take(self, body, sequence):
        self.fresh = []
        for n, record in enumerate(wire.records(self.channel["kind"], body, None)):
            if record.whole():
                self.deliver(record.bytes, (sequence, n))
                continue
            record.id = expand(record.id, self.next)
            self.next = max(self.next, record.id + 1)
            first = record.id - record.index
            group = self.groups.setdefault(first, {"parts": {}, "last": None, "begin": None})
            group["parts"][record.index] = record.bytes
            if record.index == 0:
                group["begin"] = (sequence, n)
            if record.last:
                group["last"] = record.index
            if group["last"] is not None and len(group["parts"]) == group["last"] + 1:
                del self.groups[first]
                self.deliver(b"".join(group["parts"][i] for i in range(group["last"] + 1)), group["begin"])

    def deliver(self, message, begin):
        if self.sequenced:
            if begin < self.newest:
                return
            self.newest = begin
        self.messages.append(message)
        self.fresh.append(message)


class LatestOut:
    def __init__(self, channel):
        self.channel = channel
        self.keys = {}
        self.all = []

    def said(self, body, complain, warn):
        seen = set()
        for record in wire.records("reliable-latest", body, None):
            if record.key in seen:
                warn("a key stands twice in a section", "key %d" % record.key)
            seen.add(record.key)
            before = self.keys.get(record.key)
            if before is not None and before[0] == record.revision:
                if before[1] != record.bytes:
                    complain("a value said again is the same", "key %d" % record.key)
                continue
            if before is not None and record.revision != (before[0] + 1) & 0xffff:
                warn("a revision leaves some out", "key %d: %d after %d" % (record.key, record.revision, before[0]))
            self.keys[record.key] = (record.revision, record.bytes)
            if record.bytes is not None:
                self.all.append(record.bytes)
        bound = self.channel.get("keys")
        if bound is not None and sum(1 for r, b in self.keys.values() if b is not None) > bound:
            complain("no more keys than declared", "more than %d" % bound)
        return []

    def ack(self, ids):
        pass

    def messages(self):
        return self.all


class LatestIn:
    def __init__(self, channel):
        self.channel = channel
        self.keys = {}
        self.messages = []
        self.fresh = []

    def judge(self, body):
        bound = self.channel.get("keys")
        allowed = {"accepted"}
        all_keys = set(self.keys)
        live = {k for k, (s, r, b) in self.keys.items() if b is not None}
        for record in wire.records("reliable-latest", body, None):
            all_keys.add(record.key)
            if record.bytes is not None:
                live.add(record.key)
        if bound is not None and len(all_keys) > bound:
            allowed.add("refused")
        if bound is not None and len(live) > bound:
            allowed.discard("accepted")
        return allowed

    def take(self, body, sequence):
        self.fresh = []
        for record in wire.records("reliable-latest", body, None):
            before = self.keys.get(record.key)
            if before is not None:
                if before[0] > sequence:
                    continue
                same = before[1] == record.revision
                if same and (before[2] is not None or record.bytes is None):
                    continue
            self.keys[record.key] = (sequence, record.revision, record.bytes)
            if record.bytes is not None:
                self.messages.append(record.bytes)
                self.fresh.append(record.bytes)


def channel_out(channel):
    kind = channel["kind"]
    return (ReliableOut if kind in wire.RELIABLE else UnreliableOut if kind in wire.UNRELIABLE else
            LatestOut)(channel)


def channel_in(channel):
    kind = channel["kind"]
    return (ReliableIn if kind in wire.RELIABLE else UnreliableIn if kind in wire.UNRELIABLE else LatestIn)(channel)


class Stay:
    """A stay in a match as one side knows it [7, 9, 10]: epoch, ticks and rows."""

    def __init__(self):
        self.epoch = None
        self.over = False
        self.newest = 0
        self.taken = False
        self.rows = {}
        self.inputs = {}
        self.newest_input = None

    def enter(self, epoch, tick):
        self.__init__()
        self.epoch = epoch
        self.newest = tick

    def near(self, epoch):
        return self.newest if epoch == self.epoch else None

    def baseline(self, epoch, entity, tick):
        return self.rows.get(entity, {}).get(tick)

    def apply(self, snapshot):
        for entity in snapshot["gone"]:
            self.rows.pop(entity, None)
        for entity, row, _, _ in snapshot["rows"]:
            self.rows.setdefault(entity, {})[snapshot["tick"]] = row
        self.newest = max(self.newest, snapshot["tick"]) if self.taken else snapshot["tick"]
        self.taken = True


class Keys:
    """The keys of one direction, by generation [4]."""

    def __init__(self, first):
        self.keys = [first]

    def __getitem__(self, generation):
        while len(self.keys) <= generation:
            self.keys.append(handshake.next_key(self.keys[-1]))
        return self.keys[generation]


class Sending:
    """What the sender of a direction knows of its keys."""

    def __init__(self):
        self.generation = 0
        self.first = 0


class Receiving:
    """What the receiver of a direction knows of its keys."""

    def __init__(self):
        self.generation = 0
        self.first = 0
        self.former = 0
        self.newest = -1
        self.changed = None

    def choose(self, phase, sequence, now):
        """(generation to try or None, what it is without one, whether the key may be forgotten)."""
        if phase == self.generation & 1:
            return (None, "stale", False) if sequence < self.former else (self.generation, None, False)
        if sequence < self.first:
            forgotten = now is None or self.changed is None or now - self.changed >= KEY_KEPT
            return self.generation - 1, None, forgotten
        return (None, "forged", False) if sequence <= self.newest else (self.generation + 1, None, False)

    def take(self, generation, sequence, now):
        if generation > self.generation:
            self.generation = generation
            self.former, self.first = self.first, sequence
            self.changed = now
        if generation == self.generation:
            self.newest = max(self.newest, sequence)


class Candidate:
    """An address that may become the connection's [5]."""

    def __init__(self, address):
        self.address = address
        self.data = None
        self.wrong = 0


class Sent:
    """What the decoder remembers of a packet that a side sent."""

    def __init__(self):
        self.data = None
        # The body in clear.
        self.body = None
        self.generation = 0
        self.size = 0
        self.ids = []
        self.rows = []
        self.close = False


class Side:
    def __init__(self, name, channels):
        self.name = name
        self.id = None
        # Of what it sends.
        self.keys = None
        self.sending = Sending()
        # Of what it receives.
        self.receiving = Receiving()
        # Of its peer, when it is a server.
        self.address = None
        self.candidate = None
        self.challenged = None
        self.noticed = None
        self.bytes_from = {}
        # Of the path challenge that is to be answered.
        self.asked = None
        self.arrivals = collections.deque()
        self.sent = []
        self.acked = set()
        self.size = 1200
        self.received = set()
        self.kept = {}
        self.newest_received = -1
        self.newest_kept = -1
        # When what was the newest kept, in the last 300 ms, and what it was before them.
        self.recent = collections.deque()
        self.settled = -1
        self.deadlines = []
        self.news = False
        self.out = {}
        self.into = {}
        self.stay_out = Stay()
        self.stay_in = Stay()
        self.rows_acked = set()
        self.closing = False
        self.heard_close = False
        self.over = False
        self.closes = 0
        self.close_at = None
        self.close_acked = False
        for channel in channels:
            if channel["kind"] == "state":
                continue
            if channel.get("from", name) in (name, "both"):
                self.out[channel["id"]] = channel_out(channel)
            if channel.get("from") != name:
                self.into[channel["id"]] = channel_in(channel)


class Decoder:
    def __init__(self):
        self.line = 0
        self.schema = None
        self.channels = {}
        self.sides = {}
        self.complaints = []
        self.warnings = []
        self.counts = collections.Counter()
        self.verdicts = {"client": collections.Counter(), "server": collections.Counter()}
        self.options = {}
        self.now = None
        # The last packet that was decoded, for whoever wants to print it.
        self.last = None
        self.shake = {"challenges": [], "heard": collections.Counter(), "said": collections.Counter(), "at": {},
                      "got": set(), "kept": {}, "proofs": {}, "drawn": {}}
        self.secrets = None
        self.session = None
        self.with_handshake = True

    # Reading a capture

    def run(self, lines):
        for text in lines:
            self.line += 1
            if text.strip():
                try:
                    self.event(json.loads(text))
                except (KeyError, ValueError, TypeError, StopIteration) as error:
                    if self.line == 1:
                        raise
                    self.complain("capture", None, "the decoder reads every line of a capture",
                                  "%s: %s" % (type(error).__name__, error))
        self.finish()
        return self.summary()

    def event(self, event):
        if not self.sides:
            return self.header(event)
        self.now = event.get("atMs")
        what = event["event"]
        self.late()
        if what == "sent":
            self.on_sent(self.sides[event["from"]], bytes.fromhex(event["bytes"]), event)
        elif what == "received":
            self.on_received(self.sides[event["by"]], bytes.fromhex(event["bytes"]), event)
        elif what == "withheld":
            self.sides[event["from"]].sent.append(Sent())
        elif what == "closing":
            self.sides[event["side"]].closing = True
        elif what == "over":
            side = self.sides[event["side"]]
            side.over = True
            side.deadlines = []
        else:
            raise ValueError("unknown event %s" % what)

    def header(self, header):
        if header.get("format") != 2:
            raise ValueError("the first line of a capture is its header, format 2")
        self.options = header
        if header.get("schema"):
            self.schema = wire.Schema(header["schema"])
        for channel in header["channels"]:
            if channel["kind"] not in wire.KINDS:
                raise ValueError("unknown channel kind %s" % channel["kind"])
            self.channels[channel["id"]] = channel
        for name in ("client", "server"):
            self.sides[name] = Side(name, header["channels"])
        self.read_keys(header)
        ids = header.get("connectionIds")
        if ids:
            self.with_handshake = False
            for name in ids:
                self.sides[name].id = ids[name]

    def read_keys(self, header):
        """Whatever of keys, root and secrets of the server the header has."""
        keys, root, server = header.get("keys"), header.get("root"), header.get("server")
        if keys:
            self.use_keys(bytes.fromhex(keys["clientToServer"]), bytes.fromhex(keys["serverToClient"]))
        if root:
            self.session = handshake.Session(bytes.fromhex(root))
            self.use_keys(self.session.client_to_server, self.session.server_to_client)
        if server:
            known = {name: bytes.fromhex(value) for name, value in server.items() if isinstance(value, str)}
            resume = {bytes.fromhex(name): bytes.fromhex(value) for name, value in server.get("resume", {}).items()}
            self.secrets = handshake.Secrets(known["identity"], known["fresh"], known.get("presharedKey"),
                                             known.get("tokenKey"), resume)
        if not (keys or root or server):
            raise ValueError("the header has keys, a root or the secrets of the server")

    def use_keys(self, client_to_server, server_to_client):
        for name, key in (("client", client_to_server), ("server", server_to_client)):
            keys = self.sides[name].keys
            if keys is None:
                self.sides[name].keys = Keys(key)
            elif keys[0] != key:
                self.complain(name, None, "the keys of the capture are those of the handshake")

    def complain(self, side, sequence, rule, detail=""):
        self.complaints.append({"line": self.line, "side": side, "sequence": sequence, "rule": rule,
                                "detail": detail})

    def warn(self, side, sequence, rule, detail=""):
        self.warnings.append({"line": self.line, "side": side, "sequence": sequence, "rule": rule, "detail": detail})

    def peer(self, side):
        return self.sides["server" if side.name == "client" else "client"]

    def known(self, sender):
        def known(number):
            if number in (PING, CLOSE) + PATH:
                return True
            channel = self.channels.get(number)
            return channel is not None and channel.get("from", sender) in (sender, "both")
        return known

    # What a side sends

    def on_sent(self, side, data, event):
        try:
            kind = wire.first_byte(data)
            if wire.SENDER_OF_KIND.get(kind, side.name) != side.name:
                raise Malformed("a kind that this side may not send")
            if kind == 6:
                self.sent_data(side, data, event)
            else:
                self.counts["handshakes"] += 1
                self.sent_handshake(side, wire.handshake(data), data)
        except Malformed as problem:
            self.complain(side.name, None, "malformed", str(problem))

    def sent_data(self, side, data, event):
        peer = self.peer(side)
        sequence = len(side.sent)
        sent = Sent()
        sent.data = data
        sent.size = len(data)
        side.sent.append(sent)
        self.counts["packets"] += 1
        self.last = {"sequence": sequence, "to": peer.name, "sections": []}

        def complain(rule, detail=""):
            self.complain(side.name, sequence, rule, detail)

        def warn(rule, detail=""):
            self.warn(side.name, sequence, rule, detail)

        try:
            phase, ident, low = wire.data_head(data)
            if low != sequence & 0xffff:
                complain("sequences count one by one", "%d on the wire" % low)
            if peer.id is not None and ident != peer.id:
                complain("the connection id is the receiver's", "0x%08x" % ident)
            if self.with_handshake:
                have = self.shake["got"] if side.name == "client" else self.shake["said"]
                if "accept" not in have:
                    complain("no data before the accept")
            body = self.open_own(side, phase, sequence, data, complain)
            if body is None:
                return
            sent.body, sent.generation = body, side.sending.generation
            self.last["generation"], self.last["body"] = sent.generation, body
            packet = wire.Data(body, self.known(side.name))
        except Malformed as problem:
            complain("malformed", str(problem))
            return
        self.last["packet"] = packet
        self.counts["opened"] += 1
        if PATH_CHALLENGE in packet.numbers:
            self.check_challenge(side, packet, data, event, complain)
            self.last["sections"] = [(n, b, None) for n, b, _ in packet.sections]
            return
        self.check_path(side, packet, event, complain)
        self.check_ack(side, packet, complain)
        if packet.unknown_must or packet.skipped:
            complain("section numbers are known", str(packet.unknown_must))
        for number, _, must in packet.sections:
            if not must:
                complain("bit 7 is written on all sections", "section %d" % number)
        if len(data) > side.size and [n for n, _, _ in packet.sections] != [PING]:
            complain("at most 1200 bytes until a longer packet was acked", "%d bytes" % len(data))
        self.check_order(side, packet, sent, complain)
        for number, body, _ in packet.sections:
            try:
                self.sent_section(side, sent, number, body, complain, warn)
            except Malformed as problem:
                complain("malformed", "section %d: %s" % (number, problem))
        if not packet.eliciting and not side.news:
            warn("a bare ack without anything new to ack")
        side.news = False
        side.deadlines = []

    def open_own(self, side, phase, sequence, data, complain):
        """The body of a packet that its sender has just sealed."""
        if side.keys is None:
            complain("the keys are known")
            return None
        sending = side.sending
        if phase != sending.generation & 1:
            if not any(n >= sending.first for n in side.acked):
                complain("no next generation before a packet of the present one was acked", "from %d" % sending.first)
            sending.generation += 1
            sending.first = sequence
            self.counts["rotations"] += 1
        body = open_sealed(side.keys[sending.generation], sequence, data[:HEAD], data[HEAD:])
        if body is None:
            complain("the packet opens", "generation %d" % sending.generation)
        return body

    def check_challenge(self, side, packet, data, event, complain):
        """A path challenge [5]."""
        self.counts["challenges"] += 1
        if side.name != "server":
            complain("the server asks")
        if packet.ack.sequence is not None or packet.numbers != {PATH_CHALLENGE} or len(data) != 30:
            complain("a path challenge has no ack, one section and 30 bytes", "%d bytes" % len(data))
        if self.now is not None:
            if side.challenged is not None and self.now - side.challenged < CHALLENGE_INTERVAL - 0.1:
                complain("100 ms between path challenges", "%.1f" % (self.now - side.challenged))
            side.challenged = self.now
        candidate = side.candidate
        if "to" not in event:
            return
        if candidate is None or candidate.address != event["to"]:
            complain("a path challenge goes to the candidate", str(event["to"]))
            return
        if candidate.data not in (None, packet.body(PATH_CHALLENGE)):
            complain("the same bytes for every challenge to one candidate")
        candidate.data = packet.body(PATH_CHALLENGE)
        left = side.bytes_from.get(candidate.address, 0) - len(data)
        if left < 0:
            complain("a path challenge has a packet from there that is no shorter")
        side.bytes_from[candidate.address] = left

    def check_path(self, side, packet, event, complain):
        """Where any other packet goes, and the answer to a challenge [5]."""
        if side.name == "server" and "to" in event and side.address is not None and event["to"] != side.address:
            complain("everything but a challenge goes to the address of the connection", str(event["to"]))
        answer = packet.body(PATH_RESPONSE)
        if answer != side.asked and not (side.closing or side.heard_close):
            complain("the next packet answers the newest path challenge, and nothing else",
                     "%s instead of %s" % (answer, side.asked))
        if answer is not None:
            self.counts["responses"] += 1
        side.asked = None

    def check_ack(self, side, packet, complain):
        ack = packet.ack
        if ack.sequence is None:
            if side.kept:
                complain("a side that kept a packet acks", "newest kept is %d" % side.newest_kept)
            return
        self.counts["acksChecked"] += 1
        newest = len(self.peer(side).sent) - 1
        number = expand(ack.sequence, max(newest, 0))
        self.last["ack"] = number
        if not side.kept:
            complain("no ack before anything was kept", "ack %d" % number)
            return
        if number != side.newest_kept:
            complain("ack is the newest sequence kept", "ack %d, kept %d" % (number, side.newest_kept))
        wrong = []
        for n, bit in enumerate(ack.history):
            told = number - 1 - n
            if bit != (told < 0 or told in side.kept):
                wrong.append(told)
        self.counts["bitsChecked"] += len(ack.history)
        if wrong:
            complain("a history bit says whether the sequence was kept", "wrong for %s" % wrong[:8])
        if self.now is None:
            return
        while side.recent and side.recent[0][0] <= self.now - 300:
            side.settled = side.recent.popleft()[1]
        if ack.reach < 256 and number - ack.reach > side.settled + 1:
            complain("the reach goes back to what was kept 300 ms ago",
                     "reach %d of ack %d, then %d" % (ack.reach, number, side.settled))
        came = side.kept.get(number)
        if came is not None:
            exact = (self.now - came) * 16
            if abs(ack.delay - min(exact, 65535)) > self.options.get("delayTolerance", 1) + 1e-6:
                complain("the delay is right within 1/16 ms", "%d instead of %.3f" % (ack.delay, exact))

    def check_order(self, side, packet, sent, complain):
        """Closing [13]."""
        numbers = [n for n, _, _ in packet.sections]
        if CLOSE in numbers:
            sent.close = True
            if numbers != [CLOSE]:
                complain("a close section stands alone")
            side.closing = True
            side.closes += 1
            if side.closes > 10:
                complain("a close is said at most 10 times")
            if side.close_acked:
                complain("a close is not said again once it was acked")
            if self.now is not None:
                if side.close_at is not None and self.now - side.close_at < 49.9:
                    complain("a close is said again after 50 ms or more")
                side.close_at = self.now
        elif numbers and side.closes > 0:
            complain("a side that closed sends only closes and bare acks", "sections %s" % numbers)
        elif numbers and side.heard_close:
            complain("a side that heard a close sends only bare acks", "sections %s" % numbers)

    def sent_section(self, side, sent, number, body, complain, warn):
        detail = None
        if number == CLOSE:
            detail = wire.read_close(body)
            if body and body[0] >= len(wire.REASONS):
                complain("a reason of section 13", str(body[0]))
            if len(body) > 201:
                complain("the text of a close has at most 200 bytes")
        elif number != PING and number not in PATH:
            if self.channels[number]["kind"] == "state":
                if self.schema is not None:
                    detail = (self.sent_inputs if side.name == "client" else self.sent_snapshot)(
                        side, sent, body, complain, warn)
            else:
                out = side.out[number]
                before = len(out.messages()) if self.schema is not None else 0
                sent.ids.append((number, out.said(body, complain, warn)))
                if self.schema is not None:
                    detail = [self.content(number, m, side.stay_out, complain) for m in out.messages()[before:]]
        self.last["sections"].append((number, body, detail))

    def content(self, number, message, stay, complain):
        """Decodes a message of section 7 or 11 and follows the stays that events tell of."""
        try:
            if number != 0:
                return wire.read_message(self.schema, message)
            event = wire.read_event(self.schema, message)
        except Malformed as problem:
            if complain is not None:
                complain("the content of a message fits its declaration", "channel %d: %s" % (number, problem))
            return None
        if event["kind"] == 1:
            if complain is not None and stay.epoch is not None and event["epoch"] != (stay.last + 1) & 0xff:
                complain("an epoch is one more than that of the stay before", str(event["epoch"]))
            stay.enter(event["epoch"], event["tick"])
            stay.last = event["epoch"]
        elif complain is not None and event["epoch"] != stay.epoch:
            complain("an event is of the present epoch", str(event["epoch"]))
        elif event["kind"] == 2 and event["epoch"] == stay.epoch:
            stay.over = True
        return event

    def sent_inputs(self, side, sent, body, complain, warn):
        stay = side.stay_in
        inputs = wire.read_inputs(self.schema, body)
        if inputs["epoch"] != stay.epoch:
            complain("inputs are of the present epoch", str(inputs["epoch"]))
            return inputs
        near = stay.newest if stay.newest_input is None else stay.newest_input
        newest = inputs["tick"] = expand(inputs["tick"], near)
        stay.newest_input = max(newest, near) if stay.newest_input is not None else newest
        if inputs["view"] is not None:
            inputs["view"] = expand(inputs["view"][0], stay.newest) + inputs["view"][1] / 256
        for n, values in enumerate(inputs["inputs"]):
            if stay.inputs.setdefault(newest - n, values) != values:
                complain("one input for each tick", "tick %d" % (newest - n))
        return inputs

    def sent_snapshot(self, side, sent, body, complain, warn):
        stay = side.stay_out
        try:
            snapshot = wire.read_snapshot(self.schema, body, stay.near, stay.baseline)
        except Refused as problem:
            complain("a baseline is a row that was sent", str(problem))
            return None
        if snapshot["foreign"]:
            complain("snapshots are of the present epoch", str(snapshot["epoch"]))
            return snapshot
        tick = snapshot["tick"]
        if stay.taken and tick < stay.newest:
            complain("snapshots go forward", "tick %d after %d" % (tick, stay.newest))
        for entity, row, base, changes in snapshot["rows"]:
            sent.rows.append((stay.epoch, entity, tick))
            if base is not None and (stay.epoch, entity, base) not in side.rows_acked:
                complain("a baseline is a row that the client acked", "entity %d at tick %d" % (entity, base))
            if any(fits for _, _, _, _, fits in changes):
                complain("near is used whenever the difference fits", "entity %d" % entity)
            before = stay.baseline(stay.epoch, entity, tick)
            if before is not None and before.values != row.values:
                complain("an entity has one row at a tick", "entity %d at tick %d" % (entity, tick))
        # The rows that clients forget stay baselines of what was sent before them; so none is removed here.
        stay.apply(dict(snapshot, gone=[]))
        return snapshot

    # What reaches a side

    def on_received(self, side, data, event):
        verdict = event.get("verdict")
        if verdict == "lost":
            return
        try:
            kind = wire.first_byte(data)
        except Malformed as problem:
            self.tally(side, None, verdict, {"malformed", "unknown", "dropped"}, str(problem))
            return
        if kind != 6:
            self.counts["handshakesReceived"] += 1
            if wire.SENDER_OF_KIND[kind] != side.name:
                try:
                    self.heard_handshake(side, wire.handshake(data))
                except Malformed:
                    pass
            return
        self.counts["received"] += 1
        allowed, sequence, packet, why = self.judge(side, data, event)
        self.tally(side, sequence, verdict, allowed, why)
        if packet is None or verdict not in ("accepted", "refused"):
            return
        newest = sequence > side.newest_received
        self.take(side, sequence, packet, verdict == "accepted")
        if side.name == "server" and "address" in event:
            self.move(side, packet, len(data), event["address"], newest, verdict == "accepted")

    def move(self, side, packet, size, address, newest, kept):
        """A change of the client's address [5]."""
        if side.address is None:
            side.address = address
        side.bytes_from[address] = side.bytes_from.get(address, 0) + size
        if address == side.address:
            if newest:
                side.candidate = None
            return
        waits = self.now is not None and side.noticed is not None and self.now - side.noticed < CHALLENGE_INTERVAL
        if newest and not waits:
            side.noticed = self.now
            if side.candidate is None or side.candidate.address != address:
                side.candidate = Candidate(address)
        candidate = side.candidate
        answer = packet.body(PATH_RESPONSE) if kept else None
        if answer is None or candidate is None or candidate.address != address:
            return
        if candidate.data == answer:
            self.counts["moves"] += 1
            side.address, side.candidate = address, None
            return
        candidate.wrong += 1
        if candidate.wrong >= WRONG_ANSWERS:
            side.candidate = None

    def tally(self, side, sequence, verdict, allowed, why):
        if verdict is not None:
            self.verdicts[side.name][verdict] += 1
            if verdict not in allowed:
                self.complain(side.name, sequence, "the verdict of section 5",
                              "%s, should be %s: %s" % (verdict, " or ".join(sorted(allowed)), why))

    def judge(self, side, data, event):
        """(verdicts that are right, sequence, packet, why)."""
        if len(data) < 24:
            return {"malformed", "unknown"}, None, None, "size"
        phase, ident, low = wire.data_head(data)
        if side.id is not None and ident != side.id:
            return {"unknown"}, None, None, "connection id 0x%08x" % ident
        if side.name == "client" and event.get("otherAddress"):
            return {"unknown"}, None, None, "not from the server's address"
        sequence = expand(low, side.newest_received + 1)
        # Down to `forged` the order is free. When a side that heard a close forgets it is not in the capture.
        over = side.over or (side.close_acked and not side.heard_close)
        gone = {"unexpected", "unknown"} if over or side.heard_close or side.closes >= 10 else set()
        if sequence < 0 or side.newest_received - sequence >= WINDOW:
            return {"stale"} | gone, sequence, None, "newest received is %d" % side.newest_received
        if sequence in side.received:
            return {"duplicate"} | gone, sequence, None, "received before"
        if over:
            return gone, sequence, None, "the connection is over"
        peer = self.peer(side)
        generation, without, forgotten = side.receiving.choose(phase, sequence, self.now)
        if generation is None:
            return {without} | gone, sequence, None, "no key is tried"
        body = self.open_theirs(peer, generation, sequence, data)
        if body is None:
            return gone | {"forged"} | ({"stale"} if forgotten else set()), sequence, None, "it does not open"
        if forgotten and event.get("verdict") == "stale":
            return {"stale"}, sequence, None, "the key before may be forgotten"
        if sequence >= len(peer.sent) or peer.sent[sequence].data not in (None, data):
            self.complain(side.name, sequence, "an authentic packet is one that was sent")
        try:
            packet = wire.Data(body, self.known(peer.name))
            packet.generation = generation
            allowed, why = {"accepted"}, ""
            if packet.ack.sequence is not None:
                ack = expand(packet.ack.sequence, max(len(side.sent) - 1, 0))
                if not 0 <= ack < len(side.sent):
                    raise Malformed("an ack of a packet that was never sent")
                packet.ack.full = ack
            if packet.unknown_must:
                allowed, why = {"refused"}, "an unknown section"
            for number, body, _ in packet.sections:
                if number in (PING, CLOSE) + PATH:
                    continue
                try:
                    more = self.judge_section(side, number, body)
                except Refused as problem:
                    allowed, why = {"refused"}, str(problem)
                    continue
                if "accepted" not in more:
                    allowed, why = {"refused"}, "the bound of channel %d" % number
                elif "refused" in more:
                    allowed = allowed | {"refused"}
            if side.closing or side.heard_close:
                if any(n < 64 for n in packet.numbers):
                    allowed, why = {"refused"}, "nothing is kept after a close"
                allowed = allowed | gone
            if self.crowded(side):
                allowed = allowed | {"limited"}
            return allowed, sequence, packet, why
        except Malformed as problem:
            return {"malformed"}, sequence, None, str(problem)

    def open_theirs(self, peer, generation, sequence, data):
        """The body of a packet that reached the other side, or None."""
        sent = peer.sent[sequence] if sequence < len(peer.sent) else None
        if sent is not None and sent.data == data and sent.body is not None and sent.generation == generation:
            return sent.body
        if peer.keys is None:
            return None
        self.counts["tried"] += 1
        return open_sealed(peer.keys[generation], sequence, data[:HEAD], data[HEAD:])

    def crowded(self, side):
        if self.now is None:
            return True
        while side.arrivals and side.arrivals[0] <= self.now - 1000:
            side.arrivals.popleft()
        side.arrivals.append(self.now)
        return len(side.arrivals) > PACKETS_A_SECOND

    def judge_section(self, side, number, body):
        if self.channels[number]["kind"] != "state":
            return side.into[number].judge(body)
        if self.schema is None:
            return {"accepted", "refused"}
        if side.name == "server":
            wire.read_inputs(self.schema, body)
            return {"accepted"}
        stay = side.stay_in
        if stay.over:
            return {"accepted", "refused"}
        snapshot = wire.read_snapshot(self.schema, body, stay.near, stay.baseline)
        if not snapshot["foreign"] and stay.taken and snapshot["tick"] < stay.newest:
            raise Refused("an overtaken snapshot")
        return {"accepted"}

    def take(self, side, sequence, packet, kept):
        side.received.add(sequence)
        side.receiving.take(packet.generation, sequence, self.now)
        in_order = sequence == side.newest_received + 1
        side.newest_received = max(side.newest_received, sequence)
        if packet.ack.sequence is not None:
            self.take_acks(side, packet.ack)
        if not kept:
            return
        side.kept[sequence] = self.now
        side.newest_kept = max(side.newest_kept, sequence)
        if self.now is not None:
            side.recent.append((self.now, side.newest_kept))
        if packet.eliciting:
            side.news = True
            flush = self.options.get("flushMs")
            if flush is not None and self.now is not None:
                side.deadlines.append((self.now + flush + (25 if in_order else 0), sequence))
        for number, body, _ in packet.sections:
            if number == CLOSE:
                side.heard_close = True
            elif number == PATH_CHALLENGE:
                side.asked = body
            elif number != PING and number not in PATH:
                self.take_section(side, number, body, sequence)

    def take_acks(self, side, ack):
        for n in [-1] + [n for n, bit in enumerate(ack.history) if bit]:
            sequence = ack.full - 1 - n
            if sequence < 0 or sequence in side.acked:
                continue
            side.acked.add(sequence)
            sent = side.sent[sequence]
            side.size = max(side.size, sent.size)
            side.close_acked = side.close_acked or sent.close
            side.rows_acked.update(sent.rows)
            for number, ids in sent.ids:
                side.out[number].ack(ids)

    def take_section(self, side, number, body, sequence):
        if self.channels[number]["kind"] != "state":
            side.into[number].take(body, sequence)
            if self.schema is not None and number == 0:
                for message in side.into[number].fresh:
                    self.content(number, message, side.stay_in, None)
        elif self.schema is not None and side.name == "client":
            stay = side.stay_in
            try:
                snapshot = wire.read_snapshot(self.schema, body, stay.near, stay.baseline)
            except Refused:
                return
            if not snapshot["foreign"]:
                stay.apply(snapshot)

    def late(self):
        """Acks that must have left [5]."""
        for side in self.sides.values():
            for due, sequence in side.deadlines:
                if self.now is not None and self.now > due + 1:
                    self.complain(side.name, sequence, "an ack leaves in time", "due at %.3f" % due)
            side.deadlines = [d for d in side.deadlines if self.now is None or self.now <= d[0] + 1]

    # Handshake [3]

    def sent_handshake(self, side, packet, data):
        kind = packet["kind"]
        shake = self.shake
        self.last = {"handshake": packet, "to": self.peer(side).name}

        def complain(rule, detail=""):
            self.complain(side.name, None, rule, detail)

        if kind in ("request", "proof"):
            if self.now is not None:
                at = shake["at"].get(kind)
                if at is not None and at[0] == packet["nonce"] and self.now - at[1] < 199.9:
                    complain("a %s is repeated every 200 ms or more slowly" % kind)
                shake["at"][kind] = (packet["nonce"], self.now)
            before = shake["kept"].get(kind)
            if before is not None and before[0]["nonce"] == packet["nonce"] and before[1] != data:
                complain("a repeated %s is the same" % kind)
            shake["kept"][kind] = (packet, data)
            if not packet["lowest"] <= wire.WIRE_VERSION <= packet["highest"]:
                complain("a %s names version 2" % kind)
            if not packet["zero"]:
                complain("padding is written as zero", kind)
            if self.schema is not None and (packet["game"], packet["digest"]) != (self.schema.game,
                                                                                  self.schema.digest):
                complain("game id hash and schema digest are those of the schema")
        else:
            cause = ("request",) if kind == "challenge" else ("proof",)
            if kind == "refuse" and packet["reason"] in (7, 8):
                cause = ("request", "proof")
            if not any((c, packet["nonce"]) in shake["got"] for c in cause):
                complain("an answer echoes the nonce of what was received", kind)
            shake["said"]["answers"] += 1
            if shake["said"]["answers"] > shake["heard"]["request"] + shake["heard"]["proof"]:
                complain("a server answers each packet of a stranger at most once")
        if kind == "challenge":
            if packet["version"] != wire.WIRE_VERSION:
                complain("the version chosen is 2", str(packet["version"]))
            if self.secrets is not None and packet["key"] != self.secrets.identity_key:
                complain("a challenge has the public key of the server's identity")
        elif kind == "proof":
            self.sent_proof(packet, data, complain)
        elif kind == "accept":
            self.sent_accept(packet, data, complain)

    def sent_proof(self, packet, data, complain):
        shake = self.shake
        if packet["version"] != wire.WIRE_VERSION:
            complain("the version used is 2")
        if packet["nonce"] + packet["cookie"] not in shake["challenges"]:
            complain("the proof returns nonce and cookie of a challenge")
        request = shake["kept"].get("request")
        same = ("game", "digest", "lowest", "highest")
        if request and any(request[0][name] != packet[name] for name in same):
            complain("the proof names the game and the versions of the request")
        for name in ("id", "key"):
            nonce = shake["drawn"].setdefault((name, packet[name]), packet["nonce"])
            if nonce != packet["nonce"]:
                complain("no part of a proof is used in another one", name)
        self.sides["client"].id = packet["id"]
        packet["echo"] = request is not None and request[0]["nonce"] == packet["nonce"]
        packet["returned"] = packet["nonce"] + packet["cookie"] in shake["challenges"]
        if self.secrets is not None and packet["nonce"] not in shake["proofs"]:
            shake["proofs"][packet["nonce"]] = packet["proof"] = handshake.Proof(self.secrets, data)

    def sent_accept(self, packet, data, complain):
        shake = self.shake
        before = shake["kept"].get("accept")
        if before is not None and before[0]["nonce"] == packet["nonce"]:
            if before[1] != data:
                complain("the same accept is sent again")
            return
        shake["kept"]["accept"] = (packet, data)
        shake["said"]["accept"] += 1
        self.sides["server"].id = packet["id"]
        proof = shake["proofs"].get(packet["nonce"])
        if self.secrets is not None:
            if proof is None:
                complain("an accept answers a proof that opened")
                return
            if packet["key"] != self.secrets.fresh_key:
                complain("an accept has the public key of the server's fresh pair")
            self.session = proof.session(data)
        if self.session is None:
            return
        packet["fits"] = self.session.accepts(data)
        packet["root"] = self.session.root
        if not packet["fits"]:
            complain("the tag of the accept fits")
        self.use_keys(self.session.client_to_server, self.session.server_to_client)

    def heard_handshake(self, side, packet):
        shake = self.shake
        kind = packet["kind"]
        shake["heard"][kind] += 1
        shake["got"].add((kind, packet["nonce"]))
        shake["got"].add(kind)
        if kind == "challenge":
            shake["challenges"].append(packet["nonce"] + packet["cookie"])

    # The end

    def finish(self):
        self.line += 1
        for name, side in self.sides.items():
            peer = self.peer(side)
            for number, into in side.into.items():
                out = peer.out.get(number)
                if not isinstance(into, ReliableIn) or out is None:
                    continue
                sent = out.messages()
                got = into.messages
                if into.ordered:
                    same = got == sent[:len(got)]
                else:
                    same = not collections.Counter(got) - collections.Counter(sent)
                if not same:
                    self.complain(name, None, "reliable messages are those that were sent", "channel %d" % number)
                if self.options.get("complete") and (len(got) != len(sent) or into.held):
                    self.complain(name, None, "every reliable message arrives",
                                  "channel %d: %d of %d" % (number, len(got), len(sent)))

    def summary(self):
        def listed(messages):
            return [{"bytes": len(m), "sha256": hashlib.sha256(m).hexdigest()} for m in messages]

        values = {}
        for name, side in self.sides.items():
            for number, into in side.into.items():
                if isinstance(into, LatestIn):
                    values.setdefault(name, {})[str(number)] = {
                        str(k): {"revision": r, **listed([b])[0]}
                        for k, (_, r, b) in into.keys.items() if b is not None}
        out = {
            "packets": self.counts["packets"],
            "opened": self.counts["opened"],
            "tried": self.counts["tried"],
            "rotations": self.counts["rotations"],
            "challenges": self.counts["challenges"],
            "moves": self.counts["moves"],
            "handshakes": self.counts["handshakes"],
            "received": self.counts["received"],
            "acksChecked": self.counts["acksChecked"],
            "bitsChecked": self.counts["bitsChecked"],
            "verdicts": {name: dict(count) for name, count in self.verdicts.items()},
            "messages": {name: {str(n): listed(c.messages) for n, c in side.into.items()}
                         for name, side in self.sides.items()},
            "sent": {name: {str(n): listed(c.messages()) for n, c in side.out.items()}
                     for name, side in self.sides.items()},
            "values": values,
            "warnings": self.warnings[:COMPLAINTS_PRINTED],
            "complaints": self.complaints[:COMPLAINTS_PRINTED],
            "complaintsFound": len(self.complaints),
        }
        return out


def main(arguments):
    if arguments == ["--self-test"]:
        import test_decoder
        return test_decoder.main()
    if len(arguments) > 1:
        print(__doc__, file=sys.stderr)
        return 2
    decoder = Decoder()
    if arguments:
        with open(arguments[0], encoding="utf-8") as lines:
            summary = decoder.run(lines)
    else:
        summary = decoder.run(sys.stdin)
    json.dump(summary, sys.stdout, indent=1)
    print()
    return 1 if summary["complaintsFound"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
