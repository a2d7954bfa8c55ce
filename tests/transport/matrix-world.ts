// One place of the delivery matrix: every delivery kind over one network, with messages from one byte to the longest
// that may be sent, and what each kind promises checked byte by byte.

import type { LinkOptions } from '@tickwire/netsim';
import { Prng } from '@tickwire/netsim';
import type { Channel } from '../../packages/protocol/src/transport/channel.ts';
import { createMessageChannel } from '../../packages/protocol/src/transport/delivery.ts';
import type {
  MessageChannel,
  MessageChannelStatistics,
} from '../../packages/protocol/src/transport/message-channel.ts';
import { ReliableLatestChannel } from '../../packages/protocol/src/transport/reliable-latest.ts';
import {
  type ChannelOptions,
  FRAGMENT_BYTES,
  resolveChannel,
} from '../../packages/protocol/src/wire/channel-options.ts';
import { ConnectionPair } from '../../packages/protocol/test/connection-pair.ts';

/** A place in the matrix. */
export interface Place {
  readonly loss: number;
  /** One way. */
  readonly delayMs: number;
  readonly reorder: number;
  readonly burst: boolean;
}

const TICK_MS = 16;
const TALK_TICKS = 160;
/** So long everything may take to arrive after the last word. */
const SETTLE_TICKS = 6000;
const COMPLAINTS_MAX = 8;
/** Held there, so that how the rate is found is not what is tested here. */
const BYTES_PER_SECOND = 600_000;
const TTL_MS = 120;
const KEYS = 24;

const small = [1, 2, 3, 17, 40, 40, 40, 120, 250, 700];
const cut = [FRAGMENT_BYTES - 1, FRAGMENT_BYTES, FRAGMENT_BYTES + 1, 2 * FRAGMENT_BYTES, 5000];

/** Bytes that differ from message to message and from place to place. */
function bodyOf(number: number, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (let i = 0; i < sizeBytes; i++) bytes[i] = (number >> (8 * (i & 1))) + i * 7 + (i >> 8);
  return bytes;
}

function keyOf(bytes: Uint8Array, start: number, end: number): string {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return `${end - start}:${hash >>> 0}`;
}

function below(random: Prng, limit: number): number {
  return random.u32() % limit;
}

/** One channel of the run, both halves of it. */
interface Lane {
  readonly name: string;
  readonly sender: Channel;
  readonly receiver: Channel;
  /** Something has not been said, or has no ack. */
  readonly busy: boolean;
  talk(tick: number): void;
  /** What was offered and did not fit is offered again. */
  insist(): void;
  /** What is wrong when everything has come to rest. */
  check(place: Place): string[];
}

/** A channel of messages, and everything that was sent and delivered on it. */
class MessageLane implements Lane {
  readonly name: string;
  readonly sender: MessageChannel;
  readonly receiver: MessageChannel;
  readonly #options: ChannelOptions;
  readonly #random: Prng;
  readonly #sizes: number[];
  readonly #sent: string[] = [];
  readonly #got: string[] = [];
  #offered = 0;
  /** What is offered now. */
  #body: Uint8Array | undefined;

  constructor(name: string, options: ChannelOptions, random: Prng) {
    this.name = name;
    this.#options = options;
    this.#random = random;
    const limits = resolveChannel(options);
    // Each size once, the longest in between, then small ones for as long as there is talk.
    const limit = limits.messageBytes;
    this.#sizes = [...small, ...cut, limit, ...small, limit - 1, ...cut];
    this.sender = createMessageChannel(limits, () => {});
    this.receiver = createMessageChannel(limits, (bytes, start, end) => {
      this.#got.push(keyOf(bytes, start, end));
    });
  }

  get busy(): boolean {
    return this.sender.statistics.queued > 0 || this.#body !== undefined;
  }

  talk(tick: number): void {
    this.#offer(this.#sizes[this.#offered] ?? small[below(this.#random, small.length)]!);
    // Now and then a heap at once, more than leaves within the time to live.
    if (tick % 50 === 49) for (let n = 0; n < 20; n++) this.#offer(1 + below(this.#random, 4000));
  }

  insist(): void {
    if (this.#body !== undefined) this.#offer(0);
  }

  check(place: Place): string[] {
    const reliable = this.#options.kind.startsWith('reliable');
    const ordered =
      this.#options.kind.endsWith('ordered') && !this.#options.kind.endsWith('unordered');
    const sequenced = ordered || this.#options.kind.endsWith('sequenced');
    const complaints = sequenced ? this.#misplaced() : this.#surplus();
    complaints.push(...(reliable ? this.#lacking(place) : this.#unaccounted(place)));
    const { delivered } = this.receiver.statistics;
    if (delivered !== this.#got.length) complaints.push(`counts ${delivered} delivered`);
    return complaints;
  }

  /** What does not fit now is offered again, first of all. */
  #offer(sizeBytes: number): void {
    this.#body ??= bodyOf(this.#offered, sizeBytes);
    const body = this.#body;
    if (this.sender.send(body, 0, body.length) !== 'queued') return;
    this.#offered++;
    this.#body = undefined;
    this.#sent.push(keyOf(body, 0, body.length));
  }

  /** Whether what came is what was sent with some left out, in the same order. */
  #misplaced(): string[] {
    let at = 0;
    for (const [n, key] of this.#got.entries()) {
      while (at < this.#sent.length && this.#sent[at] !== key) at++;
      if (at++ === this.#sent.length)
        return [`number ${n} (${key}) is damaged, double or too late`];
    }
    return [];
  }

  /** Whether anything came that was not sent, or more often than it was. */
  #surplus(): string[] {
    const left = new Map<string, number>();
    for (const key of this.#sent) left.set(key, (left.get(key) ?? 0) + 1);
    for (const key of this.#got) {
      const count = left.get(key) ?? 0;
      if (count === 0) return [`${key} is damaged or double`];
      left.set(key, count - 1);
    }
    return [];
  }

  /** Reliable: everything arrives that did not expire before its first packet. */
  #lacking(place: Place): string[] {
    const out = this.sender.statistics;
    const complaints = this.#balance(out);
    if (out.queued !== 0) complaints.push(`${out.queued} of ${out.sent} are still queued`);
    if (this.#got.length + out.expired !== out.sent) {
      complaints.push(`${this.#got.length} came and ${out.expired} expired of ${out.sent}`);
    }
    if (this.receiver.statistics.heldBytes !== 0) complaints.push('bytes are held for ever');
    const calm = isPerfect(place);
    if (calm && out.resent > 0) complaints.push(`${out.resent} said again without need`);
    return complaints;
  }

  /** Unreliable: what came, was overtaken or expired is never more than was sent, and all of it where nothing is lost. */
  #unaccounted(place: Place): string[] {
    const out = this.sender.statistics;
    const into = this.receiver.statistics;
    const complaints = this.#balance(out);
    const lost = out.sent - out.expired - out.queued - into.delivered - into.overtaken;
    if (lost < 0) complaints.push(`${-lost} too many of ${out.sent}`);
    if (out.resent > 0) complaints.push('unreliable, and said again');
    if (place.loss === 0 && !place.burst && lost !== 0)
      complaints.push(`${lost} lost of ${out.sent}`);
    if (into.delivered === 0) complaints.push('nothing came');
    return complaints;
  }

  #balance(out: Readonly<MessageChannelStatistics>): string[] {
    return out.sent === this.#sent.length
      ? []
      : [`counts ${out.sent} of ${this.#sent.length} sent`];
  }
}

/** Values under keys. */
class LatestLane implements Lane {
  readonly name = 'reliable-latest';
  readonly sender: ReliableLatestChannel;
  readonly receiver: ReliableLatestChannel;
  readonly #random: Prng;
  /** By key: what was said of it in order, undefined = deleted; and which of it came last. */
  readonly #said: (string | undefined)[][] = Array.from({ length: KEYS }, () => [undefined]);
  readonly #at = new Array<number>(KEYS).fill(0);
  readonly #wrong: string[] = [];

  constructor(random: Prng) {
    this.#random = random;
    const limits = resolveChannel({ kind: 'reliable-latest', keys: KEYS });
    this.sender = new ReliableLatestChannel(limits, { set() {}, deleted() {} });
    this.receiver = new ReliableLatestChannel(limits, {
      set: (key, bytes, start, end) => this.#came(key, keyOf(bytes, start, end)),
      deleted: (key) => this.#came(key, undefined),
    });
  }

  get busy(): boolean {
    return this.sender.statistics.queued > 0;
  }

  talk(tick: number): void {
    for (let n = 0; n < 3; n++) {
      const key = below(this.#random, KEYS);
      if (below(this.#random, 10) === 0) {
        if (this.#said[key]!.at(-1) === undefined) continue;
        this.sender.delete(key);
        this.#said[key]!.push(undefined);
        continue;
      }
      const sizes = [1, 2, 8, 30, 30, 300, FRAGMENT_BYTES - 1, FRAGMENT_BYTES];
      // A number of its own in front, or a value could come back and pass for the older one.
      const size = Math.max(4, sizes[below(this.#random, sizes.length)]!);
      const body = bodyOf(tick * 4 + n, size);
      if (this.sender.set(key, body, 0, size) === 'queued') {
        this.#said[key]!.push(keyOf(body, 0, size));
      }
    }
  }

  insist(): void {}

  check(): string[] {
    const complaints = [...this.#wrong];
    for (let key = 0; key < KEYS; key++) {
      const last = this.#said[key]!.length - 1;
      if (this.#said[key]![this.#at[key]!] !== this.#said[key]![last]) {
        complaints.push(`key ${key} stays at value ${this.#at[key]} of ${last}`);
      }
    }
    if (this.busy) complaints.push('values are still queued');
    return complaints;
  }

  #came(key: number, value: string | undefined): void {
    const next = this.#said[key]!.indexOf(value, this.#at[key]! + 1);
    if (next < 0) this.#wrong.push(`key ${key} went back, or its value ${value} is damaged`);
    else this.#at[key] = next;
  }
}

function isPerfect(place: Place): boolean {
  return place.loss === 0 && !place.burst && place.reorder === 0;
}

function linkOf({ loss, delayMs, reorder, burst }: Place): LinkOptions {
  const duplicate = reorder > 0 ? 0.05 : 0;
  const options = { latencyMs: delayMs, loss, reorder, duplicate };
  return burst ? { ...options, burstLoss: { enter: 0.01, leave: 0.2 } } : options;
}

function lanesOf(random: Prng): Lane[] {
  const lane = (name: string, options: ChannelOptions) =>
    new MessageLane(name, options, random.fork(name));
  return [
    lane('unreliable', { kind: 'unreliable', ttlMs: TTL_MS }),
    lane('unreliable-sequenced', { kind: 'unreliable-sequenced', ttlMs: TTL_MS }),
    lane('reliable-unordered', { kind: 'reliable-unordered' }),
    lane('reliable-ordered', { kind: 'reliable-ordered' }),
    lane('reliable-ordered that expires', {
      kind: 'reliable-ordered',
      ttlMs: TTL_MS,
      messageBytes: 20_000,
    }),
    new LatestLane(random.fork('latest')),
  ];
}

/** What a run came to. */
export interface Outcome {
  readonly complaints: readonly string[];
  readonly expired: number;
  readonly overtaken: number;
}

/** Runs every kind in one place of the matrix. */
export function runPlace(place: Place, seed: number): Outcome {
  const lanes = lanesOf(new Prng(seed));
  const link = linkOf(place);
  const rate = {
    initialBytesPerSecond: BYTES_PER_SECOND,
    minBytesPerSecond: BYTES_PER_SECOND,
    maxBytesPerSecond: BYTES_PER_SECOND,
  };
  const plans = (half: 'sender' | 'receiver') =>
    lanes.map((lane, id) => ({ id, channel: lane[half] }));
  const pair = new ConnectionPair(
    { channels: plans('sender'), link, rate },
    { channels: plans('receiver'), link, rate },
    seed,
    TICK_MS,
  );
  pair.run(TALK_TICKS, (tick) => {
    for (const lane of lanes) lane.talk(tick);
  });
  pair.run(
    SETTLE_TICKS,
    () => {
      for (const lane of lanes) lane.insist();
    },
    () => lanes.every((lane) => !lane.busy),
  );
  // What is still on its way lands.
  pair.run(Math.ceil((place.delayMs + 100) / TICK_MS) + 2);
  const complaints = lanes.flatMap((lane) =>
    lane.check(place).map((text) => `${lane.name}: ${text}`),
  );
  if (pair.a.closed.length + pair.b.closed.length > 0) complaints.push('the connection ended');
  let [expired, overtaken] = [0, 0];
  for (const lane of lanes) {
    if (!(lane instanceof MessageLane)) continue;
    expired += lane.sender.statistics.expired;
    overtaken += lane.receiver.statistics.overtaken;
  }
  return { complaints: complaints.slice(0, COMPLAINTS_MAX), expired, overtaken };
}
