// A client that moves to another address: asked there, and only there, until it has answered; nobody else moves it.

import { simulatedCrypto } from '@tickwire/netsim';
import { type Connection, DATA_PACKET_BYTES_MIN, Verdict, writeHeader } from '@tickwire/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PathChange } from '../src/path-change.ts';
import { Attempt, CountingAddresses, type Peer, Scene, type Sent } from './handshake-scene.ts';

/** Bytes of a packet with a challenge. */
const CHALLENGE_BYTES = 30;
const HOME = 1;
const AWAY = 2;
const ELSEWHERE = 3;

/** A scene with a client that is connected from HOME and has heard of it, and nothing to be sent. */
function connected(): { scene: Scene; peer: Peer } {
  const scene = new Scene();
  const peer = scene.join(new Attempt(1), HOME);
  scene.advance(2000);
  scene.host.flush(scene.nowMs);
  for (const { bytes } of scene.drain()) scene.tell(peer, bytes);
  scene.events.length = 0;
  return { scene, peer };
}

/** A packet of the client arrives from `from`; what the host sends then. */
function arrive(scene: Scene, peer: Peer, from: number): Sent[] {
  expect(scene.receive(scene.says(peer), from)).toBe(Verdict.accepted);
  return scene.drain();
}

const changes = (scene: Scene) => {
  const { pathChallenges, pathChanges } = scene.host.statistics;
  return [pathChallenges, pathChanges];
};

describe('a client at another address', () => {
  test('is asked there, once, in no more bytes than it sent; all else goes to the old address', () => {
    const { scene, peer } = connected();
    const packet = scene.says(peer);
    expect(packet.length).toBeGreaterThanOrEqual(CHALLENGE_BYTES);
    expect(scene.receive(packet, AWAY)).toBe(Verdict.accepted);
    expect(scene.host.wakeAt()).toBe(scene.nowMs);
    const sent = scene.drain();
    expect(sent.map(({ to, bytes }) => [to, bytes.length])).toEqual([[AWAY, CHALLENGE_BYTES]]);
    expect(scene.addresses.holds).toBe(2);
    scene.advance(2000).host.flush(scene.nowMs);
    const flushed = scene.drain();
    expect(flushed.length).toBeGreaterThan(0);
    expect(flushed.every(({ to }) => to === HOME)).toBe(true);
    expect(scene.host.address(peer.slot) % 1000).toBe(HOME);
    expect(changes(scene)).toEqual([1, 0]);
  });

  test('that answers from there has moved: its old address is let go of, the path begins anew', () => {
    const { scene, peer } = connected();
    const [challenge] = arrive(scene, peer, AWAY);
    const before = scene.host.connection(peer.slot)!;
    const answers = scene.tell(peer, challenge!.bytes);
    expect(answers.length).toBe(1);
    expect(scene.receive(answers[0]!, AWAY)).toBe(Verdict.accepted);
    expect(scene.host.address(peer.slot) % 1000).toBe(AWAY);
    expect([scene.addresses.size, scene.addresses.holds]).toEqual([1, 1]);
    expect(changes(scene)).toEqual([1, 1]);
    expect(scene.host.connection(peer.slot)).toBe(before);
    expect(before.rtt.samples).toBe(0);
    scene.host.flush(scene.nowMs);
    expect(scene.drain().every(({ to }) => to === AWAY)).toBe(true);
    // Nothing is asked any more, and the same answer again is an old packet.
    expect(scene.receive(answers[0]!, AWAY)).toBe(Verdict.duplicate);
    expect(scene.advance(1000).drain()).toEqual([]);
    expect(scene.events).toEqual([]);
  });

  test('is asked again, the same, while it goes on sending: an answer may come late', () => {
    const { scene, peer } = connected();
    const [first] = arrive(scene, peer, AWAY);
    // Its round trip is longer than the gap between two challenges.
    for (let ms = 0; ms < 96; ms += 16) {
      scene.advance(16);
      expect(arrive(scene, peer, AWAY).length).toBe(0);
    }
    scene.advance(4);
    expect(arrive(scene, peer, AWAY).map(({ to }) => to)).toEqual([AWAY]);
    scene.advance(100);
    expect(arrive(scene, peer, AWAY).map(({ to }) => to)).toEqual([AWAY]);
    expect(changes(scene)).toEqual([3, 0]);
    const [answer] = scene.tell(peer, first!.bytes);
    expect(scene.receive(answer!, AWAY)).toBe(Verdict.accepted);
    expect(changes(scene)).toEqual([3, 1]);
    expect(scene.addresses.holds).toBe(1);
  });

  test('that comes home again is asked no more, and is where it was', () => {
    const { scene, peer } = connected();
    const [challenge] = arrive(scene, peer, AWAY);
    const [answer] = scene.tell(peer, challenge!.bytes);
    expect(scene.addresses.holds).toBe(2);
    scene.advance(200);
    expect(arrive(scene, peer, HOME)).toEqual([]);
    expect([scene.addresses.size, scene.addresses.holds]).toEqual([1, 1]);
    // An answer that was under way meanwhile moves nobody; it starts another question at most.
    scene.receive(answer!, AWAY);
    expect(scene.host.address(peer.slot) % 1000).toBe(HOME);
    expect(changes(scene)[1]).toBe(0);
  });

  test('that came home before the challenge left is not asked', () => {
    const { scene, peer } = connected();
    scene.receive(scene.says(peer), AWAY);
    scene.receive(scene.says(peer), HOME);
    expect(scene.drain()).toEqual([]);
    expect([changes(scene), scene.addresses.holds]).toEqual([[0, 0], 1]);
  });

  test('that moves on is asked at the last place, and an answer from elsewhere counts for nothing', () => {
    const { scene, peer } = connected();
    const [first] = arrive(scene, peer, AWAY);
    scene.advance(100);
    const [second] = arrive(scene, peer, ELSEWHERE);
    expect(second!.to).toBe(ELSEWHERE);
    expect(scene.addresses.holds).toBe(2);
    const [late] = scene.tell(peer, first!.bytes);
    scene.receive(late!, AWAY);
    expect(changes(scene)[1]).toBe(0);
    const [answer] = scene.tell(peer, second!.bytes);
    // Its answer comes from the first place: the second is not proven by it.
    scene.receive(answer!, AWAY);
    expect(changes(scene)[1]).toBe(0);
    expect(scene.host.address(peer.slot) % 1000).toBe(HOME);
  });

  test('moves even if its addresses alternate for a while, on a path slower than the gap', () => {
    for (const oneWayMs of [20, 75, 150, 400]) {
      const { scene, peer } = connected();
      const up: { atMs: number; bytes: Uint8Array; from: number }[] = [];
      const down: { atMs: number; bytes: Uint8Array }[] = [];
      const beginMs = scene.nowMs;
      while (scene.nowMs < beginMs + 5000 && changes(scene)[1] === 0) {
        scene.advance(16);
        const ms = scene.nowMs - beginMs;
        const from = ms > 300 || Math.floor(ms / 60) % 2 === 0 ? AWAY : HOME;
        const atMs = scene.nowMs + oneWayMs;
        up.push({ atMs, bytes: scene.says(peer), from });
        while (down.length > 0 && down[0]!.atMs <= scene.nowMs) {
          for (const bytes of scene.tell(peer, down.shift()!.bytes)) up.push({ atMs, bytes, from });
        }
        while (up.length > 0 && up[0]!.atMs <= scene.nowMs) {
          const { bytes, from: sender } = up.shift()!;
          scene.receive(bytes, sender);
        }
        // What goes to the old address is lost.
        const sent = scene.drain().filter(({ to }) => to === AWAY);
        for (const { bytes } of sent) down.push({ atMs, bytes });
      }
      expect(changes(scene)[1], `${oneWayMs} ms each way`).toBe(1);
      expect(scene.host.address(peer.slot) % 1000).toBe(AWAY);
      expect(scene.addresses.holds).toBe(1);
    }
  });
});

describe('nobody is asked', () => {
  test('for a packet that is not the newest: replayed, or overtaken', () => {
    const { scene, peer } = connected();
    const old = scene.says(peer);
    const overtaken = scene.says(peer);
    const newest = scene.says(peer);
    expect(scene.receive(old, HOME)).toBe(Verdict.accepted);
    expect(scene.receive(newest, HOME)).toBe(Verdict.accepted);
    expect(scene.receive(old, AWAY)).toBe(Verdict.duplicate);
    expect(scene.receive(newest, AWAY)).toBe(Verdict.duplicate);
    expect(scene.receive(overtaken, AWAY)).toBe(Verdict.accepted);
    expect(scene.drain()).toEqual([]);
    expect([changes(scene), scene.addresses.holds]).toEqual([[0, 0], 1]);
  });

  test('for a packet that is forged, with any byte changed', () => {
    const { scene, peer } = connected();
    const packet = scene.says(peer);
    for (let at = 0; at < packet.length; at++) {
      const forged = packet.slice();
      forged[at]! ^= 0x20;
      expect(scene.receive(forged, AWAY), `byte ${at}`).not.toBe(Verdict.accepted);
    }
    const made = new Uint8Array(DATA_PACKET_BYTES_MIN + 40);
    writeHeader(made, 0, (packet[1]! | (packet[2]! << 8) | (packet[3]! << 16)) >>> 0, 9);
    scene.receive(made, AWAY);
    expect(scene.drain()).toEqual([]);
    expect([changes(scene), scene.addresses.holds]).toEqual([[0, 0], 1]);
    expect(scene.receive(packet, HOME)).toBe(Verdict.accepted);
  });

  test('while its connection is half-open: the first packet makes it live', () => {
    const scene = new Scene();
    const attempt = new Attempt(1);
    const accept = scene.accept(attempt, HOME)!;
    const connection = attempt.connect(scene.nowMs, accept, () => {});
    const peer = { attempt, connection, slot: 0, ends: [] };
    // It has received nothing yet, so it has nothing to acknowledge, and its packet is too short for a challenge.
    expect(arrive(scene, peer, AWAY)).toEqual([]);
    expect(scene.addresses.holds).toBe(1);
    scene.advance(2000).host.flush(scene.nowMs);
    const [ping] = scene.drain();
    expect(ping!.to).toBe(HOME);
    scene.tell(peer, ping!.bytes);
    const [challenge] = arrive(scene, peer, AWAY);
    expect(scene.events).toEqual(['requested 0', 'opened 0 0']);
    expect(challenge!.to).toBe(AWAY);
    scene.receive(scene.tell(peer, challenge!.bytes)[0]!, AWAY);
    expect(scene.host.address(0) % 1000).toBe(AWAY);
    expect(scene.addresses.holds).toBe(1);
  });

  test('once the connection is ending', () => {
    const { scene, peer } = connected();
    scene.receive(scene.says(peer), AWAY);
    scene.host.close(peer.slot, 'kicked', '');
    const sent = scene.drain();
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.every(({ to }) => to === HOME)).toBe(true);
    scene.receive(scene.says({ ...peer }), AWAY);
    expect(scene.drain().every(({ to }) => to === HOME)).toBe(true);
    for (let i = 0; i < 200 && scene.host.used > 0; i++) scene.advance(100).drain();
    expect([scene.addresses.size, scene.host.used]).toEqual([0, 0]);
  });

  test('while bytes out to an unproven address never exceed those that came from there', () => {
    const { scene, peer } = connected();
    const balance = new Map<number, number>();
    for (let i = 0; i < 300; i++) {
      const packet = scene.says(peer);
      const from = 2 + (i % 3);
      balance.set(from, (balance.get(from) ?? 0) + packet.length);
      scene.receive(packet, from);
      scene.host.flush(scene.nowMs);
      for (const { to, bytes } of scene.advance(16).drain()) {
        if (to === HOME) continue;
        balance.set(to, balance.get(to)! - bytes.length);
        expect(balance.get(to), `to ${to}`).toBeGreaterThanOrEqual(0);
      }
    }
    expect(changes(scene)[0]).toBeGreaterThan(10);
  });
});

describe('the candidate', () => {
  const crypto = simulatedCrypto(4);
  /** Writes what it is asked to, if there is room. */
  const connection = {
    writePathChallenge(
      _nowMs: number,
      out: Uint8Array,
      start: number,
      sizeBytesMax: number,
      data: number,
    ): number {
      new DataView(out.buffer).setUint32(start, data);
      return sizeBytesMax < CHALLENGE_BYTES ? 0 : CHALLENGE_BYTES;
    },
  } as Connection;
  const out = new Uint8Array(64);

  /** The number that is asked for, -1 = nothing is. */
  function asked(path: PathChange): number {
    if (!path.due || path.write(0, connection, out, 0) === 0) return -1;
    return new DataView(out.buffer).getUint32(0);
  }

  test('is not asked when its packet was shorter than a challenge', () => {
    const addresses = new CountingAddresses();
    const path = new PathChange();
    path.noticed(0, AWAY, CHALLENGE_BYTES - 1, crypto, addresses);
    expect(asked(path)).toBe(-1);
    expect(path.due).toBe(false);
    path.noticed(100, addresses.seen(AWAY), CHALLENGE_BYTES, crypto, addresses);
    expect(asked(path)).toBeGreaterThanOrEqual(0);
    expect(addresses.holds).toBe(1);
    path.clear(addresses);
    expect([addresses.holds, path.candidate, path.due]).toEqual([0, -1, false]);
  });

  test('another one has another number', () => {
    const addresses = new CountingAddresses();
    const path = new PathChange();
    const numbers = new Set<number>();
    for (let i = 0; i < 50; i++) {
      path.noticed(i * 100, addresses.seen(2 + (i % 2)), 100, crypto, addresses);
      numbers.add(asked(path));
    }
    expect(numbers.size).toBe(50);
    expect(addresses.holds).toBe(1);
  });

  test('is answered by its own number, from its own place, once', () => {
    const addresses = new CountingAddresses();
    const path = new PathChange();
    expect(path.answered(AWAY, 0, addresses)).toBe(false);
    path.noticed(0, AWAY, 100, crypto, addresses);
    const number = asked(path);
    expect(path.answered(addresses.seen(ELSEWHERE), number, addresses)).toBe(false);
    expect(path.answered(addresses.seen(AWAY), number, addresses)).toBe(true);
    // From now on it is the caller's to hold.
    expect([addresses.holds, path.candidate]).toEqual([1, -1]);
    expect(path.answered(addresses.seen(AWAY), number, addresses)).toBe(false);
    path.clear(addresses);
    expect(addresses.holds).toBe(1);
  });

  test('may be wrong 15 times, as with answers to what it was asked before, and no more', () => {
    for (const wrong of [15, 16]) {
      const addresses = new CountingAddresses();
      const path = new PathChange();
      path.noticed(0, AWAY, 100, crypto, addresses);
      const number = asked(path);
      for (let i = 0; i < wrong; i++) {
        expect(path.answered(addresses.seen(AWAY), (number ^ (i + 1)) >>> 0, addresses)).toBe(
          false,
        );
      }
      expect(path.answered(addresses.seen(AWAY), number, addresses)).toBe(wrong === 15);
      expect([addresses.holds, path.candidate]).toEqual([wrong === 15 ? 1 : 0, -1]);
      // The next candidacy begins anew.
      path.noticed(100, ELSEWHERE, 100, crypto, addresses);
      path.answered(addresses.seen(ELSEWHERE), asked(path) ^ 1, addresses);
      expect(path.candidate).toBe(ELSEWHERE + 1000);
    }
  });
});

describe('addresses', () => {
  /** What may happen to a host, in any order. */
  const action = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('join' as const), from: fc.nat(5) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('half' as const), from: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('refuse' as const), from: fc.nat(5) }) },
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant('packet' as const),
        peer: fc.nat(5),
        from: fc.nat(7),
        answers: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('close' as const), peer: fc.nat(5) }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3000) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('drain' as const) }) },
  );

  /** Does what is asked, and returns the connections that are left. */
  function act(
    scene: Scene,
    peers: Peer[],
    number: number,
    step: typeof action extends fc.Arbitrary<infer T> ? T : never,
  ): void {
    const { nowMs } = scene;
    if (step.kind === 'wait') scene.advance(step.ms);
    else if (step.kind === 'drain') scene.drain();
    else if (step.kind === 'close') scene.host.close(step.peer, 'kicked', '');
    else if (step.kind === 'packet') {
      const peer = peers[step.peer];
      if (peer === undefined || !peer.connection.open) return;
      // Its clock stands: it never gives up by itself.
      peer.connection.flush(nowMs);
      const out = new Uint8Array(1500);
      const length = peer.connection.poll(nowMs, out, 0);
      if (length > 0) scene.receive(out.slice(0, length), 1 + step.from);
      for (const { bytes } of scene.drain()) {
        for (const one of peers) {
          const said = scene.tell(one, bytes);
          if (step.answers) for (const answer of said) scene.receive(answer, 1 + step.from);
        }
      }
    } else {
      const from = 1 + step.from;
      scene.drain();
      scene.answer = step.kind === 'refuse' ? 'refuse' : 'accept';
      const attempt = new Attempt(number);
      scene.receive(attempt.request, from);
      const [challenge] = scene.drain();
      scene.receive(attempt.prove(challenge!.bytes), from);
      if (step.kind !== 'join') return;
      const accept = scene.drain()[0]?.bytes;
      if (accept === undefined || attempt.keys(accept) === undefined) return;
      const connection = attempt.connect(nowMs, accept, () => {});
      const peer = { attempt, connection, ends: [], slot: accept[17]! };
      peers[peers.length < 6 ? peers.length : number % 6] = peer;
      scene.receive(scene.says(peer), from);
    }
  }

  test('are held as often as somebody needs them, and let go of, whatever happens', () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 10, maxLength: 80 }), (steps) => {
        const scene = new Scene({ maxConnections: 6, timeoutMs: 4000 });
        const peers: Peer[] = [];
        for (const [number, step] of steps.entries()) {
          act(scene, peers, number, step);
          // A slot holds its own address, and that of its candidate.
          const { holds } = scene.addresses;
          expect(holds).toBeGreaterThanOrEqual(scene.host.used);
          expect(holds).toBeLessThanOrEqual(2 * scene.host.used + 64);
        }
        for (let i = 0; i < 100 && scene.host.used > 0; i++) {
          scene.advance(200);
          scene.drain();
        }
        scene.drain();
        expect([scene.host.used, scene.addresses.holds]).toEqual([0, 0]);
      }),
      { numRuns: 60 },
    );
  });
});
