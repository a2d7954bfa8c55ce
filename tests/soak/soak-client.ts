// A client of the soak as one machine that lives many lives: it connects, talks in spells with idle gaps between
// them, leaves (in good order, or by falling silent for good) and connects again.

import { MessageClient } from '@tickwire/client-node/core';
import { Prng, simulatedCrypto } from '@tickwire/netsim';
import type { Destination, Machine, RateOptions } from '@tickwire/protocol';
import { LARGEST, pattern, type SoakMessages, soakMessages } from './soak-messages.ts';

/** How a client behaves. */
export interface Manner {
  /** Ms from one round of messages to the next, in a spell. */
  readonly roundMs: number;
  /** A life's length in ms, give or take half of it; Infinity = it stays. */
  readonly lifeMs: number;
  /** A spell and the gap after it last up to so long. */
  readonly spellMs: number;
  readonly gapMs: number;
  readonly flushMs: number;
  readonly rate?: RateOptions;
}

const SCORE_KEYS = 8;
const NOTE_BYTES = 60;
const LINE_BYTES = 40;
/** One line in so many has up to LARGEST bytes. */
const LARGE_EVERY = 200;
/** Out of touch for so long after falling silent: the server has given the old connection up. */
const DEAD_MS = 12_000;
const LEAVE_MS = 60_000;

/** See the head of the file. */
export class SoakClient implements Machine {
  readonly name: number;
  lives = 0;
  /** Packets of the present life, and the most that any had. */
  packetsMax = 0;
  /** Lives that could not even begin, at this much loss. */
  unreachable = 0;
  /** What it has said in its present life. */
  lines = 0;
  notes = 0;
  readonly #manner: Manner;
  readonly #random: Prng;
  readonly #seed: number;
  #poses = 0;
  #hints = 0;
  #client: MessageClient<SoakMessages>;
  #nextRoundMs: number;
  #gapAtMs: number;
  #endAtMs: number;
  /** The next life begins then; NaN = not decided yet. */
  #rebirthMs = Number.NaN;
  #mute = false;
  stopped = false;

  constructor(seed: number, name: number, manner: Manner, nowMs: number) {
    this.name = name;
    this.#manner = manner;
    this.#seed = seed;
    this.#random = new Prng(seed).fork(`soak client ${name}`);
    this.#client = this.#begin(nowMs);
    this.#nextRoundMs = nowMs;
    this.#gapAtMs = nowMs;
    this.#endAtMs = nowMs;
    this.#schedule(nowMs);
  }

  /** Bytes that wait, over all channels. */
  get queuedBytes(): number {
    const all = Object.values(this.#client.channels);
    return all.reduce((sum, { queuedBytes, heldBytes }) => sum + queuedBytes + heldBytes, 0);
  }

  /** Leaves in good order, for ever. */
  stop(nowMs: number): void {
    this.stopped = true;
    if (this.#mute) return;
    this.#bid(nowMs);
  }

  receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): number {
    return this.#mute ? 0 : this.#client.receive(nowMs, bytes, start, end, from);
  }

  advance(nowMs: number): void {
    if (!this.#mute) {
      this.#client.advance(nowMs);
      const packets = this.#client.statistics.connection?.packetsOut ?? 0;
      if (packets > this.packetsMax) this.packetsMax = packets;
    }
    if (this.stopped) return;
    if (nowMs >= this.#rebirthMs) this.#rebirth(nowMs);
    else if (this.#client.over || this.#client.ended !== undefined) this.#plan(nowMs + 100);
    else if (nowMs >= this.#endAtMs) this.#leave(nowMs);
    else if (nowMs >= this.#nextRoundMs) this.#speak(nowMs);
  }

  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    return this.#mute ? 0 : this.#client.poll(nowMs, out, start, to);
  }

  wakeAt(): number {
    const client = this.#mute ? Number.POSITIVE_INFINITY : this.#client.wakeAt();
    if (this.stopped) return client;
    if (!Number.isNaN(this.#rebirthMs)) return Math.min(client, this.#rebirthMs);
    return Math.min(client, this.#nextRoundMs, this.#endAtMs);
  }

  #begin(nowMs: number): MessageClient<SoakMessages> {
    this.lives++;
    this.lines = 0;
    this.notes = 0;
    this.#poses = 0;
    this.#hints = 0;
    const { flushMs, rate } = this.#manner;
    return new MessageClient(soakMessages, {
      crypto: simulatedCrypto(this.#seed ^ (this.name * 7919 + this.lives * 104_729)),
      server: 1,
      nowMs,
      flushMs,
      rate,
      connectTimeoutMs: 30_000,
    });
  }

  #schedule(nowMs: number): void {
    const { lifeMs, spellMs } = this.#manner;
    this.#nextRoundMs = nowMs;
    this.#gapAtMs = nowMs + this.#random.next() * spellMs;
    this.#endAtMs = nowMs + lifeMs * (0.5 + this.#random.next());
    this.#rebirthMs = Number.NaN;
    this.#mute = false;
  }

  #plan(atMs: number): void {
    if (!Number.isNaN(this.#rebirthMs)) return;
    if (this.#client.ended === 'unreachable') this.unreachable++;
    this.#rebirthMs = atMs;
  }

  #rebirth(nowMs: number): void {
    if (!this.#mute && !this.#client.over) {
      this.#rebirthMs = nowMs + 100;
      return;
    }
    this.#client = this.#begin(nowMs);
    this.#schedule(nowMs);
  }

  #leave(nowMs: number): void {
    this.#endAtMs = Number.POSITIVE_INFINITY;
    this.#nextRoundMs = Number.POSITIVE_INFINITY;
    this.#mute = this.#random.next() < 0.3;
    if (this.#mute) this.#plan(nowMs + DEAD_MS);
    else this.#bid(nowMs);
  }

  /** Closes, saying how many messages the other side must have had by then. */
  #bid(nowMs: number): void {
    this.#client.close(nowMs, `${this.lines} ${this.notes}`, { graceMs: LEAVE_MS });
  }

  #speak(nowMs: number): void {
    const { roundMs, spellMs, gapMs } = this.#manner;
    this.#nextRoundMs = nowMs + roundMs;
    if (nowMs >= this.#gapAtMs) {
      this.#nextRoundMs = nowMs + this.#random.next() * gapMs;
      this.#gapAtMs = this.#nextRoundMs + this.#random.next() * spellMs;
    }
    if (this.#client.connection?.open !== true) return;
    this.#sayLine();
    if (this.#chance(0.5)) this.#sayNote();
    if (this.#chance(0.5)) this.#client.send('pose', { n: this.#poses++, x: nowMs });
    if (this.#chance(0.05)) {
      const n = this.#hints++;
      this.#client.send('hint', { n, data: pattern(n, 3000 * this.#random.next()) });
    }
    if (this.#chance(0.1)) this.#sayScore();
  }

  #sayLine(): void {
    const large = this.lines > 0 && this.#chance(1 / LARGE_EVERY);
    const data = pattern(this.lines, large ? LARGEST * this.#random.next() : LINE_BYTES);
    if (this.#client.send('line', { n: this.lines, data }) === 'queued') this.lines++;
  }

  #sayNote(): void {
    const data = pattern(this.notes, NOTE_BYTES);
    if (this.#client.send('note', { n: this.notes, data }) === 'queued') this.notes++;
  }

  #sayScore(): void {
    const key = this.#random.u32() % SCORE_KEYS;
    if (this.#chance(0.2)) this.#client.forget('score', key);
    else this.#client.send('score', { key, n: this.#random.u32() >>> 1 });
  }

  #chance(share: number): boolean {
    return this.#random.next() < share;
  }
}
