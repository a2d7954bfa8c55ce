// Who may come in: every way that a client can show itself, at every server.

import { SimulatedAddressBook, simulatedCrypto } from '@tickwire/netsim';
import {
  type Credential,
  createKeyPair,
  Hello,
  KEY_BYTES,
  NO_SECRET,
  type OpenedProof,
  openProof,
  Way,
} from '@tickwire/protocol';
import { describe, expect, test } from 'vitest';
import { type Access, AccessCheck, type Resumable } from '../src/access.ts';
import { ConnectionHost } from '../src/host.ts';
import { steadyClock, WallClock } from '../src/wall-clock.ts';
import { Attempt, GAME, TOKEN_KEY, tokenOf, WALL_MS } from './handshake-scene.ts';

const crypto = simulatedCrypto(1);
const identity = createKeyPair(crypto);
const key = new Uint8Array(KEY_BYTES).fill(0x31);
const resumeSecret = new Uint8Array(KEY_BYTES).fill(0x32);
const resumeId = new Uint8Array(16).fill(0x33);
const servers: Record<Access['way'], Access> = {
  open: { way: 'open' },
  key: { way: 'key', key },
  token: { way: 'token', key: TOKEN_KEY },
};
const credentials = {
  open: { way: Way.open },
  key: { way: Way.key, secret: key },
  token: tokenOf(1, identity.publicKey),
  resume: { way: Way.resume, secret: resumeSecret, id: resumeId },
} satisfies Record<string, Credential>;

/** What the server reads of a client's proof. */
function shown(credential: Credential): OpenedProof {
  const proof = new Attempt(1, { credential }).proveWith(new Uint8Array(20), identity.publicKey);
  const hello = new Hello();
  expect(hello.readProof(proof, 0, proof.length)).toBe(true);
  return openProof(crypto, proof, 0, hello, identity)!;
}

/** A server, started at WALL_MS, whose clock stands at `nowMs` after that. */
function check(access: Access, nowMs = 5000): AccessCheck {
  const times = [WALL_MS, WALL_MS + nowMs];
  return new AccessCheck({
    crypto,
    access,
    game: GAME,
    serverKey: identity.publicKey,
    wall: new WallClock(() => times.shift() ?? WALL_MS + nowMs),
    resumable: (id): Resumable | undefined =>
      `${id}` === `${resumeId}` ? { session: 7, secret: resumeSecret, timeoutMs: 4321 } : undefined,
  });
}

/** 'in', or why not. */
function judged(access: Access, credential: Credential, nowMs?: number): string {
  const answer = check(access, nowMs).judge(shown(credential));
  return 'reason' in answer ? answer.reason : 'in';
}

describe('the way in', () => {
  test('is one of three, and the way back is open at all of them', () => {
    const table = Object.values(servers).map((access) =>
      Object.values(credentials).map((credential) => judged(access, credential)),
    );
    expect(table).toEqual([
      // open         key            token          resume
      ['in', 'credentials', 'credentials', 'in'],
      ['credentials', 'in', 'credentials', 'in'],
      ['credentials', 'credentials', 'in', 'in'],
    ]);
  });

  test('is told to whoever came another way, and nothing else: wrong and missing sound the same', () => {
    const wrong = { way: Way.key, secret: new Uint8Array(KEY_BYTES) };
    const texts = Object.values(servers).map((access) => {
      const { way } = access;
      const others = Object.values({ ...credentials, wrong }).filter(
        (credential) => credential.way !== Way.resume && judged(access, credential) !== 'in',
      );
      // A token of another key is a token, and is told so.
      const told = others.map((credential) => check(access).judge(shown(credential)));
      expect(new Set(told.map((answer) => JSON.stringify(answer))).size, way).toBe(1);
      return 'text' in told[0]! ? told[0].text : '';
    });
    expect(texts).toEqual([
      'this server takes no password, key or token',
      'the right password or pre-shared key is needed',
      'a connect token is needed',
    ]);
  });
});

describe('a pre-shared key', () => {
  test('goes into the keys of the session, if it is the right one', () => {
    expect(check(servers.key).judge(shown(credentials.key))).toEqual({
      secret: key,
      resumes: 0,
      expiresWallMs: 0,
    });
    expect(check(servers.open).judge(shown(credentials.open))).toMatchObject({ secret: NO_SECRET });
    for (let at = 0; at < KEY_BYTES; at++) {
      const secret = key.slice();
      secret[at]! ^= 0x80;
      expect(judged(servers.key, { way: Way.key, secret }), `byte ${at}`).toBe('credentials');
    }
  });
});

describe('a resume', () => {
  test('needs id and secret, and says the same whichever is wrong', () => {
    const answer = check(servers.token).judge(shown(credentials.resume));
    expect(answer).toEqual({
      secret: resumeSecret,
      resumes: 7,
      timeoutMs: 4321,
      expiresWallMs: 0,
    });
    const wrong: Credential[] = [
      { ...credentials.resume, secret: key },
      { ...credentials.resume, secret: NO_SECRET },
      { ...credentials.resume, id: new Uint8Array(16) },
    ];
    for (const credential of wrong) {
      const refusal = check(servers.open).judge(shown(credential));
      const text = 'too late, used before, or left: connect anew';
      expect(refusal).toEqual({ reason: 'resume-invalid', text });
    }
  });
});

describe('a connect token', () => {
  test('brings what its backend wrote into it', () => {
    const credential = tokenOf(9, identity.publicKey, { timeoutMs: 1234 });
    expect(check(servers.token).judge(shown(credential))).toEqual({
      secret: credential.secret,
      resumes: 0,
      user: { id: 'user-9', data: Uint8Array.of(9) },
      tokenId: new Uint8Array(16).fill(9),
      timeoutMs: 1234,
      expiresWallMs: WALL_MS + 61_000,
    });
    expect(check(servers.token).judge(shown(credentials.token))).toMatchObject({
      timeoutMs: undefined,
    });
  });

  test('of another backend, or one that is none, or without its secret, is invalid, in the same words', () => {
    const { sealed, secret } = credentials.token;
    const damaged = sealed.slice();
    damaged[60]! ^= 1;
    const other = tokenOf(1, identity.publicKey, {}, new Uint8Array(32));
    const wrong: Credential[] = [
      other,
      { way: Way.token, secret, sealed: damaged },
      { way: Way.token, secret, sealed: sealed.slice(1) },
      { way: Way.token, secret, sealed: new Uint8Array(0) },
      // Who has seen the token has not seen the secret.
      { way: Way.token, secret: key, sealed },
      { way: Way.token, secret: NO_SECRET, sealed },
    ];
    for (const credential of wrong) {
      const refusal = check(servers.token).judge(shown(credential));
      const text = 'damaged, or not sealed for this server';
      expect(refusal).toEqual({ reason: 'token-invalid', text });
    }
  });

  test('for another server, game or version is refused, and its client told which', () => {
    const other = createKeyPair(crypto).publicKey;
    const wrong = [
      tokenOf(1, other),
      tokenOf(1, identity.publicKey, { gameIdHash: 1 }),
      tokenOf(1, identity.publicKey, { wireVersion: 3 }),
    ];
    const texts = wrong.map((credential) => {
      const answer = check(servers.token).judge(shown(credential));
      expect(answer).toMatchObject({ reason: 'token-invalid' });
      return 'text' in answer ? answer.text : '';
    });
    expect(texts[0]).toContain('identity');
    expect(texts[1]).toContain('game');
    expect(texts[2]).toContain('version');
  });

  test('is good until it expires, and from the start of the server on', () => {
    const { token } = credentials;
    expect(judged(servers.token, token, 60_999)).toBe('in');
    expect(judged(servers.token, token, 61_000)).toBe('token-expired');
    const before = tokenOf(1, identity.publicKey, { issuedAtMs: WALL_MS - 1 });
    const atStart = tokenOf(1, identity.publicKey, { issuedAtMs: WALL_MS });
    expect(judged(servers.token, before)).toBe('token-expired');
    expect(judged(servers.token, atStart)).toBe('in');
    // Where a shared store remembers, the start of this server means nothing.
    const shared: Access = { way: 'token', key: TOKEN_KEY, consume() {} };
    expect(judged(shared, before)).toBe('in');
  });

  test('may live an hour, or as long as the server says', () => {
    const lives = (ms: number) =>
      tokenOf(1, identity.publicKey, { expiresAtMs: WALL_MS + 1000 + ms });
    expect(judged(servers.token, lives(3_600_000))).toBe('in');
    expect(judged(servers.token, lives(3_600_001))).toBe('token-invalid');
    const short: Access = { way: 'token', key: TOKEN_KEY, maxLifetimeMs: 30_000 };
    expect(judged(short, lives(30_000))).toBe('in');
    expect(judged(short, lives(30_001))).toBe('token-invalid');
  });

  test('must name the server, where that says how it is named', () => {
    const named = (address: string): Access => ({ way: 'token', key: TOKEN_KEY, address });
    expect(judged(named('203.0.113.7:7777'), credentials.token)).toBe('in');
    expect(judged(named('203.0.113.7:7778'), credentials.token)).toBe('token-invalid');
  });
});

describe('what a server is given', () => {
  const refused = (access: Access, text: string) =>
    expect(() => check(access)).toThrow(
      expect.objectContaining({ code: 'option-invalid', message: expect.stringContaining(text) }),
    );

  test('must be keys: another length, or all zeros, is none', () => {
    for (const way of ['key', 'token'] as const) {
      refused({ way, key: new Uint8Array(31) }, 'the key of access has 31 bytes');
      refused({ way, key: new Uint8Array(32) }, 'the key of access is all zero');
    }
  });

  test('must be an address', () => {
    for (const address of ['203.0.113.7', '203.0.113.7:0', '::1:7777', '']) {
      refused({ way: 'token', key: TOKEN_KEY, address }, `the address of access is '${address}'`);
    }
  });

  test('must be a clock, where tokens are taken', () => {
    const host = (access: Access, wallClock?: () => number) =>
      new ConnectionHost({
        crypto,
        access,
        game: GAME,
        wallClock,
        addresses: new SimulatedAddressBook(),
        sink: { requested() {}, channels: () => [], opened() {}, closed() {} },
      });
    expect(() => host(servers.token)).toThrow(
      expect.objectContaining({
        code: 'option-invalid',
        message: expect.stringContaining('wallClock'),
      }),
    );
    expect(() => host(servers.token, () => WALL_MS)).not.toThrow();
    expect(() => host(servers.key)).not.toThrow();
    expect(() => host(servers.open)).not.toThrow();
  });
});

describe('the wall clock', () => {
  test('is read when asked, and never goes back', () => {
    const times = [50, 60, 40, 70];
    const wall = new WallClock(() => times.shift()!);
    expect(wall.startedMs).toBe(50);
    expect([wall.nowMs, wall.nowMs, wall.nowMs]).toEqual([60, 60, 70]);
    expect(wall.startedMs).toBe(50);
  });

  describe('of the system', () => {
    const system = { unixMs: WALL_MS, passedMs: 777 };
    const start = () => {
      Object.assign(system, { unixMs: WALL_MS, passedMs: 777 });
      return steadyClock(
        () => system.unixMs,
        () => system.passedMs,
      );
    };

    test('is read at the start; from then on it is the time that has passed', () => {
      const read = start();
      expect(read()).toBe(WALL_MS);
      system.passedMs += 60_000;
      for (const off of [60_000, 65_000, 0, -1e9]) {
        system.unixMs = WALL_MS + off;
        expect(read()).toBe(WALL_MS + 60_000);
      }
    });

    test('gives whole ms, so that a token of the same ms is not from before the start', () => {
      const read = start();
      system.passedMs += 0.9;
      expect(read()).toBe(WALL_MS);
      system.passedMs += 0.1;
      expect(read()).toBe(WALL_MS + 1);
    });

    test('moves on when the process was suspended: more than 5 s are missing', () => {
      const read = start();
      system.unixMs += 5001;
      expect(read()).toBe(WALL_MS + 5001);
      system.passedMs += 100;
      system.unixMs += 100;
      expect(read()).toBe(WALL_MS + 5101);
      system.unixMs += 3_600_000;
      expect(read()).toBe(WALL_MS + 5101 + 3_600_000);
      system.unixMs = WALL_MS;
      system.passedMs += 1;
      expect(read()).toBe(WALL_MS + 5102 + 3_600_000);
    });

    test('that lags behind in small steps is followed once they are more than 5 s together', () => {
      const read = start();
      for (let step = 1; step <= 5; step++) {
        system.unixMs += 1000;
        expect(read()).toBe(WALL_MS);
      }
      system.unixMs += 1;
      expect(read()).toBe(WALL_MS + 5001);
    });
  });
});
