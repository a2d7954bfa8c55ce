"""The key schedule and the credentials of a handshake, written from PROTOCOL.md alone [3]."""

import hashlib
import unicodedata

import wire
from primitives import BASE, H, ZEROS, open_sealed, open_x, x25519
from wire import Bytes, Malformed

WAYS = ["open", "pre-shared key", "connect token", "resume"]
PROOF_HEAD = 90
ACCEPT_HEAD = 53
EXPIRES_MAX = 1 << 53


def agree(secret, public):
    result = x25519(secret, public)
    if result == ZEROS:
        raise Malformed("a public key whose result is all zero")
    return result


def next_key(key):
    return H(key, b"\6")


def stretch(password, game):
    salt = b"tickwire password %d" % game
    text = unicodedata.normalize("NFC", password).encode("utf-8")
    return hashlib.scrypt(text, salt=salt, n=32768, r=8, p=3, maxmem=1 << 26, dklen=32)


class Secrets:
    """What a server knows: its own secret keys, and the secrets of the ways in."""

    def __init__(self, identity, fresh, preshared=None, token_key=None, resume=None):
        self.identity, self.fresh = identity, fresh
        self.identity_key = x25519(identity, BASE)
        self.fresh_key = x25519(fresh, BASE)
        self.preshared, self.token_key, self.resume = preshared, token_key, resume or {}

    def of(self, way, rest):
        """The secret of a credential."""
        if way == 0:
            return ZEROS
        if way == 2:
            return read_token(self.token_key, rest)["secret"]
        secret = self.preshared if way == 1 else self.resume.get(rest)
        if secret is None:
            raise Malformed("a credential whose secret the decoder does not have")
        return secret


class Proof:
    """A proof, opened as the server opens it. Malformed: it does not open, or its binder does not fit."""

    def __init__(self, secrets, data):
        packet = wire.handshake(data)
        head = data[:PROOF_HEAD]
        sealed = packet["sealed"]
        self.packet = packet
        self.es = agree(secrets.identity, packet["key"])
        self.hash = H(ZEROS, head, secrets.identity_key)
        self.credential_key = H(self.es, b"\1", self.hash)
        self.credential = open_sealed(self.credential_key, 0, head, sealed)
        if self.credential is None:
            raise Malformed("a credential that does not open")
        self.transcript = H(ZEROS, self.hash, sealed)
        self.ee = agree(secrets.fresh, packet["key"])
        self.read(secrets)

    def read(self, secrets):
        reader = Bytes(self.credential)
        self.way = reader.u8()
        if self.way >= len(WAYS):
            raise Malformed("an unknown way in")
        self.binder = reader.take(32) if self.way else None
        self.rest = reader.take(reader.left())
        if len(self.rest) != {0: 0, 1: 0, 3: 16}.get(self.way, len(self.rest)):
            raise Malformed("a credential of another length")
        self.secret = secrets.of(self.way, self.rest)
        if self.way and self.binder != H(self.secret, bytes([2, self.way]), self.es, self.hash):
            raise Malformed("a binder that does not fit")

    def session(self, accept):
        """What follows from the first 53 bytes of the accept."""
        return Session(H(self.secret, self.es, self.ee, self.transcript, accept[:ACCEPT_HEAD]))


class Session:
    """The keys that follow from a root."""

    def __init__(self, root):
        self.root = root
        self.accept_key = H(root, b"\3")
        self.client_to_server = H(root, b"\4")
        self.server_to_client = H(root, b"\5")
        self.resume_id = H(root, b"\7")[:16]
        self.resume_secret = H(root, b"\10")

    def accepts(self, data):
        """Whether the tag of an accept fits."""
        return open_sealed(self.accept_key, 0, data[:ACCEPT_HEAD], data[ACCEPT_HEAD:]) == b""


# Connect tokens

def times(reader):
    value = int.from_bytes(reader.take(8), "little")
    if value >= EXPIRES_MAX:
        raise Malformed("a time of 2^53 ms or more")
    return value


def servers(reader):
    count = reader.u8()
    if not 1 <= count <= 8:
        raise Malformed("1 to 8 servers")
    return [reader.take(reader.u8()).decode("ascii") for _ in range(count)]


def read_token(key, sealed):
    """The fields of a sealed token; `clear` is what was sealed."""
    if sealed[:4] != b"TWT2" or len(sealed) < 28:
        raise Malformed("a token without its magic")
    clear = open_x(key, sealed[4:28], sealed[:28], sealed[28:])
    if clear is None:
        raise Malformed("a token that does not open")
    reader = Bytes(clear)
    out = {"clear": clear, "id": reader.take(16), "issued": times(reader), "expires": times(reader)}
    out.update(version=reader.u8(), game=reader.u32(), timeout=reader.u32(), identity=reader.take(32),
               secret=reader.take(32))
    size = reader.u8()
    try:
        out["user"] = reader.take(size).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("a user id that is not UTF-8") from None
    out["servers"] = servers(reader)
    data = reader.u16()
    if size > 64 or data > 512:
        raise Malformed("a user id or user data too long")
    out["data"] = reader.take(data)
    reader.end()
    if out["issued"] >= out["expires"] or out["version"] == 0 or out["timeout"] > 3600000:
        raise Malformed("a token that cannot be")
    return out
