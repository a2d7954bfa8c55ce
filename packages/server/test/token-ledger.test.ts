import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LEDGER_TOKENS_MAX, TokenLedger } from '../src/token-ledger.ts';

const EXPIRES = 60_000;

/** The id of token `number`; numbers that differ in one byte are different tokens. */
function id(number: number): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(12, number);
  return bytes;
}

describe('TokenLedger', () => {
  test('a token lets in once', () => {
    const ledger = new TokenLedger();
    expect(ledger.claim(id(1), 7, EXPIRES, 0)).toBe('fresh');
    expect(ledger.holderOf(id(1))).toBe(7);
    expect(ledger.consume(id(1), 7)).toBe(true);
    expect(ledger.claim(id(1), 7, EXPIRES, 1)).toBe('used');
    expect(ledger.claim(id(1), 8, EXPIRES, 1)).toBe('used');
    expect(ledger.consume(id(1), 7)).toBe(false);
    ledger.release(id(1), 7);
    expect(ledger.claim(id(1), 7, EXPIRES, 2)).toBe('used');
    expect(ledger.holderOf(id(1))).toBe(-1);
    expect(ledger.size).toBe(1);
  });

  test('the same attempt may ask again', () => {
    const ledger = new TokenLedger();
    expect(ledger.claim(id(1), 7, EXPIRES, 0)).toBe('fresh');
    expect(ledger.claim(id(1), 7, EXPIRES, 1)).toBe('fresh');
    expect(ledger.size).toBe(1);
    expect(ledger.consume(id(1), 7)).toBe(true);
  });

  test('after an attempt that died the token is as new', () => {
    const ledger = new TokenLedger();
    ledger.claim(id(1), 7, EXPIRES, 0);
    ledger.release(id(1), 7);
    expect(ledger.size).toBe(0);
    expect(ledger.consume(id(1), 7)).toBe(false);
    expect(ledger.claim(id(1), 8, EXPIRES, 1)).toBe('fresh');
  });

  test('who starts over takes the place, and the older attempt can neither consume nor release', () => {
    const ledger = new TokenLedger();
    ledger.claim(id(1), 7, EXPIRES, 0);
    expect(ledger.claim(id(1), 8, EXPIRES, 1)).toBe('fresh');
    expect(ledger.consume(id(1), 7)).toBe(false);
    ledger.release(id(1), 7);
    expect(ledger.holderOf(id(1))).toBe(8);
    expect(ledger.consume(id(1), 8)).toBe(true);
    expect(ledger.consume(id(1), 7)).toBe(false);
  });

  test('every byte of the id counts', () => {
    const ledger = new TokenLedger();
    for (let bit = 0; bit < 128; bit++) {
      const one = new Uint8Array(16);
      one[bit >> 3] = 1 << (bit & 7);
      expect(ledger.claim(one, bit, EXPIRES, 0)).toBe('fresh');
    }
    expect(ledger.claim(new Uint8Array(16), 0, EXPIRES, 0)).toBe('fresh');
    expect(ledger.size).toBe(129);
  });

  test('an id that is written over afterwards changes nothing', () => {
    const ledger = new TokenLedger();
    const reused = id(1);
    ledger.claim(reused, 7, EXPIRES, 0);
    reused.fill(9);
    expect(ledger.consume(id(1), 7)).toBe(true);
  });
});

describe('a shared store', () => {
  test('is asked once; whoever has the token when it says yes goes on', () => {
    const ledger = new TokenLedger();
    expect(ledger.claim(id(1), 7, EXPIRES, 0)).toBe('fresh');
    ledger.ask(id(1));
    expect(ledger.claim(id(1), 8, EXPIRES, 1)).toBe('asked');
    expect(ledger.answer(id(1), true)).toBe(8);
    expect(ledger.consume(id(1), 8)).toBe(true);
    expect(ledger.claim(id(1), 9, EXPIRES, 2)).toBe('used');
  });

  test('has not to be asked again for an attempt after one that died', () => {
    const ledger = new TokenLedger();
    ledger.claim(id(1), 7, EXPIRES, 0);
    ledger.ask(id(1));
    ledger.release(id(1), 7);
    expect(ledger.answer(id(1), true)).toBe(-1);
    expect(ledger.claim(id(1), 8, EXPIRES, 1)).toBe('granted');
    ledger.release(id(1), 8);
    expect(ledger.claim(id(1), 9, EXPIRES, 1)).toBe('granted');
    expect(ledger.consume(id(1), 9)).toBe(true);
    expect(ledger.claim(id(1), 9, EXPIRES, 1)).toBe('used');
  });

  test('says no: used, for everybody', () => {
    const ledger = new TokenLedger();
    ledger.claim(id(1), 7, EXPIRES, 0);
    ledger.ask(id(1));
    expect(ledger.answer(id(1), false)).toBe(7);
    ledger.release(id(1), 7);
    expect(ledger.claim(id(1), 8, EXPIRES, 1)).toBe('used');
    expect(ledger.answer(id(1), true)).toBe(-1);
    expect(ledger.claim(id(1), 8, EXPIRES, 1)).toBe('used');
  });

  test('fails: the next attempt asks again', () => {
    const ledger = new TokenLedger();
    ledger.claim(id(1), 7, EXPIRES, 0);
    ledger.ask(id(1));
    expect(ledger.answer(id(1), undefined)).toBe(7);
    ledger.release(id(1), 7);
    expect(ledger.size).toBe(0);
    expect(ledger.claim(id(1), 8, EXPIRES, 1)).toBe('fresh');
    ledger.ask(id(1));
    ledger.release(id(1), 8);
    expect(ledger.answer(id(1), undefined)).toBe(-1);
    expect(ledger.size).toBe(0);
  });

  test('answers nobody asked for mean nothing', () => {
    const ledger = new TokenLedger();
    expect(ledger.answer(id(1), true)).toBe(-1);
    ledger.ask(id(1));
    ledger.claim(id(1), 7, EXPIRES, 0);
    expect(ledger.answer(id(1), false)).toBe(-1);
    expect(ledger.claim(id(1), 7, EXPIRES, 0)).toBe('fresh');
  });
});

describe('bounds of the ledger', () => {
  test('holds 8192 and refuses the next, whatever the states; never evicts', () => {
    const ledger = new TokenLedger();
    for (let i = 0; i < LEDGER_TOKENS_MAX; i++) {
      expect(ledger.claim(id(i), i, EXPIRES, 0)).toBe('fresh');
      if (i % 2 === 0) expect(ledger.consume(id(i), i)).toBe(true);
    }
    expect(ledger.claim(id(8192), 1, EXPIRES, EXPIRES - 1)).toBe('full');
    expect(ledger.size).toBe(8192);
    expect(ledger.claim(id(8191), 9, EXPIRES, EXPIRES - 1)).toBe('fresh');
    expect(ledger.claim(id(0), 9, EXPIRES, EXPIRES - 1)).toBe('used');
    expect(ledger.consume(id(8192), 1)).toBe(false);
  });

  test('what has expired makes room, unless an attempt still has it', () => {
    const ledger = new TokenLedger(3);
    for (let i = 0; i < 3; i++) ledger.claim(id(i), i, EXPIRES + i, 0);
    ledger.consume(id(0), 0);
    ledger.consume(id(1), 1);
    expect(ledger.claim(id(3), 3, 2 * EXPIRES, EXPIRES - 1)).toBe('full');
    expect(ledger.claim(id(3), 3, 2 * EXPIRES, EXPIRES)).toBe('fresh');
    expect(ledger.claim(id(4), 4, 2 * EXPIRES, EXPIRES)).toBe('full');
    expect(ledger.claim(id(4), 4, 2 * EXPIRES, EXPIRES + 1)).toBe('fresh');
    expect(ledger.claim(id(5), 5, 2 * EXPIRES, EXPIRES + 9)).toBe('full');
    // The place was given in time; its first packet may come a moment later.
    expect(ledger.consume(id(2), 2)).toBe(true);
    expect(ledger.claim(id(5), 5, 2 * EXPIRES, EXPIRES + 9)).toBe('fresh');
  });

  test('a granted token that nobody came back for makes room too', () => {
    const ledger = new TokenLedger(1);
    ledger.claim(id(1), 1, EXPIRES, 0);
    ledger.ask(id(1));
    ledger.answer(id(1), true);
    ledger.release(id(1), 1);
    expect(ledger.claim(id(2), 2, 2 * EXPIRES, EXPIRES - 1)).toBe('full');
    expect(ledger.claim(id(2), 2, 2 * EXPIRES, EXPIRES)).toBe('fresh');
  });

  test('a clock that goes back brings no used token to life', () => {
    const ledger = new TokenLedger(1);
    ledger.claim(id(1), 1, EXPIRES, 0);
    ledger.consume(id(1), 1);
    expect(ledger.claim(id(2), 2, 2 * EXPIRES, EXPIRES)).toBe('fresh');
    ledger.release(id(2), 2);
    expect(ledger.claim(id(1), 1, EXPIRES, EXPIRES - 5_000)).toBe('used');
    expect(ledger.claim(id(3), 1, EXPIRES + 1, EXPIRES - 5_000)).toBe('fresh');
  });
});

/** The same by the simplest means: all that ever happened, nothing forgotten. */
class Model {
  readonly claims = new Map<number, number>();
  readonly used = new Set<number>();
  readonly answers = new Map<number, 'asked' | 'granted'>();
}

type Step = { what: string; token: number; slot: number; passMs: number };

function run(steps: readonly Step[], capacity: number): void {
  const ledger = new TokenLedger(capacity);
  const model = new Model();
  let nowMs = 0;
  for (const { what, token, slot, passMs } of steps) {
    nowMs += passMs;
    play(ledger, model, what, token, slot, nowMs);
    expect(ledger.size).toBeLessThanOrEqual(capacity);
  }
}

function play(
  ledger: TokenLedger,
  model: Model,
  what: string,
  token: number,
  slot: number,
  nowMs: number,
): void {
  const holds = model.claims.get(token) === slot;
  // Token 5 expires at 500, and so on: whoever judges tokens lets none through after that.
  const expiresMs = token * 100;
  if (what === 'claim' && nowMs < expiresMs) {
    const claim = ledger.claim(id(token), slot, expiresMs, nowMs);
    const known = model.claims.has(token) || model.answers.has(token);
    if (model.used.has(token)) expect(claim).toBe('used');
    else if (known || claim !== 'full') {
      expect(claim).toBe(model.answers.get(token) ?? 'fresh');
      model.claims.set(token, slot);
    }
    // What is forgotten while it is good could be used twice.
    if (claim === 'full') expect(known || model.used.has(token)).toBe(false);
  } else if (what === 'release') {
    ledger.release(id(token), slot);
    if (holds) model.claims.delete(token);
  } else if (what === 'consume') {
    expect(ledger.consume(id(token), slot)).toBe(holds);
    if (!holds) return;
    model.claims.delete(token);
    model.used.add(token);
  } else if (what === 'ask' && model.claims.has(token)) {
    ledger.ask(id(token));
    if (!model.answers.has(token)) model.answers.set(token, 'asked');
  } else if (model.answers.get(token) === 'asked' && /^(yes|no|failed)$/.test(what)) {
    answer(ledger, model, what, token);
  }
}

function answer(ledger: TokenLedger, model: Model, what: string, token: number): void {
  const waits = ledger.answer(id(token), what === 'failed' ? undefined : what === 'yes');
  // An expired token that nobody waits for may be forgotten, or not.
  expect(waits).toBe(model.used.has(token) ? -1 : (model.claims.get(token) ?? -1));
  model.answers.delete(token);
  if (what === 'yes') model.answers.set(token, 'granted');
  if (what !== 'no') return;
  model.claims.delete(token);
  model.used.add(token);
}

describe('the ledger and a model that forgets nothing', () => {
  const step = fc.record({
    what: fc.constantFrom(
      'claim',
      'claim',
      'claim',
      'release',
      'consume',
      'ask',
      'yes',
      'no',
      'failed',
    ),
    token: fc.integer({ min: 1, max: 8 }),
    slot: fc.nat(3),
    passMs: fc.constantFrom(0, 0, 0, 7, 60),
  });

  test.each([1, 3, 8])('agree, with room for %i', (capacity) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => run(steps, capacity)),
      { numRuns: 1500 },
    );
  });
});
