// Strangers' datagrams, on parsers and on both sides' states. `npm run fuzz -- --target handshake --seed N --seconds S`
// runs this file for as long as it is told to; `npm test` runs a fixed number of seeds. A failure names its seed and the
// command.

import { type Machine, Verdict } from '@tickwire/protocol';
import type { ConnectionHost } from '@tickwire/server/core';
import { expect, test } from 'vitest';
import { HandshakeFuzz } from './handshake-fuzz.ts';
import { ParserFuzz } from './parser-fuzz.ts';

const QUICK_CASES = 60;
const firstSeed = Number(process.env.TICKWIRE_FUZZ_SEED ?? 1);
const seconds = Number(process.env.TICKWIRE_FUZZ_SECONDS ?? 0);

/** Runs case after case: until half of the time is over, when there is one. Returns how many. */
function runCases(name: string, run: (seed: number) => void): number {
  const untilMs = performance.now() + seconds * 500;
  let cases = 0;
  while (seconds > 0 ? performance.now() < untilMs : cases < QUICK_CASES) {
    const seed = firstSeed + cases++;
    try {
      run(seed);
    } catch (error) {
      const replay = `npm run fuzz -- --target handshake --seed ${seed} --seconds 1`;
      throw new Error(`${name}, seed ${seed}: ${(error as Error).message}\nreplay: ${replay}`, {
        cause: error,
      });
    }
  }
  if (seconds > 0) console.log(`${name}: ${cases} cases from seed ${firstSeed}`);
  return cases;
}

const timeoutMs = (seconds + 60) * 1000;

test(
  'states: no throw, no place for strangers, no answer longer than its question',
  () => {
    const total = { mutated: 0, replayed: 0, joined: 0 };
    const cases = runCases('states', (seed) => {
      const { mutated, replayed, joined } = new HandshakeFuzz(seed).run();
      total.mutated += mutated;
      total.replayed += replayed;
      total.joined += joined;
    });
    // What is mutated was real, and every case lets somebody in.
    expect(total.joined).toBeGreaterThan(cases);
    expect(total.mutated).toBeGreaterThan(20 * cases);
    expect(total.replayed).toBeGreaterThan(10 * cases);
  },
  timeoutMs,
);

test(
  'parsers: no throw, nothing beyond its bounds',
  () => {
    const read = new Set<string>();
    runCases('parsers', (seed) => {
      const fuzz = new ParserFuzz(seed);
      fuzz.run();
      for (const what of fuzz.read.keys()) read.add(what);
    });
    // Each parser was gone through to its end.
    const all = [
      'accept',
      'challenge',
      'connect token',
      'credential',
      'proof',
      'refusal',
      'request',
    ];
    expect([...read].sort()).toEqual([...all, 'token']);
  },
  timeoutMs,
);

/** The host, with a hand of its own in `receive`. */
function planted(host: ConnectionHost, receive: Machine['receive']): Machine {
  return {
    receive,
    advance: (nowMs) => host.advance(nowMs),
    poll: (nowMs, out, start, to) => host.poll(nowMs, out, start, to),
    wakeAt: () => host.wakeAt(),
  };
}

test.each<[string, (host: ConnectionHost) => Machine, RegExp]>([
  [
    'a throw',
    (host) =>
      planted(host, (nowMs, bytes, start, end, from) => {
        if (end - start > 100 && end - start < 200) throw new RangeError('out of range');
        return host.receive(nowMs, bytes, start, end, from);
      }),
    /out of range/,
  ],
  [
    'a datagram that is not counted',
    (host) =>
      planted(host, (nowMs, bytes, start, end, from) =>
        end - start < 20 ? Verdict.malformed : host.receive(nowMs, bytes, start, end, from),
      ),
    /verdicts on/,
  ],
  [
    'an address that is believed',
    // Whoever sends a proof is told to be the client that asked for its cookie.
    (host) =>
      planted(host, (nowMs, bytes, start, end, from) =>
        host.receive(nowMs, bytes, start, end, from >= 100 && from < 200 ? 10 : from),
      ),
    /not proven|unasked|more than came/,
  ],
])('%s is noticed', (_name, wrap, problem) => {
  const run = () => {
    for (let seed = 1; seed < 60; seed++) new HandshakeFuzz(seed, wrap).run();
  };
  expect(run).toThrow(problem);
});
