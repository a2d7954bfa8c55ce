// What a web backend does with '@tickwire/protocol/token', with the real cryptography.

import { createRequire } from 'node:module';
import { inspect } from 'node:util';
import { createIdentity, createTokenKey, openTokenIssuer } from '@tickwire/protocol/token';
import { beforeAll, describe, expect, test } from 'vitest';
import { defineMessages } from '../src/messages/message-set.ts';
import { type ClientToken, readConnectToken } from '../src/session/connect-token.ts';
import { WIRE_VERSION } from '../src/session/handshake.ts';
import { keyPairOf } from '../src/session/keys.ts';
import { type ConnectToken, readToken, TOKEN_BYTES_MAX, writeToken } from '../src/session/token.ts';
import { judgeToken } from '../src/session/token-verdict.ts';
import { loadCrypto } from '../src/sodium/index.ts';
import type { TokenIssuerOptions, TokenRequest } from '../src/token/token-issuer.ts';
import { decodeKey } from '../src/wire/base64url.ts';
import type { Crypto } from '../src/wire/crypto.ts';
import { arena } from './arena.ts';

const key = createTokenKey();
const request: TokenRequest = { userId: 'user-1', servers: ['10.0.0.1:7777'] };
let crypto: Crypto;
let identity: Awaited<ReturnType<typeof createIdentity>>;

beforeAll(async () => {
  crypto = await loadCrypto();
  identity = await createIdentity();
});

async function issue(
  given: Partial<TokenRequest> = {},
  options: Partial<TokenIssuerOptions> = {},
): Promise<{ text: string; token: ConnectToken; client: ClientToken }> {
  const serverKey = identity.publicKey;
  const issuer = await openTokenIssuer({ key, serverKey, game: 'arena', ...options });
  const text = issuer.issue({ ...request, ...given });
  const client = readConnectToken(text);
  const token = readToken(crypto, decodeKey('key', key), client.sealed, 0, client.sealed.length);
  return { text, token: token!, client };
}

const refused = (options: object, text: string) =>
  expect(
    openTokenIssuer({ key, serverKey: identity.publicKey, game: 'arena', ...options }),
  ).rejects.toThrow(
    expect.objectContaining({ code: 'option-invalid', message: expect.stringContaining(text) }),
  );

describe('createTokenKey and createIdentity', () => {
  test('give other keys each time, of 32 bytes', async () => {
    const keys = [createTokenKey(), createTokenKey(), ...Object.values(await createIdentity())];
    expect(new Set(keys).size).toBe(4);
    for (const one of keys) expect(decodeKey('key', one).length).toBe(32);
  });

  test('the public key belongs to the secret one', () => {
    const pair = keyPairOf(crypto, decodeKey('secretKey', identity.secretKey));
    expect(pair.publicKey).toEqual(decodeKey('publicKey', identity.publicKey));
  });
});

describe('openTokenIssuer', () => {
  test('issues what a server reads, and a client', async () => {
    const userData = Uint8Array.of(1, 2);
    const now = () => 1_800_000_000_000.7;
    const { token, client } = await issue(
      { userData, timeoutMs: 5_000 },
      { now, lifetimeMs: 1_000 },
    );
    const shared = {
      expiresAtMs: 1_800_000_001_000,
      secret: token.secret,
      serverKey: decodeKey('publicKey', identity.publicKey),
      servers: ['10.0.0.1:7777'],
    };
    expect(client).toEqual({ ...shared, sealed: client.sealed });
    expect(token).toEqual({
      ...shared,
      id: token.id,
      issuedAtMs: 1_800_000_000_000,
      wireVersion: WIRE_VERSION,
      gameIdHash: token.gameIdHash,
      timeoutMs: 5_000,
      userId: 'user-1',
      userData,
    });
  });

  test('what it issues is good at once, with the defaults of both sides', async () => {
    const startedWallMs = Date.now();
    const { token } = await issue();
    const { gameIdHash, serverKey } = token;
    const servers = { gameIdHash, serverKey, wireVersion: WIRE_VERSION, address: '10.0.0.1:7777' };
    const context = { ...servers, startedWallMs, maxLifetimeMs: 60_000 };
    expect(judgeToken(token, { ...context, wallMs: Date.now() })).toBeUndefined();
    expect(token.expiresAtMs - token.issuedAtMs).toBe(60_000);
  });

  test('a game may be named by its id, as a game or as messages', async () => {
    const messages = defineMessages({}, {});
    for (const declared of [arena, messages]) {
      const byId = await issue({}, { game: declared.id });
      const byItself = await issue({}, { game: declared });
      expect(byId.token.gameIdHash).toBe(declared.idHash);
      expect(byItself.token.gameIdHash).toBe(declared.idHash);
    }
  });

  test('no two tokens share an id, a secret or a nonce', async () => {
    const issued = await Promise.all(Array.from({ length: 50 }, () => issue()));
    const different = (of: (one: (typeof issued)[number]) => Uint8Array) =>
      new Set(issued.map((one) => of(one).join())).size;
    expect(different(({ token }) => token.id)).toBe(50);
    expect(different(({ token }) => token.secret)).toBe(50);
    expect(different(({ client }) => client.sealed.subarray(0, 28))).toBe(50);
  });

  test('the sealed part hides what it holds', async () => {
    const userId = 'somebody-who-wants-no-mail';
    const { client, token } = await issue({ userId });
    const sealed = Buffer.from(client.sealed);
    expect(sealed.includes(userId)).toBe(false);
    expect(sealed.includes(Buffer.from(token.secret))).toBe(false);
    expect(sealed.includes(Buffer.from(token.id))).toBe(false);
  });

  test('no bit of a sealed token may differ, and no other key opens it', async () => {
    const { client } = await issue();
    const bytes = client.sealed;
    const open = (withKey: string) =>
      readToken(crypto, decodeKey('key', withKey), bytes, 0, bytes.length);
    expect(open(createTokenKey())).toBeUndefined();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(open(key)).toBeUndefined();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(open(key)).toBeDefined();
  });

  test.each([
    ['key is not 32 bytes', { key: 'short' }],
    ['key is not', { key: undefined }],
    ['serverKey is not 32 bytes', { serverKey: 'short' }],
    ['serverKey is the secret key', { serverKey: key }],
    ['key has 31 bytes', { key: new Uint8Array(31).fill(1) }],
    ['key is all zero', { key: new Uint8Array(32) }],
    ['serverKey is all zero', { serverKey: 'A'.repeat(43) }],
    ['serverKey is no public key', { serverKey: `AQ${'A'.repeat(41)}` }],
    ["id 'no spaces'", { game: 'no spaces' }],
    ['game is neither', { game: {} }],
    ["game is neither a game's id", { game: undefined }],
    ['lifetimeMs is 999', { lifetimeMs: 999 }],
    ['lifetimeMs is 3600001', { lifetimeMs: 3_600_001 }],
    ['lifetimeMs is 1000.5', { lifetimeMs: 1000.5 }],
    ["no option 'lifeTimeMs'", { lifeTimeMs: 5000 }],
  ])('refuses: %s', (text, options) => refused(options, text));

  test('takes keys as bytes, as servers do, and keeps no hold of them', async () => {
    const given = decodeKey('key', key);
    const serverKey = decodeKey('serverKey', identity.publicKey);
    const issuer = await openTokenIssuer({ key: given, serverKey, game: 'arena' });
    given.fill(0);
    const { sealed } = readConnectToken(issuer.issue(request));
    expect(readToken(crypto, decodeKey('key', key), sealed, 0, sealed.length)).toBeDefined();
    await refused({ key: serverKey, serverKey }, 'serverKey is the secret key');
  });

  test('takes the bounds of a lifetime', async () => {
    for (const lifetimeMs of [1_000, 3_600_000]) {
      const { token } = await issue({}, { lifetimeMs });
      expect(token.expiresAtMs - token.issuedAtMs).toBe(lifetimeMs);
    }
  });

  test('issue names what is wrong with a request', async () => {
    const invalid = (code: string, text: string) =>
      expect.objectContaining({ code, message: expect.stringContaining(text) });
    await expect(issue({ userId: 'x'.repeat(65) })).rejects.toThrow(
      invalid('token-field-invalid', 'userId'),
    );
    await expect(issue({ userId: '' })).rejects.toThrow(invalid('token-field-invalid', 'userId'));
    await expect(issue({ servers: ['nowhere'] })).rejects.toThrow(
      invalid('token-field-invalid', 'servers'),
    );
    await expect(issue({ user: 'x' } as never)).rejects.toThrow(
      invalid('option-invalid', "no option 'user'"),
    );
  });

  test('printing an issuer shows no key', async () => {
    const issuer = await openTokenIssuer({ key, serverKey: identity.publicKey, game: 'arena' });
    const bytes = decodeKey('key', key);
    for (const printed of [
      inspect(issuer, { depth: 9, showHidden: true }),
      JSON.stringify(issuer),
    ]) {
      expect(printed).not.toContain(key);
      expect(printed).not.toContain([...bytes.subarray(0, 3)].join(', '));
    }
  });
});

/** What sodium-native is asked for; it has no types of its own. */
interface SodiumNative {
  crypto_aead_xchacha20poly1305_ietf_decrypt(
    message: Uint8Array,
    secretNonce: null,
    sealed: Uint8Array,
    header: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
}

describe('a token with every field', () => {
  const counting = (from: number, count: number) =>
    Uint8Array.from({ length: count }, (_, i) => from + i);
  const vectorKey = counting(0x80, 32);
  const token: ConnectToken = {
    id: counting(0x10, 16),
    issuedAtMs: 1_800_000_000_000,
    expiresAtMs: 1_800_000_060_000,
    wireVersion: 2,
    gameIdHash: 0x2c74ee7f,
    timeoutMs: 5_000,
    serverKey: counting(0x20, 32),
    secret: counting(0x40, 32),
    userId: 'ada',
    servers: ['10.0.0.1:7777', '[::1]:7777'],
    userData: Uint8Array.of(1, 2, 3),
  };
  const SEALED = [
    '54575432c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7e40a9e0d',
    '3ca3c103aefb1debd5bbed6f9a8e54076a173e2aa886cf0f0e6969165a2cbbd2',
    '204e00ea8552aedceabd91364e55edbce1cf2a280236a90bc010b8982d8bb268',
    'f651dac4b6a9ed60d75869f8950b3d113331e6e7e3c124da0ecd02d48f9becc9',
    '940c57dcfaef5e849927a9f40ca26d5d268ddefc4b1155c52eb6a12fa91d5ead',
    'a6269de7bc49cb9710f9182e8e3eb228c4a268a838649209',
  ].join('');

  test('is what we seal, and opens', async () => {
    const fixed = (await loadCrypto()).withRandomBytes((out) =>
      out.set(counting(0xc0, out.length)),
    );
    const out = new Uint8Array(TOKEN_BYTES_MAX);
    const length = writeToken(fixed, vectorKey, token, out);
    expect(Buffer.from(out.subarray(0, length)).toString('hex')).toBe(SEALED);
    expect(readToken(crypto, vectorKey, out, 0, length)).toEqual(token);
  });

  test('opens with sodium-native, to the bytes that are drawn', () => {
    const sodium: SodiumNative = createRequire(import.meta.url)('sodium-native');
    const bytes = Buffer.from(SEALED, 'hex');
    const body = Buffer.alloc(bytes.length - 28 - 16);
    const [header, nonce] = [bytes.subarray(0, 28), bytes.subarray(4, 28)];
    const decrypt = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt;
    decrypt(body, null, bytes.subarray(28), header, nonce, Buffer.from(vectorKey));
    expect(body.subarray(0, 16)).toEqual(Buffer.from(token.id));
    expect(body.readBigUInt64LE(16)).toBe(1_800_000_000_000n);
    expect(body.readBigUInt64LE(24)).toBe(1_800_000_060_000n);
    expect([body[32], body.readUInt32LE(33), body.readUInt32LE(37)]).toEqual([
      2, 0x2c74ee7f, 5_000,
    ]);
    expect(body.subarray(41, 105)).toEqual(Buffer.from([...token.serverKey, ...token.secret]));
    const rest = '\x03ada\x02\x0d10.0.0.1:7777\x0a[::1]:7777\x03\x00\x01\x02\x03';
    expect(body.subarray(105).toString('latin1')).toBe(rest);
  });
});
