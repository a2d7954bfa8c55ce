import { simulatedCrypto } from '@tickwire/netsim';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { COOKIE_BYTES } from '../src/session/cookie.ts';
import { acceptFits, sealAccept } from '../src/session/credential.ts';
import {
  ACCEPT_BYTES,
  ACCEPT_HEAD_BYTES,
  CHALLENGE_BYTES,
  type Challenge,
  CREDENTIAL_BYTES_MAX,
  echoesNonce,
  Hello,
  type HelloFields,
  NONCE_BYTES,
  PADDED_BYTES,
  PROOF_HEAD_BYTES,
  type ProofFields,
  REPLY_BYTES_MAX,
  readAccept,
  readChallenge,
  readRefusal,
  WIRE_VERSION,
  writeAcceptHead,
  writeChallenge,
  writeProofHead,
  writeRefusal,
  writeRequest,
} from '../src/session/handshake.ts';
import { type EndReason, endReasons } from '../src/transport/end-reason.ts';
import { KEY_BYTES, TAG_BYTES } from '../src/wire/crypto.ts';
import { PacketKind, readKind } from '../src/wire/packet.ts';

const crypto = simulatedCrypto(3);
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const connectionId = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const proofFields: fc.Arbitrary<ProofFields> = fc.record({
  game: fc.record({ idHash: uint32, digest: uint32 }),
  nonce: bytesOf(NONCE_BYTES),
  version: fc.nat(255),
  cookie: bytesOf(COOKIE_BYTES),
  clientId: connectionId,
  clientKey: bytesOf(KEY_BYTES),
});

const fields: ProofFields = {
  game: { idHash: 0x11223344, digest: 0x55667788 },
  nonce: new Uint8Array(NONCE_BYTES).fill(0xaa),
  version: 2,
  cookie: new Uint8Array(COOKIE_BYTES).fill(0xcc),
  clientId: 0x99,
  clientKey: new Uint8Array(KEY_BYTES).fill(0xbb),
};

const challenge: Challenge = {
  version: 2,
  serverKey: new Uint8Array(KEY_BYTES).fill(0xdd),
  cookie: fields.cookie,
};

function expectHello(hello: Hello, expected: HelloFields): void {
  expect([hello.versionMin, hello.versionMax]).toEqual([WIRE_VERSION, WIRE_VERSION]);
  expect(hello.idHash).toBe(expected.game.idHash);
  expect(hello.digest).toBe(expected.game.digest);
  expect([...hello.nonce]).toEqual([...expected.nonce]);
}

/** `bytes` with one bit changed. */
function changed(bytes: Uint8Array, at: number, bit = 1): Uint8Array {
  const copy = bytes.slice(0, PADDED_BYTES);
  copy[at]! ^= bit;
  return copy;
}

describe('a request', () => {
  test('stands at the documented places', () => {
    const bytes = new Uint8Array(PADDED_BYTES).fill(9);
    expect(writeRequest(bytes, 0, fields)).toBe(1200);
    const head = [1, 0x54, 0x4b, 0x57, 0x52, 2, 2, 0x44, 0x33, 0x22, 0x11, 0x88, 0x77, 0x66, 0x55];
    expect([...bytes.subarray(0, 15)]).toEqual(head);
    expect([...bytes.subarray(15, 31)]).toEqual([...fields.nonce]);
    expect(bytes.subarray(31).every((byte) => byte === 0)).toBe(true);
  });

  test('has the padded size and our magic; what the padding holds is nobody’s business', () => {
    const bytes = new Uint8Array(PADDED_BYTES + 1);
    writeRequest(bytes, 0, fields);
    const hello = new Hello();
    for (const end of [0, 1, 31, PADDED_BYTES - 1, PADDED_BYTES + 1]) {
      expect(hello.readRequest(bytes, 0, end), `${end} bytes`).toBe(false);
    }
    for (const at of [1, 2, 3, 4]) {
      expect(hello.readRequest(changed(bytes, at), 0, PADDED_BYTES), `byte ${at}`).toBe(false);
    }
    for (const at of [31, 600, PADDED_BYTES - 1]) {
      expect(hello.readRequest(changed(bytes, at), 0, PADDED_BYTES), `byte ${at}`).toBe(true);
      expectHello(hello, fields);
    }
  });
});

describe('the head of a proof', () => {
  test('stands at the documented places', () => {
    const bytes = new Uint8Array(PADDED_BYTES).fill(9);
    expect(writeProofHead(bytes, 0, fields, 0x0132)).toBe(1200);
    expect([bytes[0], bytes[5], bytes[6]]).toEqual([3, 2, 2]);
    expect(bytes[31]).toBe(2);
    expect([...bytes.subarray(32, 52)]).toEqual([...fields.cookie]);
    expect([...bytes.subarray(52, 56)]).toEqual([0x99, 0, 0, 0]);
    expect([...bytes.subarray(56, 88)]).toEqual([...fields.clientKey]);
    expect([...bytes.subarray(88, 90)]).toEqual([0x32, 0x01]);
    expect(bytes.subarray(90).every((byte) => byte === 0)).toBe(true);
    expect(PROOF_HEAD_BYTES).toBe(90);
    expect(CREDENTIAL_BYTES_MAX).toBe(1200 - 90 - 16);
  });

  test('begins as its request does', () => {
    const request = new Uint8Array(PADDED_BYTES);
    const proof = new Uint8Array(PADDED_BYTES);
    writeRequest(request, 0, fields);
    writeProofHead(proof, 0, fields, 1);
    expect([...proof.subarray(1, 31)]).toEqual([...request.subarray(1, 31)]);
  });

  test('names somebody, and a credential that its rest has room for', () => {
    const bytes = new Uint8Array(PADDED_BYTES);
    const hello = new Hello();
    writeProofHead(bytes, 0, { ...fields, clientId: 0 }, 1);
    expect(hello.readProof(bytes, 0, PADDED_BYTES)).toBe(false);
    writeProofHead(bytes, 0, fields, CREDENTIAL_BYTES_MAX);
    expect(hello.readProof(bytes, 0, PADDED_BYTES)).toBe(true);
    expect(hello.credentialBytes).toBe(CREDENTIAL_BYTES_MAX);
    for (const length of [0, CREDENTIAL_BYTES_MAX + 1, 0xffff]) {
      writeProofHead(bytes, 0, fields, length);
      expect(hello.readProof(bytes, 0, PADDED_BYTES), `${length} bytes`).toBe(false);
    }
  });

  test('has the padded size and our magic', () => {
    const bytes = new Uint8Array(PADDED_BYTES + 1);
    writeProofHead(bytes, 0, fields, 1);
    const hello = new Hello();
    for (const end of [0, 90, PADDED_BYTES - 1, PADDED_BYTES + 1]) {
      expect(hello.readProof(bytes, 0, end), `${end} bytes`).toBe(false);
    }
    for (const at of [1, 2, 3, 4]) {
      expect(hello.readProof(changed(bytes, at), 0, PADDED_BYTES), `byte ${at}`).toBe(false);
    }
  });
});

test('whatever was written is read, wherever it stands', () => {
  const lengths = fc.integer({ min: 1, max: CREDENTIAL_BYTES_MAX });
  fc.assert(
    fc.property(proofFields, lengths, fc.nat(4), (wanted, credentialBytes, start) => {
      const bytes = new Uint8Array(PADDED_BYTES + 8).fill(7);
      const hello = new Hello();
      const end = start + writeRequest(bytes, start, wanted);
      expect(readKind(bytes, start, end)).toBe(PacketKind.request);
      expect(hello.readRequest(bytes, start, end)).toBe(true);
      expectHello(hello, wanted);
      writeProofHead(bytes, start, wanted, credentialBytes);
      expect(readKind(bytes, start, end)).toBe(PacketKind.proof);
      expect(hello.readProof(bytes, start, end)).toBe(true);
      expectHello(hello, wanted);
      expect(hello.version).toBe(wanted.version);
      expect([...hello.cookie]).toEqual([...wanted.cookie]);
      expect(hello.clientId).toBe(wanted.clientId);
      expect([...hello.clientKey]).toEqual([...wanted.clientKey]);
      expect(hello.credentialBytes).toBe(credentialBytes);
      expect([...bytes.subarray(0, start)]).toEqual(new Array(start).fill(7));
      expect([...bytes.subarray(end)]).toEqual(new Array(8 - start).fill(7));
    }),
    { numRuns: 60 },
  );
});

test('random and mutated bytes never throw', () => {
  const mutation = fc.record({ at: fc.nat(PADDED_BYTES - 1), to: fc.nat(255) });
  const hello = new Hello();
  fc.assert(
    fc.property(fc.array(mutation, { maxLength: 8 }), fc.nat(1300), (mutations, end) => {
      const bytes = new Uint8Array(1300);
      writeProofHead(bytes, 0, fields, 40);
      for (const { at, to } of mutations) bytes[at] = to;
      for (const size of [end, PADDED_BYTES, CHALLENGE_BYTES, ACCEPT_BYTES]) {
        hello.readRequest(bytes, 0, size);
        hello.readProof(bytes, 0, size);
        readChallenge(bytes, 0, size);
        readAccept(bytes, 0, size);
        readRefusal(bytes, 0, size);
        echoesNonce(bytes, 0, size, fields.nonce);
      }
      expect(hello.credentialBytes).toBeLessThanOrEqual(0xffff);
    }),
    { numRuns: 60 },
  );
});

describe('replies', () => {
  const out = new Uint8Array(400);

  test('are all shorter than what they answer', () => {
    expect([CHALLENGE_BYTES, ACCEPT_BYTES, REPLY_BYTES_MAX]).toEqual([70, 69, 218]);
    expect(REPLY_BYTES_MAX).toBeLessThan(PADDED_BYTES);
  });

  test('a challenge echoes the nonce and brings version, identity key and cookie', () => {
    const length = writeChallenge(out, 3, fields.nonce, challenge);
    expect(length).toBe(CHALLENGE_BYTES);
    const { serverKey, cookie } = challenge;
    const wanted = [2, ...fields.nonce, 2, ...serverKey, ...cookie];
    expect([...out.subarray(3, 3 + length)]).toEqual(wanted);
    expect(echoesNonce(out, 3, 3 + length, fields.nonce)).toBe(true);
    expect(readChallenge(out, 3, 3 + length)).toEqual(challenge);
    expect(readChallenge(out, 3, 2 + length)).toBeUndefined();
    expect(readChallenge(out, 3, 4 + length)).toBeUndefined();
    // Not a view of the datagram: that is overwritten by the next one.
    const read = readChallenge(out, 3, 3 + length)!;
    out.fill(0);
    expect(read).toEqual(challenge);
  });

  test('a nonce is echoed whole or not at all', () => {
    const length = writeChallenge(out, 0, fields.nonce, challenge);
    for (let end = 0; end <= NONCE_BYTES; end++) {
      expect(echoesNonce(out, 0, end, fields.nonce)).toBe(false);
    }
    for (let i = 0; i < NONCE_BYTES; i++) {
      out[1 + i]! ^= 0x10;
      expect(echoesNonce(out, 0, length, fields.nonce), `byte ${i}`).toBe(false);
      out[1 + i]! ^= 0x10;
    }
    expect(echoesNonce(out, 0, length, fields.nonce)).toBe(true);
  });

  test('an accept carries id and fresh key, and ends in a tag over all of it', () => {
    fc.assert(
      fc.property(
        bytesOf(NONCE_BYTES),
        connectionId,
        bytesOf(KEY_BYTES),
        bytesOf(KEY_BYTES),
        fc.nat(ACCEPT_BYTES - 1),
        (nonce, serverId, freshKey, acceptKey, at) => {
          const headEnd = 2 + writeAcceptHead(out, 2, nonce, serverId, freshKey);
          const length = sealAccept(crypto, acceptKey, out, 2, headEnd);
          expect([headEnd, length]).toEqual([2 + ACCEPT_HEAD_BYTES, ACCEPT_BYTES]);
          expect(out[2]).toBe(PacketKind.accept);
          expect([...out.subarray(3, 19)]).toEqual([...nonce]);
          expect([...out.subarray(23, 55)]).toEqual([...freshKey]);
          const accept = readAccept(out, 2, 2 + length)!;
          expect(accept.serverId).toBe(serverId);
          expect([...accept.freshKey]).toEqual([...freshKey]);
          expect(readAccept(out, 2, 1 + length)).toBeUndefined();
          expect(readAccept(out, 2, 3 + length)).toBeUndefined();
          expect(acceptFits(crypto, acceptKey, out, 2, headEnd)).toBe(true);
          out[2 + at]! ^= 1;
          expect(acceptFits(crypto, acceptKey, out, 2, headEnd)).toBe(false);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('an accept names somebody', () => {
    writeAcceptHead(out, 0, fields.nonce, 0, fields.clientKey);
    expect(readAccept(out, 0, ACCEPT_BYTES)).toBeUndefined();
    writeAcceptHead(out, 0, fields.nonce, 0x01020304, fields.clientKey);
    expect([...out.subarray(17, 21)]).toEqual([4, 3, 2, 1]);
    expect(ACCEPT_BYTES - ACCEPT_HEAD_BYTES).toBe(TAG_BYTES);
  });

  test('a refusal carries any reason and as much text as fits', () => {
    for (const reason of endReasons) {
      const length = writeRefusal(out, 1, fields.nonce, reason, 'später');
      expect(readRefusal(out, 1, 1 + length)).toEqual({ reason, text: 'später' });
    }
    const shortest = writeRefusal(out, 0, fields.nonce, 'full', '');
    expect(shortest).toBe(18);
    expect([...out.subarray(0, shortest)]).toEqual([5, ...fields.nonce, 6]);
    const longest = writeRefusal(out, 0, fields.nonce, 'full', 'x'.repeat(999));
    expect(longest).toBe(REPLY_BYTES_MAX);
    expect(readRefusal(out, 0, longest)!.text.length).toBe(200);
    expect(readRefusal(out, 0, longest + 1)).toBeUndefined();
    expect(readRefusal(out, 0, 1 + NONCE_BYTES)).toBeUndefined();
    out[1 + NONCE_BYTES] = endReasons.length;
    expect(readRefusal(out, 0, longest)).toBeUndefined();
  });

  test('the reasons keep their numbers', () => {
    const numbers: Partial<Record<EndReason, number>> = {
      closed: 0,
      full: 6,
      version: 7,
      game: 8,
      overflow: 11,
      credentials: 12,
      'token-invalid': 13,
      'token-expired': 14,
      'token-used': 15,
      'resume-invalid': 16,
      replaced: 17,
      identity: 18,
    };
    for (const [reason, number] of Object.entries(numbers)) {
      expect(endReasons[number]).toBe(reason);
    }
  });
});
