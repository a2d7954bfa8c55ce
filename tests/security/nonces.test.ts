// No key and nonce come twice, whatever happens to whom. `NonceLife` says what happens, `NonceRecorder` what comes twice.
// `TICKWIRE_SECURITY_SEED=N` begins at another seed, `TICKWIRE_SECURITY_LIVES=N` runs so many.

import { Prng, simulatedCrypto } from '@tickwire/netsim';
import { type Crypto, TAG_BYTES } from '@tickwire/protocol';
import { loadCrypto } from '@tickwire/protocol/udp';
import { expect, test } from 'vitest';
import { reportWorlds } from '../worlds/report.ts';
import { type CryptoOf, emptyReport, NonceLife, type Role } from './nonce-life.ts';
import { NonceRecorder } from './nonce-recorder.ts';

const OPERATIONS = 40;
const firstSeed = Number(process.env.TICKWIRE_SECURITY_SEED ?? 1);
const livesGiven = Number(process.env.TICKWIRE_SECURITY_LIVES ?? 0);

/** Lives from the first seed on; each has a recorder of its own, since no two have a random number in common. */
function live(lives: number, cryptoOf: CryptoOf) {
  const report = emptyReport();
  const total = { seals: 0, keys: 0, repeats: [] as string[] };
  for (let seed = firstSeed; seed < firstSeed + lives; seed++) {
    const recorder = new NonceRecorder();
    const options = { seed, operations: OPERATIONS };
    const recorded = (own: number, role: Role) => recorder.wrap(cryptoOf(own, role));
    new NonceLife({ ...options, cryptoOf: recorded }, report).run();
    total.seals += recorder.seals;
    total.keys += recorder.keys;
    const command = `TICKWIRE_SECURITY_SEED=${seed} npx vitest run tests/security/nonces.test.ts`;
    total.repeats.push(...recorder.repeats.map((what) => `${what}; replay: ${command}`));
  }
  return { report, ...total };
}

/** Real cryptography, whose random numbers follow from a seed. */
async function sodiumOf(): Promise<(seed: number) => Crypto> {
  const sodium = await loadCrypto();
  return (seed) => {
    const random = new Prng(seed).fork('sodium');
    return sodium.withRandomBytes((out) => {
      for (let i = 0; i < out.length; i++) out[i] = random.u32();
    });
  };
}

test('no key and nonce come twice over crashes, restarts, used tokens and used places', () => {
  const lives = livesGiven || 200;
  const { report, seals, keys, repeats } = live(lives, simulatedCrypto);
  expect(repeats).toEqual([]);
  // It went through what it is here for.
  const seldom = Object.entries(report).filter(([, times]) => times < lives);
  expect(seldom).toEqual([]);
  expect(keys).toBeGreaterThan(50 * lives);
  expect(seals).toBeGreaterThan(100 * lives);
  reportWorlds('nonces', [firstSeed], lives);
});

test('nor with real cryptography', async () => {
  const lives = Math.ceil(livesGiven / 5) || 30;
  const { report, seals, repeats } = live(lives, await sodiumOf());
  expect(repeats).toEqual([]);
  expect(report.restarts).toBeGreaterThan(lives);
  expect(seals).toBeGreaterThan(100 * lives);
});

test('random numbers that repeat are noticed', () => {
  const { repeats } = live(20, () => simulatedCrypto(1));
  expect(repeats.length).toBeGreaterThan(10);
  expect(repeats[0]).toContain('TICKWIRE_SECURITY_SEED=');
  expect(repeats.some((what) => what.startsWith('the nonce of a token'))).toBe(true);
});

test('sealing the same bytes again is noticed, by whichever sealer of the key', () => {
  const recorder = new NonceRecorder();
  const [one, other] = [recorder.wrap(simulatedCrypto(1)), recorder.wrap(simulatedCrypto(2))];
  const key = new Uint8Array(32).fill(1);
  const packet = new Uint8Array(40 + TAG_BYTES);
  one.sealer(key).seal(packet, 0, 7, 40, 5);
  one.sealer(key.map((byte) => byte + 1)).seal(packet, 0, 7, 40, 5);
  one.sealer(key).seal(packet, 0, 7, 40, 6);
  expect(recorder.repeats).toEqual([]);
  other.sealer(key).seal(packet, 0, 7, 40, 5);
  expect(recorder.repeats.length).toBe(1);
  for (let n = 0; n < 2; n++) one.sealToken(key, new Uint8Array(24), packet, 0, 28, 40);
  expect(recorder.repeats.length).toBe(2);
});
