// Every row of the tables in SECURITY.md, "Pitfalls, and how they are answered": one test each, by the name that stands
// there. They show the pitfall itself, with somebody who falls into it on purpose; what goes deeper stands with the parts.

import { readFileSync } from 'node:fs';
import { Prng, SimulatedAddressBook, simulatedCrypto } from '@tickwire/netsim';
import {
  AckBlock,
  ByteReader,
  Connection,
  type Credential,
  type Crypto,
  createKeyPair,
  createMessageChannel,
  DATA_PACKET_BYTES_MIN,
  type DeliveryKind,
  endReasons,
  expandSequence,
  HEADER_BYTES,
  KEY_BYTES,
  NO_SECRET,
  PADDED_BYTES,
  PacketKind,
  ReceivedWindow,
  ReliableOrderedChannel,
  readAccept,
  readChallenge,
  readConnectionId,
  readRefusal,
  readToken,
  resolveChannel,
  SequenceRing,
  TAG_BYTES,
  Verdict,
  verdictNames,
  Way,
  WIRE_VERSION,
  writeChallenge,
  writeHeader,
  writeProof,
  writeRefusal,
  writeRequest,
} from '@tickwire/protocol';
import { ConnectionHost } from '@tickwire/server/core';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { AddressTable } from '../../packages/protocol/src/udp/address-table.ts';
import { Pair } from '../../packages/protocol/test/channel-pair.ts';
import { RecordedKeys } from '../../packages/protocol/test/recorded-keys.ts';
import { cut, sectionOf, type TestRecord } from '../../packages/protocol/test/reliable-records.ts';
import { LEDGER_TOKENS_MAX, TokenLedger } from '../../packages/server/src/token-ledger.ts';
import {
  Attempt,
  GAME,
  type Peer,
  Scene,
  TOKEN_KEY,
  tokenOf,
  WALL_MS,
} from '../../packages/server/test/handshake-scene.ts';
import { BEGIN_MS, dialing, nonceIn, said } from './dialing.ts';
import { heldBytes } from './fixed-tables.ts';
import {
  agreeingOnZeros,
  pointsOfSmallOrder,
  pretend,
  rebind,
  refusalOf,
  SealedHand,
} from './forgeries.ts';
import { handshakeStates } from './handshake-states.ts';
import { emptyReport, NonceLife } from './nonce-life.ts';
import { NonceRecorder } from './nonce-recorder.ts';
import { PlainEnd } from './plain-end.ts';
import { loadSeededSodium } from './seeded-sodium.ts';
import { StrangerLedger } from './stranger-ledger.ts';
import { SERVER, TICKET_KEY, ticketOf, Venue } from './venue.ts';

const { accepted, malformed, forged, duplicate, stale, unknown, limited } = Verdict;
/** Where things stand in a request and a proof. */
const MAGIC_AT = 1;
const COOKIE_AT = 32;
const CLIENT_KEY_AT = 56;
const CREDENTIAL_AT = 90;
const PLENTY = { perSecond: 1e9, burst: 1e9 } as const;
/** A secret that is nobody's. */
const NONSENSE = new Uint8Array(KEY_BYTES).fill(1);

let sodiumOf: (seed: number) => Crypto;

beforeAll(async () => {
  sodiumOf = await loadSeededSodium();
});

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** A copy in which something is different. */
function changed(bytes: Uint8Array, at: number, by = 1): Uint8Array {
  const copy = bytes.slice();
  copy[at]! ^= by;
  return copy;
}

/** A data packet that only looks like one. */
function forgery(id: number, sequence: number, generation = 0, length = 60): Uint8Array {
  const packet = new Uint8Array(length).fill(0x5c);
  writeHeader(packet, 0, id, sequence, generation);
  return packet;
}

/** The id by which the server knows a connection, from a packet to it. */
const idIn = (packet: Uint8Array) => readConnectionId(packet, 0);

/** Everything of a connection that a packet could move. */
function stateOf({ statistics, received, nextSequence, rtt }: Connection): unknown {
  const { newest, newestKept, reach } = received;
  return { ...statistics, newest, newestKept, reach, nextSequence, samples: rtt.samples };
}

/** The next packet of a client; a moment later, so that it has something to say. */
function says(scene: Scene, peer: Peer): Uint8Array {
  scene.advance(1);
  return scene.says(peer);
}

/** What the client of an attempt can say, now that it has its keys. */
function handOf(attempt: Attempt, accept: Uint8Array): SealedHand {
  const { clientToServer } = attempt.keys(accept)!;
  const { serverId } = readAccept(accept, 0, accept.length)!;
  return new SealedHand(attempt.crypto.sealer(clientToServer), serverId);
}

/** Bytes that differ from place to place and by length. */
function page(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => length * 3 + at * 7 + (at >> 8));
}

/** A section with one fragment of an unreliable kind. */
function fragment(id: number, index: number, last: boolean, length = 1100): Uint8Array {
  const head = length * 2 + 1;
  const heads = head < 0x80 ? [head] : [(head & 0x7f) | 0x80, head >> 7];
  const part = index * 2 + (last ? 1 : 0);
  return Uint8Array.from([...heads, id & 0xff, (id >> 8) & 0xff, part, ...new Uint8Array(length)]);
}

type Bounds = ConstructorParameters<typeof Pair>[2];

/** The receiving end of a channel, and what it says of a section. */
function receiving(kind: Exclude<DeliveryKind, 'reliable-latest'>, bounds: Bounds = {}) {
  const pair = new Pair(
    kind,
    { create: createMessageChannel, reliable: true, ordered: true },
    bounds,
  );
  const read = (bytes: Uint8Array, sequence = pair.sequence++) => pair.read({ sequence, bytes });
  return { pair, read };
}

test('SECURITY.md and this file name the same tests', () => {
  const root = new URL('../../', import.meta.url);
  const text = readFileSync(new URL('SECURITY.md', root), 'utf8');
  const [, part] = /## Pitfalls, and how they are answered\n(.*?)\n## /s.exec(text)!;
  const rows = part!.split('\n').filter((line) => line.startsWith('| '));
  const heads = rows.filter((row) => row.endsWith('| test |'));
  const titles = rows.flatMap((row) => /\| `([^`]+)` \|$/.exec(row)?.[1] ?? []);
  expect([heads.length, titles.length]).toEqual([2, rows.length - 2]);
  const source = readFileSync(new URL(import.meta.url), 'utf8');
  const named = [...source.matchAll(/^ {2}it\('([^']+)'/gm)].map(([, title]) => title!);
  expect(named.toSorted()).toEqual([...new Set(titles)].toSorted());
});

describe('strangers', () => {
  it('answers to an unproven address never exceed what came from it, and none is repeated unasked', () => {
    const scene = new Scene();
    const peer = scene.join(new Attempt(1), 1);
    // It has something to ack, so its packets are long enough to be asked about.
    scene.advance(2000).host.flush(scene.nowMs);
    for (const { bytes } of scene.drain()) scene.tell(peer, bytes);
    const proof = scene.proof(new Attempt(2), 2);
    const ledger = new StrangerLedger();
    const drain = () => {
      for (const { to, bytes } of scene.drain()) ledger.went(to, bytes);
      ledger.silent();
    };
    const hand = (bytes: Uint8Array, from: number) => {
      ledger.came(from, bytes);
      scene.receive(bytes, from);
      drain();
    };
    const { request } = new Attempt(3);
    let from = 50;
    for (let length = 1; length < PADDED_BYTES; length += length < 100 ? 3 : 50) {
      hand(request.subarray(0, length), from++);
      hand(proof.subarray(0, length), from++);
    }
    // Each from somewhere else, so that nobody has a debt with the next one.
    const refused = new Attempt(4, { game: { ...GAME, digest: 1 } }).request;
    for (const bytes of [request, proof, refused, changed(request, 5, 0xff)]) {
      from++;
      for (let times = 0; times < 3; times++) hand(bytes, from);
    }
    // What a player says comes from elsewhere, as if it had been carried there.
    for (let times = 0; times < 3; times++) {
      scene.advance(100);
      hand(says(scene, peer), from + 1 + times);
    }
    expect([ledger.worst, scene.host.statistics.pathChallenges]).toEqual([1, 3]);
    // They were answered; now they, and nobody else, are silent.
    for (let second = 0; second < 8; second++) {
      scene.advance(1000).host.flush(scene.nowMs);
      for (const { to, bytes } of scene.drain()) if (to !== 1) ledger.went(to, bytes);
    }
    expect(ledger.wrong).toEqual([]);
  });

  it('a request leaves nothing behind, and half-open places are bounded and expire', () => {
    const rates = { connections: PLENTY, connectionsPerAddress: { perSecond: 1, burst: 5 } };
    const scene = new Scene({ limits: { halfOpen: 8, ...rates }, maxConnections: 100 });
    const left = () => [scene.host.used, scene.addresses.size, scene.host.statistics.halfOpen];
    for (let n = 0; n < 300; n++) scene.challenge(new Attempt(n), 1 + n);
    expect(left()).toEqual([0, 0, 0]);
    let number = 1000;
    const tries = (count: number, from: (n: number) => number) =>
      Array.from({ length: count }, (_, n) => {
        const verdict = scene.receive(scene.proof(new Attempt(number++), from(n)), from(n));
        scene.drain();
        return verdict;
      });
    const some = (verdict: Verdict, count: number) => new Array(count).fill(verdict);
    expect(tries(7, () => 1)).toEqual([...some(accepted, 5), ...some(limited, 2)]);
    expect(tries(5, (n) => 2 + n)).toEqual([...some(accepted, 3), ...some(limited, 2)]);
    expect(left()).toEqual([8, 4, 8]);
    const { addressesLimited, halfOpenLimited } = scene.host.statistics;
    expect([addressesLimited, halfOpenLimited]).toEqual([2, 2]);
    scene.advance(4999);
    expect(left()).toEqual([8, 4, 8]);
    scene.advance(1);
    expect(left()).toEqual([0, 0, 0]);
    expect(scene.events.filter((event) => event.startsWith('closed'))).toEqual([]);
  });

  it('nobody without the keys ends a connection', () => {
    const venue = new Venue({ cryptoOf: sodiumOf });
    const [ann, bob] = [venue.joined(), venue.joined()];
    venue.say(ann, 'hello');
    const nonce = nonceIn(venue.sent(ann.address, SERVER, PacketKind.request)[0]!);
    const [toAnn, toServer] = [
      venue.sent(SERVER, ann.address).at(-1)!,
      venue.sent(ann.address, SERVER).at(-1)!,
    ];
    const attack = (bytes: Uint8Array) => {
      venue.exchange.deliver(SERVER, ann.address, bytes);
      venue.exchange.deliver(ann.address, SERVER, bytes);
    };
    // Somebody on the path has seen the nonce.
    for (const reason of endReasons) {
      const refusal = new Uint8Array(100);
      attack(refusal.subarray(0, writeRefusal(refusal, 0, nonce, reason, 'go')));
    }
    // A close as it looks in clear, the close of somebody else, and what there was, changed.
    const close = forgery(idIn(toAnn), 9, 0, HEADER_BYTES + 4 + TAG_BYTES);
    close.set([0, 0x80 | 65, 1, 0], HEADER_BYTES);
    attack(close);
    bob.client.close(venue.exchange.nowMs, '', { graceMs: 0 });
    venue.exchange.pass(100);
    const own = venue.sent(bob.address, SERVER).at(-1)!;
    for (const good of [toAnn, toServer]) {
      const other = own.slice();
      other.set(good.subarray(0, HEADER_BYTES));
      attack(other);
      for (let at = 0; at < good.length; at++) attack(changed(good, at, 0x80));
    }
    venue.say(ann, 'still here');
    expect(venue.told).toEqual([
      '1 session',
      '2 session',
      '1 hello',
      '2 end closed',
      '1 still here',
    ]);
    expect(ann.told).toEqual(['connected']);
    // An attempt that has no connection yet is ended by a refusal, if it has the right nonce.
    venue.passes = () => false;
    const cid = venue.join();
    venue.exchange.settle();
    venue.exchange.deliver(SERVER, cid.address, refusalOf(nonce));
    expect(cid.told).toEqual([]);
    const [request] = venue.sent(cid.address, SERVER, PacketKind.request);
    venue.exchange.deliver(SERVER, cid.address, refusalOf(nonceIn(request!)));
    expect(cid.told).toEqual(['end refused']);
  });

  it('what nobody asked for is answered by silence', () => {
    const keys = { id: new Uint8Array(16).fill(5), secret: new Uint8Array(KEY_BYTES).fill(6) };
    const resumable = (id: Uint8Array) =>
      hex(id) === hex(keys.id) ? { session: 3, secret: keys.secret } : undefined;
    const access = { way: 'token', key: TOKEN_KEY } as const;
    const sink = { resumable };
    const scene = new Scene({ access, wallClock: () => WALL_MS, sink });
    const credential = tokenOf(1, scene.host.identity.publicKey);
    const peer = scene.join(new Attempt(1, { credential }));
    const [good, other] = [new Attempt(2, { credential }), new Attempt(3)];
    const proof = scene.proof(good, 2);
    const random = new Prng(1);
    const noise = (length: number, kind: number) => {
      const bytes = Uint8Array.from({ length }, () => random.u32());
      bytes[0] = kind;
      return bytes;
    };
    const datagrams = [
      ...Array.from({ length: 256 }, (_, kind) => [noise(1200, kind), noise(69, kind)]).flat(),
      good.request.subarray(0, 1199),
      new Uint8Array([...good.request, 0]),
      changed(good.request, MAGIC_AT),
      changed(proof, COOKIE_AT + 7),
      other.proveWith(new Uint8Array(20), scene.host.identity.publicKey),
      // Good, but for another address.
      proof,
      forgery(peer.attempt.id, 1),
      forgery(0, 1),
    ];
    for (const bytes of datagrams) {
      expect(scene.receive(bytes, 9)).not.toBe(accepted);
      expect(scene.drain()).toEqual([]);
    }
    expect(scene.advance(1000).drain()).toEqual([]);
    // Whoever is there hears more, but what is true of a token or a session only with its secret.
    const secret = new Uint8Array(KEY_BYTES).fill(1);
    const told = (number: number, shown: Credential) => {
      const { reason, text } = scene.refusal(new Attempt(number, { credential: shown }), 2);
      return `${reason} ${text}`;
    };
    expect(told(4, credential)).toBe('token-used ');
    expect(told(5, { ...credential, secret })).toBe(
      'token-invalid damaged, or not sealed for this server',
    );
    expect(told(6, { way: Way.token, secret, sealed: new Uint8Array(200) })).toBe(
      'token-invalid damaged, or not sealed for this server',
    );
    expect(told(7, { way: Way.resume, id: keys.id, secret })).toBe(
      'resume-invalid too late, used before, or left: connect anew',
    );
    expect(told(8, { way: Way.resume, id: secret.slice(0, 16), secret })).toBe(
      'resume-invalid too late, used before, or left: connect anew',
    );
  });

  it('no datagram throws, in any state of the handshake', () => {
    const random = new Prng(3);
    const hostile = (genuine: readonly Uint8Array[]) => {
      const old = genuine[random.u32() % genuine.length]!;
      const end = random.u32() % 4 === 0 ? random.u32() % old.length : old.length;
      const bytes = old.slice(0, end);
      for (let n = random.u32() % 4; n > 0 && end > 0; n--) {
        // Mostly where the fields are.
        const within = random.u32() % 4 === 0 ? end : Math.min(110, end);
        bytes[random.u32() % within] = random.u32() % 4 === 0 ? 0xff : random.u32();
      }
      return bytes;
    };
    for (const [name, create] of Object.entries(handshakeStates(sodiumOf))) {
      const seen = new Set<Verdict>();
      for (let times = 0; times < 40; times++) {
        const { genuine, receive } = create();
        for (let n = 0; n < 60; n++) seen.add(receive(hostile(genuine)));
      }
      const { receive } = create();
      for (let kind = 0; kind < 256; kind++) {
        for (const length of [0, 1, 17, 24, 69, 70, 218, 1200, 1472, 1473]) {
          seen.add(receive(new Uint8Array(length).fill(kind)));
        }
      }
      const unnamed = [...seen].filter((verdict) => verdictNames[verdict] === undefined);
      // It was not all the same to it.
      expect([name, unnamed, seen.size > 1]).toEqual([name, [], true]);
    }
  });

  it('a packet cut at any byte is refused, and read no further than its end', () => {
    // What stands behind the end is the rest of the packet: whoever reads on finds what is missing.
    const cuts = (
      what: string,
      bytes: Uint8Array,
      take: (copy: Uint8Array, end: number) => boolean,
    ) => {
      for (let end = 0; end < bytes.length; end++) {
        expect([what, end, take(bytes.slice(), end)]).toEqual([what, end, false]);
      }
      expect([what, take(bytes.slice(), bytes.length)]).toEqual([what, true]);
    };
    const scene = new Scene({ limits: { connectionsPerAddress: PLENTY, connections: PLENTY } });
    const { host } = scene;
    const takes = (bytes: Uint8Array, end: number) =>
      host.receive(scene.nowMs, bytes, 0, end, 1) === accepted;
    cuts('request', new Attempt(1).request, takes);
    scene.drain();
    cuts('proof', scene.proof(new Attempt(2)), takes);
    scene.drain();
    const peer = scene.join(new Attempt(3));
    cuts('data', says(scene, peer), takes);

    const { dialer, hear } = dialing({ serverKey: scene.host.identity.publicKey });
    const request = said(dialer);
    scene.receive(request);
    cuts('challenge', scene.drain()[0]!.bytes, (bytes, end) => hear(bytes, end) === accepted);
    scene.receive(said(dialer));
    cuts('accept', scene.drain()[0]!.bytes, (bytes, end) => hear(bytes, end) === accepted);
    const attempt = dialing();
    const refusal = refusalOf(nonceIn(said(attempt.dialer)));
    cuts('refuse', refusal, (bytes, end) => attempt.hear(bytes, end) === accepted);

    const { sealed } = tokenOf(1, new Uint8Array(KEY_BYTES));
    const crypto = simulatedCrypto(1);
    cuts(
      'token',
      sealed,
      (bytes, end) => readToken(crypto, TOKEN_KEY, bytes, 0, end) !== undefined,
    );
    const reader = new ByteReader();
    const block = new AckBlock();
    const acks = Uint8Array.of(0b1111, 9, 0, 1, 0, 0x81, 0, 0, 1, 7, 6, 5);
    cuts('acks', acks, (bytes, end) => {
      reader.reset(bytes, 0, end);
      return block.read(reader) && reader.position === acks.length;
    });
    // The last byte of a fragment's head and its bytes: one record, so that no cut is between two.
    for (const kind of ['reliable-ordered', 'reliable-unordered', 'unreliable'] as const) {
      const channel = createMessageChannel(resolveChannel({ kind }), () => {});
      const record =
        kind === 'unreliable' ? fragment(0, 0, false) : sectionOf([cut(0, page(1200))[0]!]);
      cuts(kind, record, (bytes, end) => channel.read(0, bytes, 0, end, 0) === accepted);
    }
  });
});

describe('keys and nonces', () => {
  it('no key and nonce come twice over crashes, restarts, used tokens and used places', () => {
    const lives = (count: number, cryptoOf: (seed: number) => Crypto) => {
      const report = emptyReport();
      const repeats: string[] = [];
      for (let seed = 500; seed < 500 + count; seed++) {
        const recorder = new NonceRecorder();
        const recorded = (own: number) => recorder.wrap(cryptoOf(own));
        new NonceLife({ seed, operations: 40, cryptoOf: recorded }, report).run();
        expect(recorder.keys).toBeGreaterThan(3);
        repeats.push(...recorder.repeats);
      }
      return { report, repeats };
    };
    const { report, repeats } = lives(6, simulatedCrypto);
    expect(repeats).toEqual([]);
    expect(Object.entries(report).filter(([, times]) => times < 3)).toEqual([]);
    // Where nothing is drawn anew, that is what happens.
    expect(lives(2, () => simulatedCrypto(1)).repeats.length).toBeGreaterThan(0);
  });

  it('a token used again makes other keys, and lets nobody in', () => {
    const identity = createKeyPair(simulatedCrypto(77));
    // A store that forgets what it was asked, as after a restart.
    const consume = (_id: Uint8Array, done: (fresh: boolean) => void) => done(true);
    const access = { way: 'token', key: TOKEN_KEY, consume } as const;
    const open = (seed: number) =>
      new Scene({ access, identity, crypto: simulatedCrypto(seed), wallClock: () => WALL_MS });
    const credential = tokenOf(1, identity.publicKey);
    const scene = open(1);
    const drawn: string[] = [];
    const draw = (where: Scene, attempt: Attempt, proof = where.proof(attempt)) => {
      where.receive(proof);
      const keys = attempt.keys(where.drain()[0]!.bytes)!;
      drawn.push(hex(keys.clientToServer), hex(keys.serverToClient), hex(keys.accept));
      drawn.push(hex(keys.resume.id), hex(keys.resume.secret));
      return proof;
    };
    draw(scene, new Attempt(1, { credential }));
    const again = new Attempt(2, { credential });
    const proof = draw(scene, again);
    // The very same proof, when its place has been given up.
    scene.advance(5000);
    draw(scene, again, proof);
    // The same client, that draws what it drew before, at the server's next process.
    draw(open(2), new Attempt(1, { credential }));
    expect(drawn.length).toBe(20);
    expect(new Set(drawn).size).toBe(drawn.length);
    scene.join(new Attempt(3, { credential }));
    for (const from of [1, 2]) {
      const { reason } = scene.refusal(new Attempt(3 + from, { credential }), from);
      expect(reason).toBe('token-used');
    }
    expect(scene.host.used).toBe(1);
  });

  it('the replay window holds at its edges, at 2^16, at 2^32 and beyond', () => {
    const edges = [0, 255, 256, 2 ** 15, 2 ** 16, 2 ** 31, 2 ** 32, 2 ** 48, 2 ** 53 - 70_000];
    for (const edge of edges) {
      for (let newest = Math.max(0, edge - 2); newest <= edge + 2; newest++) {
        const window = new ReceivedWindow();
        window.received(0, newest, true);
        const check = (sequence: number) => [newest, sequence, window.check(sequence)];
        const isStale = (sequence: number) => [newest, sequence, sequence < 0 ? stale : accepted];
        expect(check(newest)).toEqual([newest, newest, duplicate]);
        expect(check(newest - 1)).toEqual(isStale(newest - 1));
        expect(check(newest - 255)).toEqual(isStale(newest - 255));
        expect(check(newest - 256)).toEqual([newest, newest - 256, stale]);
        expect(check(newest + 1)).toEqual([newest, newest + 1, accepted]);
        for (const ahead of [-255, -1, 0, 1, 2, 255, 256, 30_000]) {
          const sequence = newest + ahead;
          if (sequence >= 0) expect(window.expand(sequence % 0x10000)).toBe(sequence);
        }
        if (newest < 255) continue;
        window.received(0, newest - 255, true);
        expect([window.check(newest - 255), window.newest]).toEqual([duplicate, newest]);
      }
    }
    // And in a connection, over the first wrap of what travels.
    const end = new PlainEnd();
    const wrong: string[] = [];
    const hear = (sequence: number, verdict: Verdict) => {
      const heard = end.hear(sequence % 0x10000, [0]);
      if (heard !== verdict) wrong.push(`${sequence}: ${verdictNames[heard]}`);
    };
    for (let sequence = 0; sequence < 0x10000 + 300; sequence++) {
      hear(sequence, accepted);
      if (sequence >= 300 && Math.abs(sequence - 0x10000) >= 300) continue;
      hear(sequence, duplicate);
      if (sequence >= 255) hear(sequence - 255, duplicate);
      if (sequence >= 256) hear(sequence - 256, stale);
    }
    expect(wrong).toEqual([]);
  });

  it('sequences stay exact beyond 2^32', () => {
    const key = new Uint8Array(KEY_BYTES).fill(8);
    const high = [2 ** 31 + 5, 2 ** 32 + 5, 2 ** 33 + 5, 2 ** 52 + 5, 2 ** 53 - 1];
    for (const crypto of [sodiumOf(1), simulatedCrypto(1)]) {
      const sealer = crypto.sealer(key);
      for (const sequence of high) {
        const packet = forgery(1, sequence);
        sealer.seal(packet, 0, HEADER_BYTES, 44, sequence);
        const opens = (n: number) => sealer.open(packet.slice(), 0, HEADER_BYTES, 44, n);
        const [low, near] = [sequence % 2 ** 32, sequence - 1];
        expect([opens(sequence), opens(near)]).toEqual([true, false]);
        if (low !== sequence) expect(opens(low)).toBe(false);
        expect(opens(sequence - 2 ** 16)).toBe(false);
      }
    }
    const ring = new SequenceRing(256);
    for (const sequence of high) {
      ring.put(sequence);
      expect([ring.has(sequence), ring.has(sequence % 2 ** 31)]).toEqual([true, false]);
      expect(expandSequence((sequence - 9) % 0x10000, sequence)).toBe(sequence - 9);
    }
  });

  it('a forged key phase changes nothing, and costs one opening', () => {
    const incoming = new RecordedKeys(1);
    const options = { nowMs: 0, channels: [], sink: { closed() {}, ended() {} } };
    const keys = { outgoing: new RecordedKeys(1), incoming: new RecordedKeys(2) };
    const peer = new Connection({ ...options, ...keys, remoteId: 9 });
    const own = { remoteId: 7, outgoing: new RecordedKeys(2), incoming };
    const connection = new Connection({ ...options, ...own });
    const out = new Uint8Array(1200);
    let nowMs = 0;
    const genuine = () => {
      nowMs += 250;
      peer.flush(nowMs);
      return out.slice(0, peer.poll(nowMs, out, 0));
    };
    const hear = (bytes: Uint8Array) => connection.receive(nowMs, bytes, 0, bytes.length);
    const packets = Array.from({ length: 6 }, genuine);
    // One of them is late.
    const [late] = packets.splice(2, 1);
    for (const packet of packets) expect(hear(packet)).toBe(accepted);
    const before = stateOf(connection);
    const { made, tried } = incoming;
    for (let n = 0; n < 500; n++) expect(hear(forgery(9, 6 + n, 1))).toBe(forged);
    expect(incoming.tried - tried).toBe(500);
    // In the midst of what has come, the other phase is a lie, and not even worth an opening.
    for (let n = 0; n < 500; n++) expect(hear(forgery(9, 2, 1))).toBe(forged);
    expect([incoming.tried - tried, incoming.made]).toEqual([500, made]);
    expect(stateOf(connection)).toEqual(before);
    expect([hear(late!), hear(genuine())]).toEqual([accepted, accepted]);
  });
});

describe('messages', () => {
  it('no fragment is kept that contradicts its message, its channel or its neighbours', () => {
    const long = page(2500);
    const [first, second, third] = cut(3, long) as [TestRecord, TestRecord, TestRecord];
    const record = (id: number, part: number, length: number): TestRecord => ({
      id,
      part,
      bytes: new Uint8Array(length),
    });
    const lies: [string, TestRecord][] = [
      ['an index beyond what is declared', record(9, 2 * 4, 1100)],
      ['more bytes than are declared', record(9, 2 * 3 + 1, 1100)],
      ['a piece that is not full, and not the last', record(9, 2 * 1, 1099)],
      ['an empty end', record(9, 2 * 1 + 1, 0)],
      ['a message before the beginning', record(1, 2 * 2 + 1, 5)],
      ['another piece in its place', record(4, 2 * 2, 1100)],
      ['another message within it', record(4, 1, 5)],
      ['an end before its end', record(4, 2 * 1 + 1, 5)],
      ['a message that begins within it', record(6, 2 * 1 + 1, 5)],
      ['a piece behind its end', record(6, 2 * 3, 1100)],
    ];
    for (const name of ['reliable-ordered', 'reliable-unordered'] as const) {
      const { pair, read } = receiving(name, { messageBytes: 4000 });
      expect(read(sectionOf([first, third]))).toBe(accepted);
      const held = pair.receiver.statistics.heldBytes;
      expect(held).toBe(1100 + 300);
      for (const [what, lie] of lies) {
        // Alone, and behind something that is good: a section is kept whole, or not at all.
        expect([what, read(sectionOf([lie]))]).toEqual([what, malformed]);
        expect([what, read(sectionOf([second, lie]))]).toEqual([what, malformed]);
        expect([what, pair.receiver.statistics.heldBytes]).toEqual([what, held]);
      }
      const before = cut(0, page(3));
      const rest = [before, cut(1, page(4)), cut(2, page(5)), [second]].flat();
      expect(read(sectionOf(rest))).toBe(accepted);
      expect(pair.received.map((bytes) => bytes.length).toSorted((a, b) => b - a)[0]).toBe(2500);
      expect(pair.received.some((bytes) => hex(bytes) === hex(long))).toBe(true);
    }
    // What is said once has its place by its packet: one in between comes late.
    const { pair, read } = receiving('unreliable', { messageBytes: 4000 });
    expect(read(fragment(10, 0, false), 5)).toBe(accepted);
    expect(read(fragment(12, 2, true, 300), 7)).toBe(accepted);
    for (const [what, lie, sequence] of [
      ['said twice', fragment(10, 0, false), 6],
      ['behind the end', fragment(13, 3, true, 5), 8],
      ['a second end', fragment(11, 1, true, 5), 6],
      ['no room for what is before it', fragment(1, 2, true, 5), 6],
      ['an index beyond what is declared', fragment(30, 4, true, 5), 8],
      ['more bytes than are declared', fragment(30, 3, true, 1100), 8],
      ['not full', fragment(30, 1, false, 1099), 8],
    ] as const) {
      expect([what, read(lie, sequence)]).toEqual([what, malformed]);
      expect([what, pair.receiver.statistics.heldBytes]).toEqual([what, 1400]);
    }
    expect(read(fragment(11, 1, false), 6)).toBe(accepted);
    expect(pair.received.map((bytes) => bytes.length)).toEqual([2500]);
  });

  it('incomplete messages take no more than their channel declares', () => {
    const bounds = { messageBytes: 5000, queueBytes: 20_000 };
    for (const name of ['reliable-ordered', 'reliable-unordered'] as const) {
      const { pair, read } = receiving(name, bounds);
      // Of message after message all but the first piece: none is ever complete.
      const refusals = Array.from({ length: 50 }, (_, n) =>
        read(sectionOf(cut(5 * n, page(5000)).slice(1, 2))),
      );
      const { heldBytes: held } = pair.receiver.statistics;
      expect(held).toBeLessThanOrEqual(bounds.queueBytes + bounds.messageBytes);
      expect(held).toBeGreaterThan(bounds.queueBytes);
      expect(new Set(refusals)).toEqual(new Set([accepted, Verdict.refused]));
    }
    // The unreliable kinds have one ring, of a size that follows from their longest message.
    const { pair, read } = receiving('unreliable', bounds);
    let most = 0;
    for (let n = 0; n < 3000; n++) {
      expect(read(fragment(5 * n, 0, false))).toBe(accepted);
      most = Math.max(most, pair.receiver.statistics.heldBytes);
    }
    expect(most).toBeLessThanOrEqual(32 * 1100);
    expect(pair.receiver.statistics.incomplete).toBeGreaterThan(2900);
    pair.nowMs += 5001;
    pair.receiver.pending(pair.nowMs);
    expect(pair.receiver.statistics.heldBytes).toBe(0);
    expect(pair.receiver.statistics.incomplete).toBe(3000);
  });

  it('empty messages and far ids take no memory', () => {
    for (const name of ['reliable-ordered', 'reliable-unordered'] as const) {
      const { pair, read } = receiving(name);
      const empty = (id: number) => sectionOf([{ id, part: 1, bytes: new Uint8Array(0) }]);
      const wrong: number[] = [];
      const cycle = () => {
        for (let id = 1; id < 0x10000; id += id < 256 ? 1 : 97) {
          if (read(empty(id)) !== (id < 256 ? accepted : malformed)) wrong.push(id);
        }
      };
      cycle();
      const before = heldBytes();
      for (let times = 0; times < 8; times++) cycle();
      expect(heldBytes() - before).toBeLessThan(256 * 1024);
      expect([wrong, pair.receiver.statistics.heldBytes]).toEqual([[], 0]);
      // The one that was missing, and none that was beyond the window.
      expect(read(empty(0))).toBe(accepted);
      expect(pair.received.length).toBe(256);
    }
  });

  it('a reliable channel goes on after lost acks, past the wrap and after a long silence', () => {
    for (const name of ['reliable-ordered', 'reliable-unordered'] as const) {
      const { pair } = receiving(name, { queueEntries: 65_536 });
      const numbered = (n: number) => Uint8Array.of(n, n >> 8, n >> 16);
      let said = 0;
      const say = (count: number) => {
        for (let n = 0; n < count; n++) pair.sender.send(numbered(said++), 0, 3);
      };
      // A whole window arrives, and none of its acks does.
      say(300);
      const lost = pair.writeAll();
      expect(lost.length).toBeGreaterThan(0);
      for (const section of lost) expect(pair.read(section)).toBe(accepted);
      expect([pair.received.length, pair.write()]).toEqual([256, undefined]);
      for (const { sequence } of lost) pair.sender.lost(sequence);
      pair.carryAll();
      expect(pair.received.length).toBe(300);
      // Ids go round.
      for (let n = 0; n < 66; n++) {
        say(1000);
        pair.carryAll();
      }
      pair.nowMs += 30 * 24 * 3_600_000;
      pair.sequence += 1_000_000;
      say(500);
      pair.carryAll();
      const got = pair.received.map((bytes) => bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16));
      expect([got.length, got.findIndex((number, n) => number !== n)]).toEqual([said, -1]);
    }
    // Fragments that are said once have ids as well, and silence is counted in packets.
    const { pair } = receiving('unreliable');
    for (const packets of [1, 16_384, 16_385, 65_536, 1_000_000]) {
      pair.sequence += packets;
      pair.nowMs += 60_000;
      pair.received.length = 0;
      pair.send(page(5000));
      pair.carryAll();
      expect(pair.received.map(hex)).toEqual([hex(page(5000))]);
    }
  });

  it('what is kept of a datagram does not change with the buffer it came in', () => {
    const identity = createKeyPair(simulatedCrypto(55));
    const access = { way: 'token', key: TICKET_KEY } as const;
    const venue = new Venue({ scribbles: true, identity, access });
    const credential = ticketOf(simulatedCrypto(56), identity.publicKey);
    const pages: Uint8Array[] = [];
    venue.server.onMessage('page', (_session, { data }) => pages.push(data));
    venue.server.onMessage('shout', (_session, { data }) => pages.push(data));
    const guest = venue.joined({ credential });
    // Pieces come one behind the other, out of order, and beside others.
    let packets = 0;
    venue.passes = ({ from }) => from === SERVER || ++packets % 3 !== 0;
    for (let n = 0; n < 6; n++) {
      guest.client.send('page', { data: page(3500 + n) });
      guest.client.send('say', { line: `line ${n}` });
      venue.exchange.pass(5);
    }
    venue.exchange.pass(3000);
    venue.passes = () => true;
    guest.client.send('shout', { data: page(3900) });
    venue.exchange.pass(500);
    const wanted = [3500, 3501, 3502, 3503, 3504, 3505, 3900].map(page);
    expect(pages.map(hex)).toEqual(wanted.map(hex));
    const [session] = [...venue.server.sessions.values()];
    expect([session!.user!.id, [...session!.user!.data]]).toEqual(['ada', [1, 2, 3]]);
    // What resumes it, and the token that was used, came in such buffers too.
    const state = guest.client.resumeState()!;
    venue.exchange.detach(guest.address);
    venue.joined({ credential: { way: Way.resume, ...state } });
    expect(venue.told.at(-1)).toBe('1 resumed');
    expect(venue.refusal({ credential })).toBe('end token-used');
  });
});

describe('what a peer says', () => {
  it('an ack of what was never sent changes nothing, and no ack block costs more than its size', () => {
    const heard: number[] = [];
    const limits = resolveChannel({ kind: 'reliable-ordered' });
    const channel = new ReliableOrderedChannel(limits, (bytes, start) => heard.push(bytes[start]!));
    const end = new PlainEnd([{ id: 0, channel }]);
    for (let n = 0; n < 3; n++) {
      channel.send(Uint8Array.of(n), 0, 1);
      end.nowMs += 20;
      end.speak();
    }
    const { nextSequence } = end.connection;
    const message = (id: number, byte: number) => [0x80, 4, id, 0, 2, byte];
    const ack = (sequence: number) => [1, sequence & 0xff, (sequence >> 8) & 0xff, 16, 0];
    const before = [stateOf(end.connection), { ...channel.statistics }];
    for (const lie of [
      nextSequence,
      nextSequence + 1,
      nextSequence + 1000,
      0x7fff,
      0x8000,
      0xffff,
    ]) {
      expect([lie, end.hear(0, [...ack(lie), ...message(0, 9)])]).toEqual([lie, malformed]);
    }
    expect([[stateOf(end.connection), { ...channel.statistics }], heard]).toEqual([before, []]);
    // What was sent may be acked as often as anybody likes: it counts once.
    for (let n = 0; n < 50; n++) {
      expect(end.hear(n, [...ack(nextSequence - 1), ...(n === 0 ? message(0, 9) : [])])).toBe(
        accepted,
      );
    }
    expect([channel.statistics.queued, end.connection.statistics.acked, heard]).toEqual([
      0,
      3,
      [9],
    ]);

    // The longest block: flags, ack, delay, a mask for each 64 and a byte for each 8 of its reach.
    const longest = [0b1111, 0, 0, 0, 0, 255, 255, 255, 255, ...new Array(32).fill(0)];
    const [block, reader, random] = [new AckBlock(), new ByteReader(), new Prng(9)];
    const bytes = new Uint8Array(1400);
    const sizeOf = (content: readonly number[]) => {
      bytes.set(content);
      reader.reset(bytes, 0, bytes.length);
      return block.read(reader) ? reader.position : 0;
    };
    expect(sizeOf(longest)).toBe(41);
    const sizes = Array.from({ length: 20_000 }, () =>
      sizeOf(Array.from({ length: 41 }, (_, at) => (at === 0 ? random.u32() % 16 : random.u32()))),
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(41);
    // One form: no mask for nothing, no byte that goes without saying, nothing of an ack that is not there.
    expect(sizeOf([0b0011, 0, 0, 0, 0, 0])).toBe(0);
    expect(sizeOf([0b0011, 0, 0, 0, 0, 1, 0xff])).toBe(0);
    expect([2, 4, 8, 16, 17, 0x80].map((flags) => sizeOf([flags]))).toEqual(new Array(6).fill(0));
  });

  it('no claimed delay moves the round trip below zero or beyond its bound', () => {
    for (const delay of [0, 1, 160, 1600, 7999, 8000, 8001, 0x7fff, 0xffff]) {
      for (const measuredMs of [0, 0.5, 10, 100, 499, 500, 501, 3000]) {
        const end = new PlainEnd();
        end.speak();
        end.nowMs = measuredMs;
        const block = [1, 0, 0, delay & 0xff, delay >> 8];
        expect(end.hear(0, block)).toBe(accepted);
        const { latestMs, smoothedMs, lossDelayMs, samples } = end.connection.rtt;
        // An ack that was held back so long, of a packet that asked for one, still counts.
        expect(samples).toBe(1);
        expect(latestMs).toBe(Math.max(0, measuredMs - Math.min(500, delay / 16)));
        expect(smoothedMs).toBe(latestMs);
        expect(lossDelayMs).toBeGreaterThan(latestMs);
      }
    }
  });

  it('a throw in user code ends its session, not the server', () => {
    const venue = new Venue();
    const [ann, bob] = [venue.joined(), venue.joined()];
    venue.heard = (session, line) => {
      if (line === 'poison') throw new Error('choked');
      session.send('say', { line: `re ${line}` });
    };
    venue.say(ann, 'poison');
    venue.say(bob, 'hello');
    venue.exchange.pass(200);
    expect(ann.told).toEqual(['connected', 'end error']);
    expect(bob.told).toEqual(['connected', 're hello']);
    expect(venue.errors).toEqual(['onMessage: choked']);
    const throwing = () => {
      throw new Error('no');
    };
    venue.server.onSession(throwing);
    const cid = venue.join();
    venue.exchange.pass(500);
    venue.server.onRequest(throwing);
    const dot = venue.join();
    venue.exchange.pass(500);
    venue.server.onEnd(throwing);
    bob.client.close(venue.exchange.nowMs);
    venue.exchange.pass(500);
    expect([cid.told.at(-1), dot.told.at(-1)]).toEqual(['end error', 'end error']);
    expect(venue.errors.slice(1)).toEqual(['onSession: no', 'onRequest: no', 'onEnd: no']);
    venue.server.onRequest((request) => request.accept());
    venue.server.onSession(() => {});
    venue.say(venue.joined(), 'on it goes');
    expect(venue.told.at(-1)).toContain('on it goes');
  });

  it('packets of strangers leave no address behind', () => {
    const table = new AddressTable();
    const flood = (count: number) => {
      for (let n = 0; n < count; n++) table.lookup(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, n);
    };
    flood(1000);
    const before = heldBytes();
    flood(200_000);
    expect(table.size).toBe(0);
    expect(heldBytes() - before).toBeLessThan(256 * 1024);
    // And the host holds nobody for anything but a place.
    const scene = new Scene({ limits: { connectionsPerAddress: { perSecond: 1, burst: 1 } } });
    const peer = scene.join(new Attempt(1), 1);
    const packet = says(scene, peer);
    for (let n = 2; n < 600; n++) {
      const attempt = new Attempt(n, {
        credential: { way: Way.key, secret: new Uint8Array(32).fill(1) },
      });
      scene.receive(attempt.request, n);
      scene.receive(attempt.proveWith(new Uint8Array(20), scene.host.identity.publicKey), n);
      scene.receive(forgery(idIn(packet), n), n);
      scene.drain();
      if (n < 20) scene.refusal(attempt, n);
    }
    expect([scene.addresses.size, scene.addresses.holds]).toEqual([1, 1]);
  });
});

describe('a connection', () => {
  it('a forged packet moves no window, no key phase, no address and no limit', () => {
    const scene = new Scene({ limits: { packets: { perSecond: 1, burst: 20 } } });
    const peer = scene.join(new Attempt(1), 1);
    const packet = says(scene, peer);
    const connection = scene.host.connection(peer.slot)!;
    const before = [stateOf(connection), scene.host.statistics, scene.addresses.holds];
    for (let n = 0; n < 400; n++) {
      scene.receive(forgery(idIn(packet), 1 + n * 80, n), 2 + (n % 5));
      // The genuine one, with one byte changed, before it has come itself.
      scene.receive(changed(packet, n % packet.length, 1 << (n % 8)), 7);
    }
    expect([stateOf(connection), scene.host.statistics, scene.addresses.holds]).toEqual(before);
    expect([scene.host.address(peer.slot) % 1000, scene.drain()]).toEqual([1, []]);
    expect(scene.receive(packet)).toBe(accepted);
    // Authentic ones do count.
    for (let n = 0; n < 30; n++) scene.receive(says(scene, peer));
    expect(scene.host.statistics.packetsLimited).toBeGreaterThan(5);

    // An authentic packet is judged whole: good acks beside a section that is none are no acks.
    const limits = resolveChannel({ kind: 'reliable-ordered' });
    const channel = new ReliableOrderedChannel(limits, () => {});
    const end = new PlainEnd([{ id: 0, channel }]);
    channel.send(Uint8Array.of(1), 0, 1);
    end.speak();
    const state = stateOf(end.connection);
    const good = [0x80, 4, 0, 0, 2, 5];
    for (const bad of [
      [...good, ...good],
      [...good, 0xc2, 1, 0],
      [0x80, 200],
      [0x80, 0],
      [66, 3, 1],
    ]) {
      expect(end.hear(0, [1, 0, 0, 0, 0, ...bad])).toBe(malformed);
    }
    expect([stateOf(end.connection), channel.statistics.queued]).toEqual([state, 1]);
  });

  it('whoever reads all that travels can neither read nor write into a connection', () => {
    const line = 'the treasure lies under the old oak';
    const visible = (cryptoOf: (seed: number) => Crypto) => {
      const venue = new Venue({ cryptoOf });
      venue.heard = (session) => session.send('say', { line });
      const guest = venue.joined();
      venue.say(guest, line);
      venue.exchange.pass(100);
      expect(guest.told).toEqual(['connected', line]);
      return venue.wire.filter(({ bytes }) => Buffer.from(bytes).includes(line)).length;
    };
    expect(visible(sodiumOf)).toBe(0);
    // Only where it is simulated: so it would be seen.
    expect(visible(simulatedCrypto)).toBeGreaterThan(0);

    const venue = new Venue({ cryptoOf: sodiumOf });
    const [ann, bob] = [venue.joined(), venue.joined()];
    venue.passes = ({ from }) => from !== ann.address;
    venue.say(ann, 'held up');
    const packets = venue.sent(ann.address, SERVER);
    const [greeting, caught] = [packets[0]!, packets.at(-1)!];
    const others = venue.sent(bob.address, SERVER);
    const { host } = venue.server;
    const before = host.verdicts(accepted);
    const inject = (bytes: Uint8Array) => venue.exchange.deliver(ann.address, SERVER, bytes);
    for (let at = 0; at < caught.length; at++) {
      for (const bit of [1, 0x10, 0x80]) inject(changed(caught, at, bit));
    }
    for (let end = DATA_PACKET_BYTES_MIN; end < caught.length; end++)
      inject(caught.subarray(0, end));
    // Bodies of others, and old ones of the same connection, behind a header that would fit.
    for (const body of [...others, greeting]) {
      const mixed = body.slice();
      mixed.set(caught.subarray(0, HEADER_BYTES));
      inject(mixed);
    }
    expect(host.verdicts(accepted)).toBe(before);
    expect(venue.told).toEqual(['1 session', '2 session']);
    inject(caught);
    expect(venue.told.at(-1)).toBe('1 held up');
  });

  it('a packet sent back to its sender is forged', () => {
    // The server gives the same id whenever its random numbers are the same, so a client can choose that one.
    const idOf = (id: number) => {
      const scene = new Scene({ keepAliveMs: 100 });
      const peer = scene.join(new Attempt(1, { id }));
      return { scene, peer, id: idIn(says(scene, peer)) };
    };
    const { scene, peer, id } = idOf(idOf(1).id);
    expect(peer.attempt.id).toBe(id);
    const packet = says(scene, peer);
    const { connection } = peer;
    // It is for this very connection by all that is in clear; only the keys of the directions differ.
    expect(connection.receive(scene.nowMs, packet.slice(), 0, packet.length)).toBe(forged);
    // The server says more than it heard, so that its sequences are not what makes the difference.
    const answers = Array.from({ length: 20 }, () => {
      scene.advance(100).host.flush(scene.nowMs);
      return scene.drain().at(-1)!.bytes;
    });
    for (const answer of answers.slice(-5)) {
      expect([idIn(answer), scene.receive(answer)]).toEqual([id, forged]);
    }
    expect(scene.receive(packet)).toBe(accepted);
  });

  it('traffic never moves to an address that did not answer', () => {
    const [HOME, AWAY, ELSEWHERE] = [1, 2, 3];
    const scene = new Scene();
    const peer = scene.join(new Attempt(1), HOME);
    const sent = new Map<number, number>();
    const drain = () => {
      const all = scene.drain();
      for (const { to, bytes } of all) sent.set(to, (sent.get(to) ?? 0) + bytes.length);
      return all;
    };
    const moves = () => scene.host.statistics.pathChanges;
    // Somebody on the path forwards all that the client says, from his own address, and says what he hears back.
    let came = 0;
    let question: Uint8Array = new Uint8Array(0);
    for (let n = 0; n < 40; n++) {
      scene.advance(200);
      const packet = says(scene, peer);
      came += packet.length;
      scene.receive(packet, AWAY);
      scene.host.flush(scene.nowMs);
      for (const { to, bytes } of drain()) {
        if (to === HOME) scene.tell(peer, bytes);
        if (to !== AWAY) continue;
        question = bytes;
        scene.receive(bytes, AWAY);
        scene.receive(forgery(idIn(packet), 1000 + n), AWAY);
      }
    }
    expect(question.length).toBe(30);
    expect(sent.get(AWAY)).toBeLessThanOrEqual(came);
    expect([...sent.keys()].toSorted()).toEqual([HOME, AWAY]);
    expect([scene.host.address(peer.slot) % 1000, moves()]).toEqual([HOME, 0]);
    // The answer counts from where it was asked for, and from nowhere else.
    const [answer] = scene.tell(peer, question);
    scene.receive(answer!, ELSEWHERE);
    drain();
    expect([scene.host.address(peer.slot) % 1000, moves()]).toEqual([HOME, 0]);
    // The client itself answers, and has moved.
    scene.receive(says(scene, peer), HOME);
    scene.advance(200);
    scene.receive(says(scene, peer), AWAY);
    const asked = scene.drain().find(({ to }) => to === AWAY)!;
    for (const bytes of scene.tell(peer, asked.bytes)) scene.receive(bytes, AWAY);
    expect([scene.host.address(peer.slot) % 1000, moves()]).toEqual([AWAY, 1]);

    // A player who would have it sent to somebody else guesses what was asked there: that ends the try.
    const attempt = new Attempt(2);
    const accept = scene.accept(attempt, HOME)!;
    const player = handOf(attempt, accept);
    const long = [0, 64, 8, ...new Uint8Array(8)];
    expect(scene.receive(player.packet(long), HOME)).toBe(accepted);
    scene.advance(200);
    scene.receive(player.packet(long), AWAY);
    const number = scene
      .drain()
      .find(({ to }) => to === AWAY)!
      .bytes.subarray(10, 14);
    const answers = (data: Iterable<number>) => player.packet([0, 67, 4, ...data]);
    for (let n = 0; n < 16; n++) scene.receive(answers(changed(number, n % 4, 1 + n)), AWAY);
    expect(scene.receive(answers(number), AWAY)).toBe(accepted);
    expect([scene.host.address(1) % 1000, moves()]).toEqual([HOME, 1]);
  });

  it('a flood of forged packets uses up nothing that players share', () => {
    const key = new Uint8Array(KEY_BYTES).fill(3);
    const credential: Credential = { way: Way.key, secret: key };
    const scene = new Scene({
      access: { way: 'key', key },
      maxConnections: 20,
      limits: {
        requests: { perSecond: 200, burst: 100 },
        packets: { perSecond: 50, burst: 50 },
        refusals: { perSecond: 1, burst: 5 },
      },
    });
    const peer = scene.join(new Attempt(1, { credential }), 1);
    const id = idIn(says(scene, peer));
    const old = scene.proof(new Attempt(2, { credential }), 2);
    const flood = (n: number) => {
      const stranger = new Attempt(10_000 + n, {
        game: { ...GAME, digest: n % 2 === 0 ? GAME.digest : 1 },
      });
      scene.receive(stranger.request, 100 + (n % 800));
      scene.receive(forgery(id, n), 100 + (n % 800));
      // In the name of the newcomer's own address, too.
      scene.receive(forgery(id, n), 3);
      scene.receive(changed(old, COOKIE_AT + 9), 3);
      scene.receive(stranger.proveWith(new Uint8Array(20), scene.host.identity.publicKey), 3);
      scene.drain();
    };
    let floods = 0;
    while (floods < 600) flood(floods++);
    const { requestsLimited, refusalsLimited, packetsLimited } = scene.host.statistics;
    expect(requestsLimited + refusalsLimited).toBeGreaterThan(300);
    // Not a place, not a share of an address, not the words for those who have been proven, not a player's packets.
    expect([scene.host.used, scene.addresses.holds, packetsLimited]).toEqual([1, 1, 0]);
    expect(scene.receive(says(scene, peer))).toBe(accepted);
    const ask = (attempt: Attempt) => {
      for (let times = 0; times < 25; times++) {
        for (let n = 0; n < 40; n++) flood(floods++);
        if (scene.receive(attempt.request, 3) === accepted) return scene.drain()[0]!.bytes;
        scene.advance(200);
      }
      throw new Error('no answer in 5 s');
    };
    const wrong = new Attempt(3);
    scene.receive(wrong.prove(ask(wrong)), 3);
    const [told] = scene.drain();
    expect(readRefusal(told!.bytes, 0, told!.bytes.length)!.reason).toBe('credentials');
    const newcomer = new Attempt(4, { credential });
    expect(scene.receive(newcomer.prove(ask(newcomer)), 3)).toBe(accepted);
    expect(newcomer.keys(scene.drain()[0]!.bytes)).toBeDefined();
  });
});

describe('the handshake', () => {
  it('nobody in between forces another version, game or way in', () => {
    // One byte of one kind of packet is always changed on the way: then nobody is ever connected.
    const tamper = (kind: number, at: number, bit: number) => {
      const scene = new Scene({ limits: { connectionsPerAddress: PLENTY, connections: PLENTY } });
      const { dialer, hear, told } = dialing({ connectTimeoutMs: 900 });
      const change = (bytes: Uint8Array) => (bytes[0] === kind ? changed(bytes, at, bit) : bytes);
      for (let turn = 0; turn < 6; turn++) {
        dialer.advance(scene.nowMs);
        for (let out = said(dialer, scene.nowMs); out.length > 0; out = said(dialer, scene.nowMs)) {
          scene.receive(change(out));
          for (const { bytes } of scene.drain()) hear(change(bytes), bytes.length, scene.nowMs);
        }
        dialer.flush(scene.nowMs);
        scene.advance(200);
      }
      const live = scene.events.filter((event) => event.startsWith('opened')).length;
      return { live, accepted: dialer.connection !== undefined, told };
    };
    const spans: [number, number, number][] = [
      [PacketKind.request, MAGIC_AT, 15],
      [PacketKind.challenge, 1, 70],
      [PacketKind.proof, MAGIC_AT, CREDENTIAL_AT + 1 + TAG_BYTES],
      [PacketKind.accept, 1, 69],
    ];
    for (const [kind, from, to] of spans) {
      for (let at = from; at < to; at++) {
        const { live, accepted: open } = tamper(kind, at, 3);
        // The range of versions in a request may be wider: the proof says what it was, and gets the same answer.
        const same = kind === PacketKind.request && at === 5;
        expect([kind, at, live > 0, open]).toEqual([kind, at, same, same]);
      }
    }
    expect(tamper(0, 0, 0)).toMatchObject({ live: 1, accepted: true });
    // A refusal in the server's name ends the attempt, and that is all: nothing lower is tried.
    const { dialer, hear, told } = dialing({ credential: { way: Way.key, secret: NONSENSE } });
    hear(refusalOf(nonceIn(said(dialer)), 'version'));
    expect(told).toEqual(['version']);
    dialer.advance(60_000);
    expect(said(dialer, 60_000).length).toBe(0);
    // What was asked for is not what is proven: the cookie is good, and so is the seal.
    const strict = new Scene();
    const { cookie, serverKey } = readChallenge(strict.challenge(new Attempt(1)), 0, 70)!;
    const another = new Attempt(1, { game: { ...GAME, digest: 1 } });
    expect(strict.receive(another.proveWith(cookie, serverKey))).toBe(Verdict.unexpected);
    const lower = new Attempt(1).proveWith(cookie, serverKey, WIRE_VERSION - 1);
    expect(strict.receive(lower)).toBe(Verdict.unexpected);
    expect([strict.host.used, strict.drain()]).toEqual([0, []]);
    // And a server that asks for something does not take nothing.
    const asking = new Scene({ access: { way: 'key', key: NONSENSE } });
    expect(asking.refusal(new Attempt(1)).reason).toBe('credentials');
  });

  it('a man in the middle is refused by whoever knows the identity key, or has a secret', () => {
    const honest = createKeyPair(sodiumOf(4));
    const secret = new Uint8Array(KEY_BYTES).fill(7);
    // All that is meant for the server is answered by somebody else, who takes whoever comes.
    const told = (
      options: Parameters<Venue['join']>[0],
      venue = new Venue({ cryptoOf: sodiumOf }),
    ) => {
      const guest = venue.join(options);
      venue.exchange.pass(8000);
      return guest.told;
    };
    expect(told({ serverKey: honest.publicKey })[0]).toMatch(/^end identity/);
    const withKey: Credential = { way: Way.key, secret };
    expect(told({ credential: withKey })[0]).toMatch(/^end credentials/);
    // One who says yes to everybody, and makes the accept as well as he can without the secret.
    const fools = (credential: Credential, guess: Uint8Array) =>
      pretend({ cryptoOf: sodiumOf, credential, guess });
    expect([NO_SECRET, NONSENSE].map((guess) => fools(withKey, guess))).toEqual([false, false]);
    expect(fools(withKey, secret)).toBe(true);
    // In the open he can do it all: that is what SECURITY.md says, and why a key is to be pinned.
    expect(told({})).toEqual(['connected']);
    expect(fools({ way: Way.open }, NO_SECRET)).toBe(true);
    expect(
      told({ serverKey: honest.publicKey }, new Venue({ cryptoOf: sodiumOf, identity: honest })),
    ).toEqual(['connected']);
  });

  it('a challenge of another identity does not end an attempt', () => {
    const scene = new Scene();
    const { publicKey } = scene.host.identity;
    const { dialer, hear, told } = dialing({ serverKey: publicKey });
    const request = said(dialer, scene.nowMs);
    scene.receive(request);
    const genuine = scene.drain()[0]!.bytes;
    const cookie = new Uint8Array(20);
    const others = [0, 31].map((at) => changed(publicKey, at));
    for (const serverKey of [...others, new Uint8Array(KEY_BYTES).fill(9)]) {
      const challenge = new Uint8Array(genuine.length);
      writeChallenge(challenge, 0, nonceIn(request), { version: WIRE_VERSION, serverKey, cookie });
      expect(hear(challenge)).toBe(forged);
    }
    // No proof was made for any of them.
    dialer.advance(scene.nowMs + 400);
    expect(hex(said(dialer, scene.nowMs + 400))).toBe(hex(request));
    expect(hear(genuine)).toBe(accepted);
    expect(scene.receive(said(dialer, scene.nowMs + 800))).toBe(accepted);
    expect([hear(scene.drain()[0]!.bytes), told]).toEqual([accepted, []]);
    // If nobody else answers, that is told.
    const lost = dialing({ serverKey: others[0]! });
    scene.receive(said(lost.dialer));
    lost.hear(scene.drain()[0]!.bytes);
    lost.dialer.advance(BEGIN_MS + 4999);
    expect(lost.told).toEqual([]);
    lost.dialer.advance(BEGIN_MS + 5000);
    expect(lost.told).toEqual(['identity']);
  });

  it('a proof replayed after its place was given up never becomes a session', () => {
    const sessions = (scene: Scene) => scene.events.filter((e) => e.startsWith('opened')).length;
    const scene = new Scene();
    const attempt = new Attempt(1);
    const proof = scene.proof(attempt);
    scene.receive(proof);
    const accept = scene.drain()[0]!.bytes;
    const connection = attempt.connect(scene.nowMs, accept, () => {});
    const packet = scene.says({ attempt, connection, slot: 0, ends: [] });
    scene.advance(5000);
    expect(scene.host.used).toBe(0);
    // The cookie still holds, and so it finds a place. But what the client said was for other keys.
    expect(scene.receive(proof)).toBe(accepted);
    const again = scene.drain()[0]!.bytes;
    expect(hex(again)).not.toBe(hex(accept));
    expect(scene.receive(packet)).toBe(unknown);
    const moved = packet.slice();
    moved.set(again.subarray(17, 21), 1);
    expect(scene.receive(moved)).toBe(forged);
    scene.advance(5000);
    expect([scene.host.used, sessions(scene), scene.receive(proof)]).toEqual([0, 0, forged]);

    // With a token that was used meanwhile, and one that lets a client in that is there already.
    const access = { way: 'token', key: TOKEN_KEY } as const;
    const tokens = new Scene({ access, wallClock: () => WALL_MS });
    const credential = tokenOf(1, tokens.host.identity.publicKey);
    const first = tokens.proof(new Attempt(1, { credential }));
    tokens.join(new Attempt(2, { credential }));
    const second = tokens.proof(new Attempt(2, { credential }));
    for (const old of [first, second]) tokens.receive(old);
    const answers = tokens.drain().map(({ bytes }) => bytes[0]);
    expect(answers.every((kind) => kind === PacketKind.refuse)).toBe(true);
    expect([tokens.host.used, sessions(tokens)]).toEqual([1, 1]);
  });

  it('public keys of small order are dropped by both sides', () => {
    const crypto = sodiumOf(1);
    const server = new ConnectionHost({
      game: GAME,
      crypto: sodiumOf(2),
      addresses: new SimulatedAddressBook(),
      sink: {
        requested: (slot, ticket) => server.accept(slot, ticket),
        channels: () => [],
        opened: () => {},
        closed: () => {},
      },
    });
    const to = { address: 0 };
    const out = new Uint8Array(1200);
    const hand = (bytes: Uint8Array): [Verdict, Uint8Array] => {
      const verdict = server.receive(0, bytes.slice(), 0, bytes.length, 1);
      return [verdict, out.slice(0, server.poll(0, out, 0, to))];
    };
    /** As somebody makes it who knows what everybody agrees on with such a key. */
    const proofOf = (clientKey: Uint8Array | undefined) => {
      const pair = createKeyPair(crypto);
      const nonce = new Uint8Array(16);
      crypto.randomBytes(nonce);
      const request = new Uint8Array(PADDED_BYTES);
      writeRequest(request, 0, { game: GAME, nonce });
      const { version, cookie, serverKey } = readChallenge(hand(request)[1], 0, 70)!;
      const own = { clientId: 5, clientKey: clientKey ?? pair.publicKey };
      const fields = { game: GAME, nonce, version, cookie, ...own };
      const maker = clientKey === undefined ? crypto : agreeingOnZeros(crypto);
      const proof = new Uint8Array(PADDED_BYTES);
      writeProof(maker, proof, 0, fields, pair.secretKey, serverKey, { way: Way.open });
      return proof;
    };
    for (const point of pointsOfSmallOrder()) {
      const name = hex(point);
      expect([name, ...hand(proofOf(point))]).toEqual([name, forged, new Uint8Array(0)]);
      const { dialer, hear } = dialing({ crypto });
      const request = said(dialer);
      const genuine = hand(request)[1];
      const { version, cookie } = readChallenge(genuine, 0, genuine.length)!;
      const bad = new Uint8Array(genuine.length);
      writeChallenge(bad, 0, nonceIn(request), { version, cookie, serverKey: point });
      // It goes on with the right one.
      expect([name, hear(bad), hear(genuine)]).toEqual([name, forged, accepted]);
      const pretence = { cryptoOf: sodiumOf, guess: NO_SECRET, point };
      const fooled = pretend({ ...pretence, credential: { way: Way.open } });
      expect([name, fooled]).toEqual([name, false]);
    }
    expect(server.used).toBe(0);
    expect(hand(proofOf(undefined))[0]).toBe(accepted);
  });
});

describe('credentials', () => {
  it('a token, binder or proof seen on the wire lets nobody in', () => {
    const identity = createKeyPair(sodiumOf(9));
    const credential = ticketOf(sodiumOf(8), identity.publicKey);
    const access = { way: 'token', key: TICKET_KEY } as const;
    const venue = new Venue({ cryptoOf: sodiumOf, identity, access });
    venue.passes = ({ bytes }) => bytes[0] !== PacketKind.proof;
    const victim = venue.join({ credential, serverKey: identity.publicKey });
    venue.exchange.pass(300);
    const [proof] = venue.sent(victim.address, SERVER, PacketKind.proof);
    const shown = (bytes: Uint8Array) =>
      venue.wire.some((datagram) => Buffer.from(datagram.bytes).includes(Buffer.from(bytes)));
    expect([shown(credential.sealed.subarray(0, 16)), shown(credential.secret)]).toEqual([
      false,
      false,
    ]);
    // The thief sends it from his own address, then from the victim's, and hears what is answered there.
    const thief = 66;
    venue.exchange.deliver(thief, SERVER, proof!);
    venue.exchange.settle();
    expect(venue.sent(SERVER, thief, PacketKind.accept)).toEqual([]);
    const { host } = venue.server;
    expect([host.verdicts(forged), host.used]).toEqual([1, 0]);
    // With another fresh key of his own, so that he could go on.
    const own = proof!.slice();
    own.set(createKeyPair(sodiumOf(10)).publicKey, CLIENT_KEY_AT);
    venue.exchange.deliver(victim.address, SERVER, own);
    expect([host.verdicts(forged), host.used]).toEqual([2, 0]);
    venue.exchange.deliver(victim.address, SERVER, proof!);
    expect([host.used, venue.told]).toEqual([1, []]);
    // The token alone, without the secret that never travels, with one of his own, or with the victim's binder.
    const scene = new Scene({ access, wallClock: () => WALL_MS });
    const { publicKey } = scene.host.identity;
    const simulated = tokenOf(1, publicKey);
    const guess = { ...simulated, secret: NONSENSE };
    expect(scene.refusal(new Attempt(1, { credential: guess })).reason).toBe('token-invalid');
    const theirs = new Attempt(2, { credential: simulated });
    const mine = new Attempt(3, { credential: guess });
    const binder = new Uint8Array(KEY_BYTES);
    rebind(theirs.crypto, scene.proof(theirs), theirs.pair, publicKey, (own) => binder.set(own));
    const proofOfMine = scene.proof(mine);
    scene.receive(rebind(mine.crypto, proofOfMine, mine.pair, publicKey, (own) => own.set(binder)));
    const { bytes } = scene.drain()[0]!;
    expect(readRefusal(bytes, 0, bytes.length)!.reason).toBe('token-invalid');
    // All that has cost the victim nothing.
    venue.passes = () => true;
    venue.exchange.pass(500);
    expect([victim.told, venue.told]).toEqual([['connected'], ['1 session']]);
  });

  it('wrong credentials cost an attempt each, and are told alike', () => {
    const key = new Uint8Array(KEY_BYTES).fill(3);
    const limits = { connectionsPerAddress: { perSecond: 1, burst: 8 } };
    const scene = new Scene({ access: { way: 'key', key }, limits });
    const shown: Credential[] = [
      { way: Way.open },
      { way: Way.key, secret: NONSENSE },
      // Right but for its first bit, and but for its last.
      { way: Way.key, secret: changed(key, 0, 0x80) },
      { way: Way.key, secret: changed(key, 31, 1) },
      { way: Way.token, secret: NONSENSE, sealed: new Uint8Array(300) },
    ];
    const told = shown.map((credential, n) => scene.refusal(new Attempt(n, { credential })));
    expect(new Set(told.map(({ reason, text }) => `${reason}: ${text}`)).size).toBe(1);
    expect(told[0]!.reason).toBe('credentials');
    // A binder that is right up to its last byte is as wrong as any.
    for (const at of [0, 16, 31]) {
      const attempt = new Attempt(20 + at, { credential: { way: Way.key, secret: key } });
      const proof = scene.proof(attempt);
      const { publicKey } = scene.host.identity;
      const wrong = rebind(attempt.crypto, proof, attempt.pair, publicKey, (binder) => {
        binder[at]! ^= 1;
      });
      scene.receive(wrong);
      const { bytes } = scene.drain()[0]!;
      const { reason, text } = told[0]!;
      expect(readRefusal(bytes, 0, bytes.length)).toEqual({ reason, text });
    }
    // Eight tries were all that this address had; the right key has to wait as well, and others do not.
    const right: Credential = { way: Way.key, secret: key };
    expect(scene.receive(scene.proof(new Attempt(8, { credential: right })))).toBe(limited);
    expect([scene.drain(), scene.host.statistics.addressesLimited]).toEqual([[], 1]);
    scene.join(new Attempt(9, { credential: right }), 2);
    scene.advance(1000);
    scene.join(new Attempt(10, { credential: right }));
  });

  it('of two attempts under one token only one becomes live', () => {
    for (const late of [false, true]) {
      const answers: ((fresh: boolean) => void)[] = [];
      const consume = (_id: Uint8Array, done: (fresh: boolean) => void) => {
        if (late) answers.push(done);
        else done(true);
      };
      const access = { way: 'token', key: TOKEN_KEY, consume } as const;
      const scene = new Scene({ access, wallClock: () => WALL_MS });
      const credential = tokenOf(1, scene.host.identity.publicKey);
      const attempts = [1, 2].map((number) => new Attempt(number, { credential }));
      const accepts: Uint8Array[] = [];
      for (const [n, attempt] of attempts.entries()) {
        expect(scene.receive(scene.proof(attempt, 1 + n), 1 + n)).toBe(accepted);
        accepts.push(...scene.drain().map(({ bytes }) => bytes));
      }
      for (const answer of answers) answer(true);
      accepts.push(...scene.drain().map(({ bytes }) => bytes));
      // Asked once, whoever has the token by now.
      if (late) expect([answers.length, accepts.length]).toEqual([1, 1]);
      const said = attempts.flatMap((attempt, n) => {
        const accept = accepts.find((bytes) => attempt.keys(bytes) !== undefined);
        if (accept === undefined) return [];
        const connection = attempt.connect(scene.nowMs, accept, () => {});
        return [[scene.says({ attempt, connection, slot: 0, ends: [] }), 1 + n] as const];
      });
      const verdicts = said.map(([bytes, from]) => scene.receive(bytes, from));
      expect(verdicts.filter((verdict) => verdict === accepted).length).toBe(1);
      expect(scene.events.filter((event) => event.startsWith('opened')).length).toBe(1);
      expect(scene.refusal(new Attempt(3, { credential }), 3).reason).toBe('token-used');
    }
  });

  it('after a restart no token of before is taken', () => {
    const identity = createKeyPair(simulatedCrypto(77));
    const start = (
      wallMs: number,
      consume?: (id: Uint8Array, done: (f: boolean) => void) => void,
    ) =>
      new Scene({
        identity,
        access: { way: 'token', key: TOKEN_KEY, consume },
        wallClock: () => wallMs,
      });
    const issued = (number: number, issuedAtMs: number) =>
      tokenOf(number, identity.publicKey, { issuedAtMs, expiresAtMs: issuedAtMs + 60_000 });
    const before = start(WALL_MS);
    const [used, unused] = [issued(1, WALL_MS), issued(2, WALL_MS + 999)];
    before.join(new Attempt(1, { credential: used }));
    const after = start(WALL_MS + 1000);
    for (const [n, credential] of [used, unused].entries()) {
      const { reason, text } = after.refusal(new Attempt(2 + n, { credential }));
      expect([reason, text]).toMatchObject(['token-expired', expect.stringContaining('started')]);
    }
    after.join(new Attempt(4, { credential: issued(3, WALL_MS + 1000) }));
    // A store that has not forgotten tells those that were used from those that were not.
    const known = new Set(['01'.repeat(16)]);
    const shared = start(WALL_MS + 1000, (id, done) => done(!known.has(hex(id))));
    expect(shared.refusal(new Attempt(5, { credential: used })).reason).toBe('token-used');
    shared.join(new Attempt(6, { credential: unused }));
  });

  it('a clock that goes back revives no token', () => {
    let wallMs = WALL_MS;
    const scene = new Scene({
      access: { way: 'token', key: TOKEN_KEY },
      wallClock: () => wallMs,
    });
    const { publicKey } = scene.host.identity;
    const token = (number: number) => tokenOf(number, publicKey, { expiresAtMs: WALL_MS + 60_000 });
    scene.join(new Attempt(1, { credential: token(1) }));
    wallMs = WALL_MS + 60_000;
    expect(scene.refusal(new Attempt(2, { credential: token(2) })).reason).toBe('token-expired');
    for (const [n, back] of [59_999, 30_000, 0, -1e9].entries()) {
      wallMs = WALL_MS + back;
      const credential = token(3);
      expect(scene.refusal(new Attempt(3 + n, { credential })).reason).toBe('token-expired');
    }
    // Nor one whose use was forgotten because its time was over.
    const ledger = new TokenLedger(1);
    const [used, other] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)];
    ledger.claim(used, 0, 1000, 0);
    ledger.consume(used, 0);
    expect(ledger.claim(other, 1, 2000, 1000)).toBe('fresh');
    ledger.release(other, 1);
    expect(ledger.claim(used, 2, 1000, 500)).toBe('used');
  });

  it('a resume works once, for its holder, until a clean leave', () => {
    const venue = new Venue({ cryptoOf: sodiumOf });
    const resume = (state: { id: Uint8Array; secret: Uint8Array }) =>
      ({ credential: { way: Way.resume, ...state } }) as const;
    const ann = venue.joined();
    const first = ann.client.resumeState()!;
    // It was never on the wire.
    const shown = (bytes: Uint8Array) =>
      venue.wire.some((datagram) => Buffer.from(datagram.bytes).includes(Buffer.from(bytes)));
    expect([shown(first.secret), shown(first.id)]).toEqual([false, false]);
    expect(venue.refusal(resume({ ...first, secret: NONSENSE }))).toBe(
      'end resume-invalid too late, used before, or left: connect anew',
    );
    expect(ann.told).toEqual(['connected']);
    const again = venue.joined(resume(first));
    expect([venue.told.at(-1), ann.told.at(-1)]).toEqual(['1 resumed', 'end replaced']);
    // The first is void, and nobody is put out by a try with it.
    expect(venue.refusal(resume(first))).toBe(
      'end resume-invalid too late, used before, or left: connect anew',
    );
    expect(again.told).toEqual(['connected']);
    const second = again.client.resumeState()!;
    expect(hex(second.secret)).not.toBe(hex(first.secret));
    venue.exchange.detach(again.address);
    const third = venue.joined(resume(second));
    const last = third.client.resumeState()!;
    third.client.close(venue.exchange.nowMs);
    venue.exchange.pass(500);
    expect(venue.told.at(-1)).toBe('1 end closed');
    for (const state of [first, second, last]) {
      expect(venue.refusal(resume(state))).toBe(
        'end resume-invalid too late, used before, or left: connect anew',
      );
    }
    expect(venue.told.filter((what) => what === '1 resumed').length).toBe(2);
  });

  it('a full token table refuses, and forgets no token before its time', () => {
    const idOf = (n: number) => {
      const id = new Uint8Array(16);
      new DataView(id.buffer).setUint32(0, n);
      return id;
    };
    const ledger = new TokenLedger();
    const wrong: number[] = [];
    const claims = (n: number, expiresMs: number, wallMs: number, claim: string) => {
      if (ledger.claim(idOf(n), n % 64, expiresMs, wallMs) !== claim) wrong.push(n);
    };
    for (let n = 0; n < LEDGER_TOKENS_MAX; n++) {
      claims(n, 1000 + (n % 2) * 1000, 0, 'fresh');
      if (!ledger.consume(idOf(n), n % 64)) wrong.push(n);
    }
    const flood = (wallMs: number) =>
      new Set(
        Array.from({ length: 5000 }, (_, n) => ledger.claim(idOf(100_000 + n), 65, 5000, wallMs)),
      );
    expect([flood(0), flood(999)]).toEqual([new Set(['full']), new Set(['full'])]);
    expect(ledger.size).toBe(LEDGER_TOKENS_MAX);
    for (let n = 0; n < LEDGER_TOKENS_MAX; n++) claims(n, 1e9, 999, 'used');
    // Those whose time is over make room; the others are remembered on.
    expect(flood(1000)).toEqual(new Set(['fresh', 'full']));
    expect(ledger.size).toBe(LEDGER_TOKENS_MAX);
    for (let n = 1; n < LEDGER_TOKENS_MAX; n += 2) claims(n, 2000, 1500, 'used');
    expect(wrong).toEqual([]);
  });
});
