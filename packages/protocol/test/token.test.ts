import { simulatedCrypto } from '@tickwire/netsim';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CONNECT_TOKEN_CHARACTERS_MAX,
  readConnectToken,
  writeConnectToken,
} from '../src/session/connect-token.ts';
import { SEALED_TOKEN_BYTES_MAX } from '../src/session/credential.ts';
import { checkServer, namesSameServer, splitServer } from '../src/session/server-list.ts';
import {
  type ConnectToken,
  readToken,
  TOKEN_BYTES_MAX,
  TOKEN_BYTES_MIN,
  TOKEN_TIMEOUT_MS_MAX,
  writeToken,
} from '../src/session/token.ts';
import {
  judgeToken,
  TOKEN_CLOCK_AHEAD_MS_MAX,
  type TokenContext,
  tokenRefusals,
} from '../src/session/token-verdict.ts';
import { resolveTimes } from '../src/transport/connection-options.ts';
import { encodeBase64url } from '../src/wire/base64url.ts';
import { KEY_BYTES, TAG_BYTES } from '../src/wire/crypto.ts';

const crypto = simulatedCrypto(1);
const key = new Uint8Array(KEY_BYTES).fill(1);
const BODY_AT = 28;

const token: ConnectToken = {
  id: new Uint8Array(16).fill(3),
  issuedAtMs: 1_800_000_000_000,
  expiresAtMs: 1_800_000_060_000,
  wireVersion: 2,
  gameIdHash: 0xfedcba98,
  timeoutMs: 5_000,
  serverKey: new Uint8Array(KEY_BYTES).fill(4),
  secret: new Uint8Array(KEY_BYTES).fill(5),
  userId: 'user-1',
  servers: ['203.0.113.7:7777', '[2001:db8::1]:7777', 'game.example.net:1'],
  userData: Uint8Array.of(1, 2, 3),
};

/** A server whose text takes `bytes`. */
const server = (bytes: number) => `${'a'.repeat(bytes - 2)}:1`;

/** Everything as long as it may be. */
const longest: ConnectToken = {
  ...token,
  userId: '\u{10ffff}'.repeat(16),
  servers: [...Array.from({ length: 7 }, () => server(40)), server(44)],
  userData: new Uint8Array(512).fill(0xff),
};

function seal(fields: Partial<ConnectToken> = {}): Uint8Array {
  const out = new Uint8Array(TOKEN_BYTES_MAX);
  return out.slice(0, writeToken(crypto, key, { ...token, ...fields }, out));
}

function open(bytes: Uint8Array, withKey = key): ConnectToken | undefined {
  return readToken(crypto, withKey, bytes, 0, bytes.length);
}

/** A token whose body was changed by somebody who has the key. */
function resealed(change: (bytes: Uint8Array) => Uint8Array | undefined, fields = {}): Uint8Array {
  const clear = seal(fields).slice(0, -TAG_BYTES);
  // The simulated cipher leaves the body readable.
  const changed = change(clear) ?? clear;
  const bytes = new Uint8Array(changed.length + TAG_BYTES);
  bytes.set(changed);
  crypto.sealToken(key, bytes.subarray(4, BODY_AT), bytes, 0, BODY_AT, changed.length);
  return bytes;
}

const issueFails = (fields: Partial<ConnectToken>, text: string) =>
  expect(() => seal(fields)).toThrow(
    expect.objectContaining({
      code: 'token-field-invalid',
      message: expect.stringContaining(text),
    }),
  );

describe('writeToken and readToken', () => {
  test('bring everything over', () => {
    expect(open(seal())).toEqual(token);
    expect(open(seal(longest))).toEqual(longest);
  });

  test('random tokens come back as they were', () => {
    const bytesOf = (count: number) => fc.uint8Array({ minLength: count, maxLength: count });
    const fields = fc.record({
      id: bytesOf(16),
      issuedAtMs: fc.nat({ max: Number.MAX_SAFE_INTEGER - 1 }),
      wireVersion: fc.integer({ min: 1, max: 255 }),
      gameIdHash: fc.nat({ max: 0xffff_ffff }),
      timeoutMs: fc.nat({ max: TOKEN_TIMEOUT_MS_MAX }),
      serverKey: bytesOf(32),
      secret: bytesOf(32),
      userId: fc.string({ unit: 'binary', maxLength: 16 }),
      servers: fc.array(fc.integer({ min: 3, max: 41 }).map(server), {
        minLength: 1,
        maxLength: 7,
      }),
      userData: fc.uint8Array({ maxLength: 512 }),
    });
    fc.assert(
      fc.property(fields, fc.nat(99), fc.nat(9), (given, lifetimeMs, at) => {
        const expiresAtMs = Math.min(given.issuedAtMs + 1 + lifetimeMs, Number.MAX_SAFE_INTEGER);
        const bytes = seal({ ...given, expiresAtMs });
        const around = new Uint8Array(at + bytes.length + 5).fill(9);
        around.set(bytes, at);
        const before = around.slice();
        expect(readToken(crypto, key, around, at, at + bytes.length)).toEqual({
          ...given,
          expiresAtMs,
        });
        expect(around).toEqual(before);
      }),
    );
  });

  test('what is kept is a copy', () => {
    const bytes = seal();
    const read = open(bytes)!;
    bytes.fill(0);
    expect(read).toEqual(token);
  });

  test('the layout is the one that is drawn', () => {
    const bytes = seal();
    expect(String.fromCharCode(...bytes.subarray(0, 4))).toBe('TWT2');
    expect(bytes.subarray(28, 44)).toEqual(token.id);
    const view = new DataView(bytes.buffer);
    expect(view.getBigUint64(44, true)).toBe(1_800_000_000_000n);
    expect(view.getBigUint64(52, true)).toBe(1_800_000_060_000n);
    expect(bytes[60]).toBe(2);
    expect(view.getUint32(61, true)).toBe(0xfedcba98);
    expect(view.getUint32(65, true)).toBe(5_000);
    expect(bytes.subarray(69, 101)).toEqual(token.serverKey);
    expect(bytes.subarray(101, 133)).toEqual(token.secret);
    expect(bytes[133]).toBe(6);
    expect(bytes[140]).toBe(3);
    expect(bytes[141]).toBe(16);
    expect(bytes.length).toBe(140 + 1 + 17 + 19 + 19 + 2 + 3 + 16);
  });

  test('the longest has exactly the room that a proof gives', () => {
    expect(TOKEN_BYTES_MAX).toBe(SEALED_TOKEN_BYTES_MAX);
    expect(seal(longest).length).toBe(TOKEN_BYTES_MAX);
  });

  test('no two have the same nonce', () => {
    const nonces = Array.from({ length: 100 }, () => seal().subarray(4, BODY_AT).join());
    expect(new Set(nonces).size).toBe(100);
  });
});

describe('bounds of a token', () => {
  test.each([
    ['user id', { userId: 'é'.repeat(32) }, { userId: `${'é'.repeat(32)}x` }],
    ['user id, none', { userId: '' }, { userId: 7 as never }],
    ['half a pair', { userId: '\ufffd' }, { userId: '\ud800' }],
    ['user data', { userData: new Uint8Array(512) }, { userData: new Uint8Array(513) }],
    ['user data, none', { userData: new Uint8Array(0) }, { userData: [1] as never }],
    ['fewest servers', { servers: ['a:1'] }, { servers: [] }],
    ['most servers', { servers: Array(8).fill('a:1') }, { servers: Array(9).fill('a:1') }],
    ['a list', { servers: ['abc:1'] }, { servers: 'abc:1' as never }],
    ['longest server', { servers: [server(255)] }, { servers: [server(256)] }],
    [
      'all servers',
      { servers: longest.servers },
      { servers: [...longest.servers.slice(1), server(41)] },
    ],
    ['port', { servers: ['a:65535'] }, { servers: ['a:65536'] }],
    ['lifetime', { expiresAtMs: token.issuedAtMs + 1 }, { expiresAtMs: token.issuedAtMs }],
    ['last moment', { expiresAtMs: Number.MAX_SAFE_INTEGER }, { expiresAtMs: 2 ** 53 }],
    ['first moment', { issuedAtMs: 0 }, { issuedAtMs: -1 }],
    ['whole moments', { issuedAtMs: 1 }, { issuedAtMs: 1.5 }],
    ['highest version', { wireVersion: 255 }, { wireVersion: 256 }],
    ['lowest version', { wireVersion: 1 }, { wireVersion: 0 }],
    ['game', { gameIdHash: 0xffff_ffff }, { gameIdHash: 2 ** 32 }],
    ['timeout', { timeoutMs: TOKEN_TIMEOUT_MS_MAX }, { timeoutMs: TOKEN_TIMEOUT_MS_MAX + 1 }],
    ['no timeout', { timeoutMs: 0 }, { timeoutMs: 0.5 }],
    ['id', {}, { id: new Uint8Array(15) }],
    ['server key', {}, { serverKey: new Uint8Array(33) }],
    ['secret', {}, { secret: new Uint8Array(31) }],
  ] as [string, Partial<ConnectToken>, Partial<ConnectToken>][])(
    '%s: at the bound and one past it',
    (_what, good, bad) => {
      expect(open(seal(good))).toEqual({ ...token, ...good });
      issueFails(bad, Object.keys(bad)[0]!);
    },
  );

  test('a timeout that a token may ask for is one that a connection takes', () => {
    expect(resolveTimes({ timeoutMs: TOKEN_TIMEOUT_MS_MAX }).timeoutMs).toBe(TOKEN_TIMEOUT_MS_MAX);
    expect(() => resolveTimes({ timeoutMs: TOKEN_TIMEOUT_MS_MAX + 1 })).toThrow();
  });

  test('what fails never tells the secret', () => {
    const secret = new Uint8Array(31).fill(123);
    expect(() => seal({ secret })).toThrow(
      expect.objectContaining({ message: expect.not.stringMatching(/123|7b|e3t7/) }),
    );
  });
});

describe('hostile tokens', () => {
  test('cut off at every byte, and one byte longer', () => {
    for (const bytes of [seal(), seal(longest)]) {
      for (let length = 0; length < bytes.length; length++) {
        expect(open(bytes.subarray(0, length))).toBeUndefined();
      }
      expect(open(Uint8Array.of(...bytes, 0))).toBeUndefined();
      expect(readToken(crypto, key, bytes, 1, bytes.length + 1)).toBeUndefined();
      expect(readToken(crypto, key, bytes, 0, bytes.length + 1)).toBeUndefined();
      expect(readToken(crypto, key, bytes, bytes.length, 0)).toBeUndefined();
    }
  });

  test('no bit may differ', () => {
    const bytes = seal();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(open(bytes)).toBeUndefined();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(open(bytes)).toEqual(token);
  });

  test('sealed under another key', () => {
    expect(open(seal(), new Uint8Array(KEY_BYTES).fill(2))).toBeUndefined();
  });

  test('random bytes, with and without the magic', () => {
    const bytes = fc.uint8Array({ minLength: TOKEN_BYTES_MIN, maxLength: TOKEN_BYTES_MAX + 1 });
    fc.assert(
      fc.property(bytes, fc.boolean(), (random, magic) => {
        if (magic) random.set([84, 87, 84, 50]);
        expect(open(random)).toBeUndefined();
      }),
    );
  });

  test('the body of one under the nonce of another', () => {
    const [one, other] = [seal(), seal()];
    one.set(other.subarray(4, BODY_AT), 4);
    expect(open(one)).toBeUndefined();
  });

  test('a body that breaks the rules, from somebody who has the key', () => {
    const set =
      (at: number, ...values: number[]) =>
      (bytes: Uint8Array) => {
        bytes.set(values, at);
        return bytes;
      };
    expect(open(resealed(set(60, 3)))).toEqual({ ...token, wireVersion: 3 });
    const broken: ((bytes: Uint8Array) => Uint8Array)[] = [
      set(60, 0), // version
      set(58, 0x20), // expires at 2^53
      set(50, 0x20),
      set(52, ...seal().subarray(44, 52)), // expires when it was issued
      set(65, 0x81, 0xee, 0x36, 0), // timeout, one too many
      set(133, 65), // user id's length
      set(133, 255),
      set(133, 5), // shorter, so that all that follows is elsewhere
      set(134, 0xff), // not UTF-8
      set(134, 0xc0, 0x80),
      set(139, 0xc3),
      set(140, 0), // servers
      set(140, 2),
      set(140, 9),
      set(141, 0), // length of the first
      set(141, 15),
      set(142, 32), // a space in it
      set(142, 0xff),
      set(196, 2), // user data's length: here 3
      set(196, 4),
      set(197, 3),
      (bytes) => bytes.slice(0, -1),
      (bytes) => Uint8Array.of(...bytes, 0),
    ];
    expect(seal()[196]).toBe(3);
    for (const change of broken) {
      const at = broken.indexOf(change);
      expect(open(resealed(change)), `change ${at}`).toBeUndefined();
    }
  });

  test('random damage by somebody who has the key is read as a valid token or not at all', () => {
    const edits = fc.array(fc.tuple(fc.nat(10_000), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(edits, fc.nat(60), (changes, cut) => {
        const bytes = resealed((clear) => {
          for (const [at, value] of changes) {
            clear[BODY_AT + (at % (clear.length - BODY_AT))] = value;
          }
          return clear.slice(0, clear.length - (cut > 40 ? cut - 40 : 0));
        });
        const read = open(bytes);
        // Whatever is read can be written, and is the same then.
        if (read !== undefined) expect(open(seal(read))).toEqual(read);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('splitServer', () => {
  test.each([
    ['game.example.net:7777', 'game.example.net', 7777],
    ['10.0.0.1:1', '10.0.0.1', 1],
    ['[::1]:65535', '::1', 65535],
    ['[::ffff:10.0.0.1]:9', '::ffff:10.0.0.1', 9],
    ['my_container-1:80', 'my_container-1', 80],
  ])('%s', (text, host, port) => expect(splitServer(text)).toEqual({ host, port }));

  test.each([
    '',
    'host',
    'host:',
    ':1',
    'host:0',
    'host:01',
    'host:65536',
    'host:1a',
    'host:1 ',
    'a b:1',
    '::1:1',
    '[::1]',
    '[1.2.3.4]:1',
    '[host]:1',
    '[]:1',
    'hôst:1',
    'a/b:1',
    'a:1\n',
  ])('not %j', (text) => expect(splitServer(text)).toBeUndefined());
});

describe('checkServer', () => {
  test('takes what a token may name, and names the option of what it may not', () => {
    for (const text of ['a:1', '10.0.0.1:65535', '[::1]:7777']) {
      expect(() => checkServer('address', text)).not.toThrow();
    }
    for (const text of ['a', 'a:0', '::1:1', `${'a'.repeat(254)}:1`, 7777 as never]) {
      expect(() => checkServer('address', text)).toThrow(
        expect.objectContaining({
          code: 'option-invalid',
          message: `address is '${text}'; give "host:port" or "[v6]:port"`,
        }),
      );
    }
  });
});

describe('namesSameServer', () => {
  test.each([
    ['game.example.net:1', 'GAME.example.NET:1'],
    ['[2001:db8::1]:7', '[2001:0DB8:0:0:0:0:0:1]:7'],
    ['[::]:7', '[0:0:0:0:0:0:0:0]:7'],
    ['[::1]:7', '[0::0:1]:7'],
    ['[1::]:7', '[1:0::]:7'],
    ['[::ffff:10.0.0.1]:9', '[::FFFF:a00:1]:9'],
    ['[1:2:3:4:5:6:7:8]:7', '[01:02:03:04:05:06:07:08]:7'],
  ])('%s = %s', (a, b) => {
    expect([namesSameServer(a, b), namesSameServer(b, a)]).toEqual([true, true]);
  });

  test.each([
    ['a:1', 'a:2'],
    ['a:1', 'b:1'],
    ['[::1]:7', '[::1]:8'],
    ['[::1]:7', '[1::]:7'],
    ['[::1:0]:7', '[::1]:7'],
    ['10.0.0.1:9', '[::ffff:10.0.0.1]:9'],
    ['[::ffff:10.0.0.1]:9', '[::ffff:10.0.0.2]:9'],
  ])('%s is not %s', (a, b) => {
    expect([namesSameServer(a, b), namesSameServer(b, a)]).toEqual([false, false]);
  });
});

describe('judgeToken', () => {
  const context: TokenContext = {
    wallMs: token.issuedAtMs + 1000,
    startedWallMs: token.issuedAtMs,
    maxLifetimeMs: 60_000,
    gameIdHash: token.gameIdHash,
    wireVersion: token.wireVersion,
    serverKey: token.serverKey.slice(),
    address: 'GAME.example.net:1',
  };
  const judge = (changes: Partial<TokenContext>) => judgeToken(token, { ...context, ...changes });

  test('a good one', () => {
    expect(judge({})).toBeUndefined();
    expect(judge({ address: undefined })).toBeUndefined();
    expect(judge({ address: '[2001:db8:0::0:1]:7777' })).toBeUndefined();
  });

  test.each([
    ['expired', { wallMs: token.expiresAtMs - 1 }, { wallMs: token.expiresAtMs }],
    ['beforeStart', { startedWallMs: 0 }, { startedWallMs: token.issuedAtMs + 1 }],
    ['tooLong', {}, { maxLifetimeMs: 59_999 }],
    [
      'ahead',
      { wallMs: token.issuedAtMs - TOKEN_CLOCK_AHEAD_MS_MAX },
      { wallMs: token.issuedAtMs - TOKEN_CLOCK_AHEAD_MS_MAX - 1 },
    ],
    ['version', {}, { wireVersion: 3 }],
    ['game', {}, { gameIdHash: 1 }],
    ['identity', {}, { serverKey: new Uint8Array(KEY_BYTES).fill(4).fill(5, 31) }],
    ['address', { address: '[2001:DB8::1]:7777' }, { address: 'game.example.net:2' }],
  ] as const)('%s', (refusal, good, bad) => {
    expect(judge(good)).toBeUndefined();
    expect(judge(bad)).toBe(tokenRefusals[refusal]);
  });

  test('each refusal says something else, and no more than fits into a refuse packet', () => {
    const texts = Object.values(tokenRefusals).map((refusal) => refusal.text);
    expect(new Set(texts).size).toBe(8);
    for (const text of texts) expect(text.length).toBeLessThanOrEqual(200);
  });
});

describe('the text of a connect token', () => {
  const parts = (fields: Partial<ConnectToken> = {}) => {
    const { expiresAtMs, secret, serverKey, servers } = { ...token, ...fields };
    return { expiresAtMs, secret, serverKey, servers, sealed: seal(fields) };
  };
  const unreadable = expect.objectContaining({ code: 'token-unreadable' });

  test('brings everything over', () => {
    const text = writeConnectToken(parts());
    expect(text).toMatch(/^twc2\.[\w-]+$/);
    const { sealed, ...clear } = readConnectToken(text);
    const { expiresAtMs, secret, serverKey, servers } = token;
    expect(clear).toEqual({ expiresAtMs, secret, serverKey, servers });
    expect(open(sealed)).toEqual(token);
  });

  test('the longest', () => {
    const text = writeConnectToken(parts(longest));
    expect(text.length).toBe(CONNECT_TOKEN_CHARACTERS_MAX);
    expect(open(readConnectToken(text).sealed)).toEqual(longest);
    expect(() => readConnectToken(`${text}AAAA`)).toThrow(unreadable);
  });

  test('cut off at every character, or longer', () => {
    const text = writeConnectToken(parts());
    for (let length = 0; length < text.length; length++) {
      expect(() => readConnectToken(text.slice(0, length))).toThrow(unreadable);
    }
    for (const more of ['A', 'AA', 'AAAA', ' ', '\n', '=']) {
      expect(() => readConnectToken(text + more)).toThrow(unreadable);
    }
  });

  test.each([undefined, null, 7, '', 'twc1.AAAA', 'twc2', 'twc2.', ' twc2.AAAA', 'x'.repeat(9999)])(
    'not %j',
    (text) => expect(() => readConnectToken(text as never)).toThrow(unreadable),
  );

  test('breaks no rule: time, servers, lengths', () => {
    const raw = Buffer.from(writeConnectToken(parts()).slice(5), 'base64url');
    const servers = 8 + 32 + 32;
    expect(raw[servers]).toBe(3);
    for (const [at, value] of [
      [7, 0x20], // time
      [servers, 0],
      [servers, 4],
      [servers, 9],
      [servers + 1, 0],
      [servers + 2, 47],
    ] as const) {
      const bytes = new Uint8Array(raw);
      bytes[at] = value;
      expect(() => readConnectToken(`twc2.${encodeBase64url(bytes)}`)).toThrow(unreadable);
    }
    const sealedOf = (length: number) =>
      writeConnectToken({ ...parts(), sealed: new Uint8Array(length) });
    for (const length of [TOKEN_BYTES_MIN, TOKEN_BYTES_MAX]) {
      expect(readConnectToken(sealedOf(length)).sealed.length).toBe(length);
    }
    expect(() => readConnectToken(sealedOf(TOKEN_BYTES_MIN - 1))).toThrow(unreadable);
    expect(() => readConnectToken(sealedOf(TOKEN_BYTES_MAX + 1))).toThrow(unreadable);
  });

  test('random texts are none, or have one meaning', () => {
    const text = writeConnectToken(parts());
    const other = fc.constantFrom(...'AZaz09-_+/= ');
    fc.assert(
      fc.property(fc.nat(text.length - 1), other, (at, character) => {
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        let read: ReturnType<typeof readConnectToken> | undefined;
        try {
          read = readConnectToken(changed);
        } catch (error) {
          expect(error).toEqual(unreadable);
          expect((error as Error).message).not.toContain(text.slice(20, 40));
        }
        if (read !== undefined) expect(writeConnectToken(read)).toBe(changed);
      }),
      { numRuns: 1000 },
    );
  });
});
