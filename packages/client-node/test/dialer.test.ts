import { simulatedCrypto } from '@tickwire/netsim';
import {
  COOKIE_BYTES,
  deriveKey,
  Hello,
  KEY_BYTES,
  KeyPurpose,
  NONCE_BYTES,
  PADDED_BYTES,
  PacketKind,
  readKind,
  Verdict,
  writeAccept,
  writeChallenge,
  writeRefusal,
} from '@tickwire/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Dialer } from '../src/dialer.ts';

const GAME = { idHash: 11, digest: 22 };
const SERVER = 5;
const crypto = simulatedCrypto(8);
const cookie = new Uint8Array(COOKIE_BYTES).fill(3);
const serverKey = new Uint8Array(KEY_BYTES).fill(4);

/** A dialer and the server's half of the handshake, by hand. */
class Fixture {
  readonly events: string[] = [];
  nowMs = 1000;
  readonly hello = new Hello();
  readonly dialer = new Dialer({
    game: GAME,
    crypto: simulatedCrypto(1),
    server: SERVER,
    nowMs: this.nowMs,
    connectTimeoutMs: 3000,
    sink: {
      channels: () => [],
      opened: () => this.events.push('opened'),
      closed: (reason, text, remote) => this.events.push(`closed ${reason} ${text} ${remote}`),
    },
  });
  readonly #out = new Uint8Array(1200);

  poll(): Uint8Array {
    const to = { address: 0 };
    this.dialer.advance(this.nowMs);
    const length = this.dialer.poll(this.nowMs, this.#out, 0, to);
    if (length > 0) expect(to.address).toBe(SERVER);
    return this.#out.slice(0, length);
  }

  receive(bytes: Uint8Array, from = SERVER): Verdict {
    return this.dialer.receive(this.nowMs, bytes, 0, bytes.length, from);
  }

  challenge(): Uint8Array {
    const bytes = new Uint8Array(1 + NONCE_BYTES + COOKIE_BYTES);
    writeChallenge(bytes, 0, this.hello.nonce, cookie);
    return bytes;
  }

  accept(serverId = 0x20001): Uint8Array {
    const { clientKey, nonce } = this.hello;
    const key = deriveKey(crypto, KeyPurpose.accept, clientKey, serverKey, nonce);
    return this.#out.slice(0, writeAccept(this.#out, 0, nonce, serverId, serverKey, crypto, key));
  }

  refusal(text = 'no'): Uint8Array {
    return this.#out.slice(0, writeRefusal(this.#out, 0, this.hello.nonce, 'refused', text));
  }

  /** Up to the proof. */
  prove(): this {
    const request = this.poll();
    expect(this.hello.readRequest(request, 0, request.length)).toBe(true);
    expect(this.receive(this.challenge())).toBe(Verdict.accepted);
    const proof = this.poll();
    expect(this.hello.readProof(proof, 0, proof.length)).toBe(true);
    return this;
  }
}

describe('Dialer', () => {
  test('asks, proves with the cookie it got, and opens a connection', () => {
    const f = new Fixture().prove();
    expect(f.hello.idHash).toBe(GAME.idHash);
    expect(f.hello.digest).toBe(GAME.digest);
    expect([...f.hello.cookie]).toEqual([...cookie]);
    expect(f.dialer.connection).toBeUndefined();
    expect(f.receive(f.accept())).toBe(Verdict.accepted);
    expect(f.dialer.connection?.open).toBe(true);
    f.dialer.flush(f.nowMs);
    const first = f.poll();
    // It speaks first: the server's slot is half-open until then.
    expect(readKind(first, 0, first.length)).toBe(PacketKind.data);
    expect([...first.subarray(1, 5)]).toEqual([1, 0, 2, 0]);
  });

  test('repeats a padded request every 200 ms, and gives up at the timeout', () => {
    const f = new Fixture();
    let sent = 0;
    for (; f.nowMs < 5000; f.nowMs += 10) {
      const bytes = f.poll();
      if (bytes.length === 0) continue;
      expect(bytes.length).toBe(PADDED_BYTES);
      sent++;
    }
    expect(sent).toBe(15);
    expect(f.events).toEqual(['closed unreachable  false']);
    expect(f.dialer.over).toBe(true);
    expect(f.dialer.wakeAt()).toBe(Number.POSITIVE_INFINITY);
  });

  test('the proof goes out at once and is repeated too', () => {
    const f = new Fixture().prove();
    expect(f.poll().length).toBe(0);
    expect(f.dialer.wakeAt()).toBe(f.nowMs + 200);
    f.nowMs += 200;
    expect(f.poll()[0]).toBe(PacketKind.proof);
  });

  test('a refusal ends it, with reason and text, once', () => {
    const f = new Fixture().prove();
    expect(f.receive(f.refusal('später'))).toBe(Verdict.accepted);
    expect(f.receive(f.refusal())).toBe(Verdict.unexpected);
    f.nowMs += 10_000;
    expect(f.poll().length).toBe(0);
    expect(f.events).toEqual(['closed refused später true']);
  });

  test('a refusal may come before the challenge', () => {
    const f = new Fixture();
    const request = f.poll();
    f.hello.readRequest(request, 0, request.length);
    expect(f.receive(f.refusal())).toBe(Verdict.accepted);
    expect(f.dialer.over).toBe(true);
  });

  test('replies from elsewhere, out of turn, or without the nonce change nothing', () => {
    const f = new Fixture();
    const request = f.poll();
    f.hello.readRequest(request, 0, request.length);
    expect(f.receive(f.challenge(), SERVER + 1)).toBe(Verdict.unknown);
    expect(f.receive(f.accept())).toBe(Verdict.unexpected);
    for (const at of [1, NONCE_BYTES]) {
      const forged = f.challenge();
      forged[at]! ^= 1;
      expect(f.receive(forged)).toBe(Verdict.forged);
      const refusal = f.refusal();
      refusal[at]! ^= 1;
      expect(f.receive(refusal)).toBe(Verdict.forged);
    }
    expect(f.receive(f.challenge().subarray(0, 36))).toBe(Verdict.malformed);
    expect(f.receive(request)).toBe(Verdict.malformed);
    f.nowMs += 200;
    f.prove();
    expect(f.receive(f.challenge())).toBe(Verdict.unexpected);
    expect(f.events).toEqual([]);
  });

  test('an accept with any bit wrong opens nothing', () => {
    const f = new Fixture().prove();
    const accept = f.accept();
    for (let bit = 8; bit < accept.length * 8; bit++) {
      const forged = accept.slice();
      forged[bit >> 3]! ^= 1 << (bit & 7);
      expect(f.receive(forged)).toBe(Verdict.forged);
    }
    expect(f.receive(f.accept(0))).toBe(Verdict.malformed);
    expect(f.receive(accept.subarray(0, accept.length - 1))).toBe(Verdict.malformed);
    expect(f.dialer.connection).toBeUndefined();
    expect(f.receive(accept)).toBe(Verdict.accepted);
    expect(f.receive(accept)).toBe(Verdict.unexpected);
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

  test('closing an attempt ends it at once', () => {
    const f = new Fixture();
    f.dialer.close(f.nowMs, 'aborted', '');
    f.dialer.close(f.nowMs, 'closed', '');
    expect(f.poll().length).toBe(0);
    expect(f.events).toEqual(['closed aborted  false']);
  });

  test('closing a connection tells the server, then is over', () => {
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

  test('random datagrams never throw and change nothing', () => {
    const f = new Fixture().prove();
    fc.assert(
      fc.property(fc.nat(7), fc.uint8Array({ maxLength: 230 }), (kind, bytes) => {
        expect(f.receive(Uint8Array.of(kind, ...bytes))).not.toBe(Verdict.accepted);
      }),
      { numRuns: 200 },
    );
    expect(f.events).toEqual([]);
    expect(f.receive(f.accept())).toBe(Verdict.accepted);
  });
});
