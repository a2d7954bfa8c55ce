import { simulatedCrypto } from '@tickwire/netsim';
import {
  ACCEPT_BYTES,
  ACCEPT_HEAD_BYTES,
  agreed,
  binderFits,
  CHALLENGE_BYTES,
  COOKIE_BYTES,
  Connection,
  type Credential,
  createKeyPair,
  type EndReason,
  endReasons,
  Hello,
  KEY_BYTES,
  KeyChain,
  type KeyPair,
  NO_SECRET,
  NONCE_BYTES,
  type OpenedProof,
  openProof,
  PADDED_BYTES,
  PacketKind,
  readKind,
  type SessionKeys,
  sealAccept,
  secretOf,
  sessionKeys,
  Verdict,
  Way,
  writeAcceptHead,
  writeChallenge,
  writeRefusal,
} from '@tickwire/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Dialer, type DialerOptions } from '../src/dialer.ts';

const GAME = { idHash: 11, digest: 22 };
const SERVER = 5;
const crypto = simulatedCrypto(8);
const identity = createKeyPair(crypto);
const impostor = createKeyPair(crypto);
const cookie = new Uint8Array(COOKIE_BYTES).fill(3);
const secret = new Uint8Array(KEY_BYTES).fill(4);

/** What an accept may differ in. */
interface AcceptOptions {
  readonly serverId?: number;
  /** Whose identity its maker has. */
  readonly by?: KeyPair;
  readonly secret?: Uint8Array;
  readonly fresh?: KeyPair;
}

/** A dialer and the server's half of the handshake, by hand. */
class Fixture {
  readonly events: string[] = [];
  nowMs = 1000;
  readonly hello = new Hello();
  readonly dialer: Dialer;
  /** As the dialer made it. */
  proof: Uint8Array = new Uint8Array(0);
  /** Of the last accept. */
  keys: SessionKeys | undefined;
  readonly #credential: Credential;
  readonly #out = new Uint8Array(1500);

  constructor(options: Partial<DialerOptions> = {}) {
    this.#credential = options.credential ?? { way: Way.open };
    this.dialer = new Dialer({
      game: GAME,
      crypto: simulatedCrypto(1),
      server: SERVER,
      nowMs: this.nowMs,
      sink: {
        channels: () => [],
        opened: () => this.events.push('opened'),
        closed: (reason, text, remote) => this.events.push(`closed ${reason} ${text} ${remote}`),
      },
      ...options,
    });
  }

  poll(): Uint8Array {
    const to = { address: 0 };
    this.dialer.advance(this.nowMs);
    const length = this.dialer.poll(this.nowMs, this.#out, 0, to);
    if (length > 0) expect(to.address).toBe(SERVER);
    return this.#out.slice(0, length);
  }

  receive(bytes: Uint8Array, from = SERVER): Verdict {
    return this.dialer.receive(this.nowMs, bytes.slice(), 0, bytes.length, from);
  }

  /** Reads the request that is due. */
  ask(): this {
    const request = this.poll();
    expect(request[0]).toBe(PacketKind.request);
    expect(this.hello.readRequest(request, 0, request.length)).toBe(true);
    return this;
  }

  challenge(serverKey = identity.publicKey, version = 2): Uint8Array {
    const bytes = new Uint8Array(CHALLENGE_BYTES);
    writeChallenge(bytes, 0, this.hello.nonce, { version, serverKey, cookie });
    return bytes;
  }

  /** Up to the proof. */
  prove(serverKey = identity.publicKey): this {
    this.ask();
    expect(this.receive(this.challenge(serverKey))).toBe(Verdict.accepted);
    this.proof = this.poll();
    expect(this.proof[0]).toBe(PacketKind.proof);
    expect(this.hello.readProof(this.proof, 0, this.proof.length)).toBe(true);
    return this;
  }

  /** What a server reads of the proof. */
  opened(by = identity): OpenedProof | undefined {
    return openProof(crypto, this.proof.slice(), 0, this.hello, by);
  }

  accept(options: AcceptOptions = {}): Uint8Array {
    const { serverId = 0x20001, by = identity, fresh = createKeyPair(crypto) } = options;
    const { clientKey, nonce } = this.hello;
    const es = agreed(crypto, by.secretKey, clientKey) ?? NO_SECRET;
    const ee = agreed(crypto, fresh.secretKey, clientKey) ?? NO_SECRET;
    // Who cannot open the proof still sees all of it.
    const transcript = this.opened()?.transcript ?? new Uint8Array(KEY_BYTES);
    const bytes = new Uint8Array(ACCEPT_BYTES);
    const end = writeAcceptHead(bytes, 0, nonce, serverId, fresh.publicKey);
    const head = bytes.slice(0, ACCEPT_HEAD_BYTES);
    const root = options.secret ?? secretOf(this.#credential);
    this.keys = sessionKeys(crypto, root, { es, transcript }, ee, head);
    expect(sealAccept(crypto, this.keys.accept, bytes, 0, end)).toBe(ACCEPT_BYTES);
    return bytes;
  }

  /** The server's end of the connection that the last accept leads to. */
  connection(): Connection {
    return new Connection({
      remoteId: this.hello.clientId,
      outgoing: new KeyChain(crypto, this.keys!.serverToClient),
      incoming: new KeyChain(crypto, this.keys!.clientToServer),
      channels: [],
      nowMs: this.nowMs,
      sink: { closed() {}, ended() {} },
    });
  }

  refusal(reason: EndReason = 'refused', text = 'no'): Uint8Array {
    return this.#out.slice(0, writeRefusal(this.#out, 0, this.hello.nonce, reason, text));
  }
}

/** The end of an attempt whose server sent challenges, and nothing more. */
const ANSWERED = 'closed unreachable the server answers, but lets nobody in now false';

describe('an attempt', () => {
  test('asks, proves with the cookie it got, opens a connection and is heard', () => {
    const f = new Fixture().prove();
    expect([f.hello.idHash, f.hello.digest, f.hello.version]).toEqual([11, 22, 2]);
    expect([...f.hello.cookie]).toEqual([...cookie]);
    expect(f.opened()?.way).toBe(Way.open);
    expect(f.dialer.connection).toBeUndefined();
    expect(f.receive(f.accept())).toBe(Verdict.accepted);
    expect(f.dialer.connection?.open).toBe(true);
    expect(f.dialer.resumeKeys).toEqual(f.keys!.resume);
    expect(f.events).toEqual([]);
    f.dialer.flush(f.nowMs);
    const first = f.poll();
    // It speaks first: the server's slot is half-open until then.
    expect(readKind(first, 0, first.length)).toBe(PacketKind.data);
    expect([...first.subarray(1, 5)]).toEqual([1, 0, 2, 0]);
    const server = f.connection();
    expect(server.receive(f.nowMs, first, 0, first.length)).toBe(Verdict.accepted);
    server.flush(f.nowMs);
    server.advance(f.nowMs + 3000);
    server.flush(f.nowMs + 3000);
    const out = new Uint8Array(1500);
    const length = server.poll(f.nowMs, out, 0);
    expect(f.receive(out.slice(0, length))).toBe(Verdict.accepted);
    expect(f.events).toEqual(['opened']);
  });

  test('shows each credential so that its server can tell', () => {
    const sealed = new Uint8Array(300).fill(6);
    const id = new Uint8Array(16).fill(7);
    const credentials: Credential[] = [
      { way: Way.key, secret },
      { way: Way.token, secret, sealed },
      { way: Way.resume, secret, id },
    ];
    for (const credential of credentials) {
      const f = new Fixture({ credential }).prove();
      const opened = f.opened()!;
      expect(opened.way).toBe(credential.way);
      expect(binderFits(crypto, secret, opened)).toBe(true);
      if (credential.way === Way.token) expect([...opened.rest]).toEqual([...sealed]);
      if (credential.way === Way.resume) expect([...opened.rest]).toEqual([...id]);
      expect(f.receive(f.accept({ secret: NO_SECRET }))).toBe(Verdict.forged);
      expect(f.receive(f.accept())).toBe(Verdict.accepted);
    }
  });

  test('repeats a padded request every 200 ms, the same, and gives up at the timeout', () => {
    const f = new Fixture({ connectTimeoutMs: 3000 });
    const sent: Uint8Array[] = [];
    for (; f.nowMs < 5000; f.nowMs += 10) {
      const bytes = f.poll();
      if (bytes.length > 0) sent.push(bytes);
    }
    expect(sent.length).toBe(15);
    expect(sent.every((bytes) => bytes.length === PADDED_BYTES)).toBe(true);
    expect(new Set(sent.map((bytes) => `${bytes}`)).size).toBe(1);
    expect(f.events).toEqual(['closed unreachable  false']);
    expect([f.dialer.over, f.dialer.wakeAt()]).toEqual([true, Number.POSITIVE_INFINITY]);
  });

  test('by default gives up after 5 s', () => {
    const f = new Fixture();
    f.nowMs += 4999;
    f.poll();
    expect(f.events).toEqual([]);
    f.nowMs += 1;
    f.poll();
    expect(f.events).toEqual(['closed unreachable  false']);
  });

  test('sends its proof at once, and repeats it byte for byte', () => {
    const f = new Fixture().prove();
    expect(f.poll().length).toBe(0);
    expect(f.dialer.wakeAt()).toBe(f.nowMs + 200);
    for (let i = 0; i < 19; i++) {
      f.nowMs += 200;
      expect(f.poll()).toEqual(f.proof);
    }
  });

  test('starts over after 4 s without an answer, with another nonce, key and id', () => {
    const f = new Fixture({ credential: { way: Way.key, secret } }).prove();
    const { clientId } = f.hello;
    const [nonce, key] = [f.hello.nonce.slice(), f.hello.clientKey.slice()];
    const late = f.accept();
    f.nowMs += 3999;
    expect(f.poll()[0]).toBe(PacketKind.proof);
    f.nowMs += 201;
    f.ask();
    expect(f.hello.nonce).not.toEqual(nonce);
    // What was meant for the first attempt is not for the second.
    expect(f.receive(late)).toBe(Verdict.unexpected);
    expect(f.receive(f.challenge())).toBe(Verdict.accepted);
    f.proof = f.poll();
    f.hello.readProof(f.proof, 0, f.proof.length);
    expect(f.hello.clientKey).not.toEqual(key);
    expect(f.hello.clientId).not.toBe(clientId);
    expect(f.receive(late)).toBe(Verdict.forged);
    expect(f.receive(f.accept())).toBe(Verdict.accepted);
    expect(f.events).toEqual([]);
  });

  test('starts over as often as there is time, and never waits longer than that', () => {
    const f = new Fixture({ connectTimeoutMs: 30_000 });
    const nonces = new Set<string>();
    for (; !f.dialer.over; f.nowMs += 50) {
      const bytes = f.poll();
      if (bytes[0] !== PacketKind.request) continue;
      f.hello.readRequest(bytes, 0, bytes.length);
      nonces.add(`${f.hello.nonce}`);
      f.receive(f.challenge());
    }
    expect(nonces.size).toBe(Math.ceil(30_000 / 4200));
    expect(f.events).toEqual([ANSWERED]);
    expect(f.nowMs).toBeLessThanOrEqual(31_050);
  });

  test('is closed at once, and then over', () => {
    const f = new Fixture();
    f.dialer.close(f.nowMs, 'aborted', '');
    f.dialer.close(f.nowMs, 'closed', '');
    expect(f.poll().length).toBe(0);
    expect(f.receive(f.refusal())).toBe(Verdict.unexpected);
    expect(f.events).toEqual(['closed aborted  false']);
  });
});

describe('a refusal', () => {
  test('ends it, before and after the proof, with any reason and text, once', () => {
    for (const reason of endReasons) {
      for (const proven of [false, true]) {
        const f = proven ? new Fixture().prove() : new Fixture().ask();
        expect(f.receive(f.refusal(reason, 'später'))).toBe(Verdict.accepted);
        expect(f.receive(f.refusal(reason))).toBe(Verdict.unexpected);
        f.nowMs += 10_000;
        expect(f.poll().length).toBe(0);
        expect(f.events).toEqual([`closed ${reason} später true`]);
        expect(f.dialer.over).toBe(true);
      }
    }
  });

  test('for an earlier attempt, cut off or of no known reason, changes nothing', () => {
    const f = new Fixture().prove();
    const old = f.refusal();
    const unknown = f.refusal();
    unknown[1 + NONCE_BYTES] = endReasons.length;
    expect(f.receive(unknown)).toBe(Verdict.malformed);
    expect(f.receive(f.refusal().slice(0, 1 + NONCE_BYTES))).toBe(Verdict.malformed);
    expect(f.receive(f.refusal().slice(0, NONCE_BYTES))).toBe(Verdict.forged);
    f.nowMs += 4200;
    f.ask();
    expect(f.receive(old)).toBe(Verdict.forged);
    expect(f.events).toEqual([]);
  });

  test('of somebody who is connected changes nothing', () => {
    const f = new Fixture().prove();
    f.receive(f.accept());
    expect(f.receive(f.refusal())).toBe(Verdict.unexpected);
    expect(f.receive(f.challenge())).toBe(Verdict.unexpected);
    expect(f.events).toEqual([]);
  });
});

describe('replies', () => {
  test('from elsewhere, out of turn, or without the nonce change nothing', () => {
    const f = new Fixture().ask();
    expect(f.receive(f.challenge(), SERVER + 1)).toBe(Verdict.unknown);
    expect(f.receive(f.accept())).toBe(Verdict.unexpected);
    for (let at = 1; at <= NONCE_BYTES; at++) {
      const forged = f.challenge();
      forged[at]! ^= 1;
      expect(f.receive(forged)).toBe(Verdict.forged);
      const refusal = f.refusal();
      refusal[at]! ^= 1;
      expect(f.receive(refusal)).toBe(Verdict.forged);
    }
    expect(f.receive(f.challenge().subarray(0, CHALLENGE_BYTES - 1))).toBe(Verdict.malformed);
    expect(f.receive(Uint8Array.of(...f.challenge(), 0))).toBe(Verdict.malformed);
    f.nowMs += 200;
    const request = f.poll();
    expect(f.receive(request)).toBe(Verdict.malformed);
    f.nowMs += 200;
    f.prove();
    expect(f.receive(f.challenge())).toBe(Verdict.unexpected);
    expect(f.events).toEqual([]);
  });

  test('a challenge for another version is none: nobody is talked down', () => {
    const f = new Fixture().ask();
    for (const version of [0, 1, 3, 255]) {
      expect(f.receive(f.challenge(identity.publicKey, version))).toBe(Verdict.malformed);
    }
    expect(f.receive(f.challenge())).toBe(Verdict.accepted);
  });

  test('a challenge with a key that everybody agrees on is forged, and the next one counts', () => {
    const f = new Fixture().ask();
    expect(f.receive(f.challenge(new Uint8Array(KEY_BYTES)))).toBe(Verdict.forged);
    expect(f.poll().length).toBe(0);
    f.nowMs += 200;
    f.prove();
    expect(f.receive(f.accept())).toBe(Verdict.accepted);
  });

  test('an accept with any bit wrong opens nothing', () => {
    const f = new Fixture().prove();
    const accept = f.accept();
    for (let bit = 8; bit < accept.length * 8; bit++) {
      const forged = accept.slice();
      forged[bit >> 3]! ^= 1 << (bit & 7);
      expect(f.receive(forged), `bit ${bit}`).toBe(Verdict.forged);
    }
    expect(f.receive(accept.subarray(0, accept.length - 1))).toBe(Verdict.malformed);
    expect(f.receive(f.accept({ serverId: 0 }))).toBe(Verdict.malformed);
    expect([f.dialer.connection, f.dialer.resumeKeys]).toEqual([undefined, undefined]);
    expect(f.receive(accept)).toBe(Verdict.accepted);
    expect(f.receive(accept)).toBe(Verdict.unexpected);
  });

  test('an accept whose fresh key is another one, or one that everybody agrees on, opens nothing', () => {
    const f = new Fixture().prove();
    const accept = f.accept();
    const other = accept.slice();
    other.set(createKeyPair(crypto).publicKey, 21);
    expect(f.receive(other)).toBe(Verdict.forged);
    const low = { secretKey: new Uint8Array(KEY_BYTES), publicKey: new Uint8Array(KEY_BYTES) };
    expect(f.receive(f.accept({ fresh: low }))).toBe(Verdict.forged);
    expect(f.receive(accept)).toBe(Verdict.accepted);
  });

  test('an accept by somebody without the identity’s secret, or without the credential’s, opens nothing', () => {
    const f = new Fixture({ credential: { way: Way.key, secret } }).prove();
    expect(f.receive(f.accept({ by: impostor }))).toBe(Verdict.forged);
    expect(f.receive(f.accept({ secret: NO_SECRET }))).toBe(Verdict.forged);
    expect(f.receive(f.accept({ secret: new Uint8Array(KEY_BYTES).fill(5) }))).toBe(Verdict.forged);
    expect(f.receive(f.accept())).toBe(Verdict.accepted);
  });

  test('data before the accept, and for somebody else, is ignored', () => {
    const f = new Fixture().prove();
    const data = new Uint8Array(60);
    data[0] = PacketKind.data;
    expect(f.receive(data)).toBe(Verdict.unexpected);
    f.receive(f.accept());
    expect(f.receive(data)).toBe(Verdict.unknown);
    expect(f.receive(data.subarray(0, 10))).toBe(Verdict.malformed);
  });

  test('random datagrams never throw and change nothing', () => {
    const f = new Fixture().prove();
    fc.assert(
      fc.property(
        fc.nat(31),
        fc.uint8Array({ maxLength: 230 }),
        fc.boolean(),
        (kind, tail, own) => {
          const bytes = Uint8Array.of(kind, ...tail);
          // With its nonce only a refusal is believed.
          if (own && bytes.length > NONCE_BYTES && kind !== PacketKind.refuse) {
            bytes.set(f.hello.nonce, 1);
          }
          expect(f.receive(bytes)).not.toBe(Verdict.accepted);
        },
      ),
      { numRuns: 300 },
    );
    expect(f.events).toEqual([]);
    expect(f.receive(f.accept())).toBe(Verdict.accepted);
  });
});

describe('a pinned identity key', () => {
  const serverKey = identity.publicKey;

  test('lets its server in', () => {
    const f = new Fixture({ serverKey }).prove();
    expect(f.receive(f.accept())).toBe(Verdict.accepted);
  });

  test('gets no proof for any other, and says so in the end', () => {
    const f = new Fixture({ serverKey });
    for (; !f.dialer.over; f.nowMs += 100) {
      const bytes = f.poll();
      if (bytes.length === 0) continue;
      expect(bytes[0]).toBe(PacketKind.request);
      f.hello.readRequest(bytes, 0, bytes.length);
      expect(f.receive(f.challenge(impostor.publicKey))).toBe(Verdict.forged);
    }
    expect(f.events).toEqual(['closed identity the server has another identity key false']);
  });

  test('differs in any bit: another key', () => {
    const f = new Fixture({ serverKey }).ask();
    for (let bit = 0; bit < KEY_BYTES * 8; bit++) {
      const other = serverKey.slice();
      other[bit >> 3]! ^= 1 << (bit & 7);
      expect(f.receive(f.challenge(other)), `bit ${bit}`).toBe(Verdict.forged);
    }
  });

  test('who answers first with another key does not hinder the right server', () => {
    const f = new Fixture({ serverKey }).ask();
    expect(f.receive(f.challenge(impostor.publicKey))).toBe(Verdict.forged);
    expect(f.receive(f.challenge())).toBe(Verdict.accepted);
    f.nowMs += 10_000;
    f.poll();
    expect(f.events).toEqual([ANSWERED]);
  });

  test('who shows the right key without its secret can accept nobody', () => {
    const f = new Fixture({ serverKey }).prove();
    expect(f.opened(impostor)).toBeUndefined();
    expect(f.receive(f.accept({ by: impostor }))).toBe(Verdict.forged);
    f.nowMs += 10_000;
    f.poll();
    expect(f.events).toEqual([ANSWERED]);
  });

  test('left out: whoever answers is believed', () => {
    const f = new Fixture().prove(impostor.publicKey);
    const es = agreed(crypto, impostor.secretKey, f.hello.clientKey)!;
    const { transcript } = f.opened(impostor)!;
    const fresh = createKeyPair(crypto);
    const ee = agreed(crypto, fresh.secretKey, f.hello.clientKey)!;
    const accept = new Uint8Array(ACCEPT_BYTES);
    const end = writeAcceptHead(accept, 0, f.hello.nonce, 9, fresh.publicKey);
    const head = accept.slice(0, end);
    const keys = sessionKeys(crypto, NO_SECRET, { es, transcript }, ee, head);
    sealAccept(crypto, keys.accept, accept, 0, end);
    expect(f.receive(accept)).toBe(Verdict.accepted);
  });
});

describe('a connection', () => {
  test('closed here tells the server, then is over', () => {
    const f = new Fixture().prove();
    f.receive(f.accept());
    f.dialer.close(f.nowMs, 'closed', 'bye');
    expect(f.events).toEqual(['closed closed bye false']);
    let packets = 0;
    for (; f.nowMs < 20_000 && !f.dialer.over; f.nowMs += 10) if (f.poll().length > 0) packets++;
    expect(packets).toBe(10);
    expect(f.dialer.over).toBe(true);
    expect(f.events.length).toBe(1);
  });

  test('that nobody answers times out', () => {
    const f = new Fixture({ timeoutMs: 3000 }).prove();
    f.receive(f.accept());
    f.nowMs += 2999;
    f.poll();
    expect(f.events).toEqual([]);
    f.nowMs += 1;
    f.poll();
    expect(f.events).toEqual(['closed timeout  false']);
  });

  test('has keys of its own each time, whatever the server repeats', () => {
    const fresh = createKeyPair(crypto);
    const seen = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      const f = new Fixture({ crypto: simulatedCrypto(seed) }).prove();
      expect(f.receive(f.accept({ fresh, serverId: 7 }))).toBe(Verdict.accepted);
      seen.add(`${f.keys!.clientToServer}`).add(`${f.keys!.serverToClient}`);
      seen.add(`${f.keys!.accept}`).add(`${f.keys!.resume.secret}`);
    }
    expect(seen.size).toBe(80);
  });
});
