import { simulatedCrypto } from '@tickwire/netsim';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { COOKIE_BYTES } from '../src/session/cookie.ts';
import {
  ACCEPT_BYTES,
  CHALLENGE_BYTES,
  echoesNonce,
  Hello,
  type HelloFields,
  NONCE_BYTES,
  PADDED_BYTES,
  REPLY_BYTES_MAX,
  readAccept,
  readRefusal,
  WIRE_VERSION,
  writeAccept,
  writeChallenge,
  writeProof,
  writeRefusal,
  writeRequest,
} from '../src/session/handshake.ts';
import { type EndReason, endReasons } from '../src/transport/end-reason.ts';
import { KEY_BYTES, TAG_BYTES } from '../src/wire/crypto.ts';
import { PacketKind, readKind } from '../src/wire/packet.ts';

const crypto = simulatedCrypto(3);
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const helloFields = fc.record({
  game: fc.record({ idHash: uint32, digest: uint32 }),
  nonce: bytesOf(NONCE_BYTES),
  clientId: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  clientKey: bytesOf(KEY_BYTES),
});

const fields: HelloFields = {
  game: { idHash: 0x11223344, digest: 0x55667788 },
  nonce: new Uint8Array(NONCE_BYTES).fill(0xaa),
  clientId: 0x99,
  clientKey: new Uint8Array(KEY_BYTES).fill(0xbb),
};

function expectHello(hello: Hello, expected: HelloFields): void {
  expect(hello.versionMin).toBe(WIRE_VERSION);
  expect(hello.versionMax).toBe(WIRE_VERSION);
  expect(hello.idHash).toBe(expected.game.idHash);
  expect(hello.digest).toBe(expected.game.digest);
  expect([...hello.nonce]).toEqual([...expected.nonce]);
}

describe('request and proof', () => {
  test('stand at the documented places', () => {
    const bytes = new Uint8Array(PADDED_BYTES);
    expect(writeRequest(bytes, 0, fields)).toBe(1200);
    const head = [1, 0x54, 0x4b, 0x57, 0x52, 1, 1, 0x44, 0x33, 0x22, 0x11, 0x88, 0x77, 0x66, 0x55];
    expect([...bytes.subarray(0, 15)]).toEqual(head);
    expect([...bytes.subarray(15, 31)]).toEqual([...fields.nonce]);
    expect(bytes.subarray(31).every((byte) => byte === 0)).toBe(true);
    const cookie = new Uint8Array(COOKIE_BYTES).fill(0xcc);
    expect(writeProof(bytes, 0, fields, cookie)).toBe(1200);
    expect([bytes[0], bytes[5], bytes[6]]).toEqual([3, 1, 0]);
    expect([...bytes.subarray(31, 51)]).toEqual([...cookie]);
    expect([...bytes.subarray(51, 55)]).toEqual([0x99, 0, 0, 0]);
    expect([...bytes.subarray(55, 87)]).toEqual([...fields.clientKey]);
    expect(bytes.subarray(87).every((byte) => byte === 0)).toBe(true);
  });

  test('whatever was written is read', () => {
    fc.assert(
      fc.property(helloFields, bytesOf(COOKIE_BYTES), fc.nat(4), (wanted, cookie, start) => {
        const bytes = new Uint8Array(PADDED_BYTES + 8).fill(7);
        const hello = new Hello();
        const end = start + writeRequest(bytes, start, wanted);
        expect(readKind(bytes, start, end)).toBe(PacketKind.request);
        expect(hello.readRequest(bytes, start, end)).toBe(true);
        expectHello(hello, wanted);
        writeProof(bytes, start, wanted, cookie);
        expect(readKind(bytes, start, end)).toBe(PacketKind.proof);
        expect(hello.readProof(bytes, start, end)).toBe(true);
        expectHello(hello, wanted);
        expect([...hello.cookie]).toEqual([...cookie]);
        expect(hello.clientId).toBe(wanted.clientId);
        expect([...hello.clientKey]).toEqual([...wanted.clientKey]);
        expect([...bytes.subarray(end)]).toEqual(new Array(8 - start).fill(7));
      }),
      { numRuns: 40 },
    );
  });

  test('only the padded size, our magic, and zero padding', () => {
    const bytes = new Uint8Array(PADDED_BYTES + 1);
    writeRequest(bytes, 0, fields);
    const hello = new Hello();
    expect(hello.readRequest(bytes, 0, PADDED_BYTES - 1)).toBe(false);
    expect(hello.readRequest(bytes, 0, PADDED_BYTES + 1)).toBe(false);
    expect(hello.readRequest(bytes, 0, 1)).toBe(false);
    for (const at of [1, 4, 31, PADDED_BYTES - 1]) {
      const changed = bytes.slice(0, PADDED_BYTES);
      changed[at]! ^= 1;
      expect(hello.readRequest(changed, 0, PADDED_BYTES), `byte ${at}`).toBe(false);
    }
    writeProof(bytes, 0, fields, new Uint8Array(COOKIE_BYTES));
    // Magic, the reserved byte, the length of the token and the padding.
    for (const at of [2, 6, 87, 88, 89, PADDED_BYTES - 1]) {
      const changed = bytes.slice(0, PADDED_BYTES);
      changed[at]! ^= 0x80;
      expect(hello.readProof(changed, 0, PADDED_BYTES), `byte ${at}`).toBe(false);
    }
    writeProof(bytes, 0, { ...fields, clientId: 0 }, new Uint8Array(COOKIE_BYTES));
    expect(hello.readProof(bytes, 0, PADDED_BYTES)).toBe(false);
  });

  test('random and mutated bytes never throw', () => {
    const mutation = fc.record({ at: fc.nat(PADDED_BYTES - 1), to: fc.nat(255) });
    const hello = new Hello();
    fc.assert(
      fc.property(fc.array(mutation, { maxLength: 8 }), fc.nat(1300), (mutations, end) => {
        const bytes = new Uint8Array(1300);
        writeProof(bytes, 0, fields, new Uint8Array(COOKIE_BYTES));
        for (const { at, to } of mutations) bytes[at] = to;
        for (const size of [end, PADDED_BYTES]) {
          hello.readRequest(bytes, 0, size);
          hello.readProof(bytes, 0, size);
          readAccept(bytes, 0, size);
          readRefusal(bytes, 0, size);
          echoesNonce(bytes, 0, size, fields.nonce);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('replies', () => {
  const out = new Uint8Array(400);

  test('are all shorter than what they answer', () => {
    const longest = Math.max(CHALLENGE_BYTES, ACCEPT_BYTES, REPLY_BYTES_MAX);
    expect(longest).toBeLessThan(PADDED_BYTES);
    expect(longest).toBe(REPLY_BYTES_MAX);
  });

  test('a challenge echoes the nonce and brings the cookie', () => {
    const cookie = new Uint8Array(COOKIE_BYTES).fill(0xcc);
    const length = writeChallenge(out, 3, fields.nonce, cookie);
    expect(length).toBe(CHALLENGE_BYTES);
    expect([...out.subarray(3, 3 + length)]).toEqual([2, ...fields.nonce, ...cookie]);
    expect(echoesNonce(out, 3, 3 + length, fields.nonce)).toBe(true);
    expect(echoesNonce(out, 3, 3 + NONCE_BYTES, fields.nonce)).toBe(false);
    out[3 + NONCE_BYTES]! ^= 1;
    expect(echoesNonce(out, 3, 3 + length, fields.nonce)).toBe(false);
  });

  test('an accept carries id and key, and ends in a tag under the accept key', () => {
    fc.assert(
      fc.property(
        bytesOf(NONCE_BYTES),
        fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        bytesOf(KEY_BYTES),
        bytesOf(KEY_BYTES),
        (nonce, serverId, serverKey, acceptKey) => {
          const length = writeAccept(out, 2, nonce, serverId, serverKey, crypto, acceptKey);
          expect(length).toBe(ACCEPT_BYTES);
          const accept = readAccept(out, 2, 2 + length)!;
          expect(accept.serverId).toBe(serverId);
          expect([...accept.serverKey]).toEqual([...serverKey]);
          expect(readAccept(out, 2, 1 + length)).toBeUndefined();
          expect(readAccept(out, 2, 3 + length)).toBeUndefined();
          const tag = new Uint8Array(TAG_BYTES);
          crypto.mac(acceptKey, out, 2, 2 + length - TAG_BYTES, tag, 0);
          expect([...out.subarray(2 + length - TAG_BYTES, 2 + length)]).toEqual([...tag]);
        },
      ),
      { numRuns: 30 },
    );
    const nobody = writeAccept(out, 0, fields.nonce, 0, fields.clientKey, crypto, fields.clientKey);
    expect(readAccept(out, 0, nobody)).toBeUndefined();
  });

  test('a refusal carries any reason and as much text as fits', () => {
    for (const reason of endReasons) {
      const length = writeRefusal(out, 1, fields.nonce, reason, 'später');
      expect(readRefusal(out, 1, 1 + length)).toEqual({ reason, text: 'später' });
    }
    const longest = writeRefusal(out, 0, fields.nonce, 'full', 'x'.repeat(999));
    expect(longest).toBe(REPLY_BYTES_MAX);
    expect(readRefusal(out, 0, longest)!.text.length).toBe(200);
    expect(readRefusal(out, 0, longest + 1)).toBeUndefined();
    expect(readRefusal(out, 0, 1 + NONCE_BYTES)).toBeUndefined();
    out[1 + NONCE_BYTES] = endReasons.length;
    expect(readRefusal(out, 0, longest)).toBeUndefined();
  });

  test('the reasons keep their numbers', () => {
    const numbers: Partial<Record<EndReason, number>> = { closed: 0, full: 6, version: 7, game: 8 };
    for (const [reason, number] of Object.entries(numbers)) {
      expect(endReasons[number]).toBe(reason);
    }
  });
});
