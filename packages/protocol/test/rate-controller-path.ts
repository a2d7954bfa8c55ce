// Senders under rate control behind one bottleneck, in virtual time: real windows and ack blocks, seeded links,
// and applications that always have more to say, or so much each tick.

import { type Delivery, Fate, InFlight, Link, type LinkOptions, Prng } from '@tickwire/netsim';
import { AckBlock, writeAckBlock } from '../src/transport/ack-block.ts';
import { RateController, type RateOptions } from '../src/transport/rate-controller.ts';
import { ReceivedWindow } from '../src/transport/received-window.ts';
import { SENT_WINDOW } from '../src/transport/sent-packets.ts';
import { SentWindow } from '../src/transport/sent-window.ts';
import { ByteReader, ByteWriter } from '../src/wire/bytes.ts';
import { Verdict } from '../src/wire/verdict.ts';

const FULL_BYTES = 1150;
const HEADER_BYTES = 28;
const MESSAGE_BYTES = 80;
const TICK_MS = 1000 / 60;
/** The longest that a peer holds an ack back. */
const ACK_DELAY_MS = 25;
/** What a policer lets pass at once, in ms of its rate. */
const POLICER_BURST_MS = 50;

export interface FlowOptions {
  readonly startMs?: number;
  /** Bytes that the application has to say each tick; default: always more than may leave. */
  readonly bytesPerTick?: number;
  /** A small message that goes first, so often. Default: never. */
  readonly messageEveryMs?: number;
  readonly rate?: RateOptions;
}

export interface PathOptions {
  readonly seed: number;
  readonly bottleneck: LinkOptions;
  /** The way from the bottleneck on, and the way back. */
  readonly ways: LinkOptions;
  /** Drops what exceeds this before the bottleneck, without a queue. */
  readonly policedKbps?: number;
  readonly flows: readonly FlowOptions[];
}

type Leave = (flow: Flow, bytes: Uint8Array, sizeBytes: number) => void;

/** A sender and its receiver. */
export class Flow {
  readonly rate: RateController;
  readonly window: SentWindow;
  readonly forward: Link;
  readonly back: Link;
  /** Bytes that passed the bottleneck, headers included. */
  passedBytes = 0;
  /** How long the small messages took, ms. */
  readonly messageDelaysMs: number[] = [];
  nextTickMs: number;
  nextPeerTickMs: number;
  readonly #options: FlowOptions;
  readonly #leave: Leave;
  readonly #received = new ReceivedWindow();
  readonly #block = new AckBlock();
  readonly #reader = new ByteReader();
  readonly #writer = new ByteWriter();
  readonly #out = new Uint8Array(FULL_BYTES);
  readonly #messageAtMs = new Float64Array(SENT_WINDOW).fill(-1);
  #nextMessageMs: number;
  #waitingBytes = 0;
  #keptAtMs = 0;
  #ackAtMs = Number.POSITIVE_INFINITY;

  constructor(options: FlowOptions, ways: LinkOptions, random: Prng, leave: Leave) {
    const startMs = options.startMs ?? 0;
    this.#options = options;
    this.#leave = leave;
    this.nextTickMs = startMs + random.next() * TICK_MS;
    this.nextPeerTickMs = startMs + random.next() * TICK_MS;
    this.#nextMessageMs = options.messageEveryMs === undefined ? Number.POSITIVE_INFINITY : startMs;
    this.rate = new RateController(startMs, options.rate);
    this.window = new SentWindow({ acked() {}, lost() {} }, this.rate);
    const store = () => new InFlight({ datagrams: 4096, datagramBytes: 64 });
    this.forward = new Link(ways, random.u32(), store());
    this.back = new Link(ways, random.u32(), store());
  }

  /** All that the rate allows leaves at once. */
  tick(nowMs: number): void {
    this.nextTickMs += TICK_MS;
    this.window.detectLosses(nowMs);
    this.#waitingBytes += this.#options.bytesPerTick ?? FULL_BYTES * SENT_WINDOW;
    let message = nowMs >= this.#nextMessageMs;
    if (message) this.#nextMessageMs += this.#options.messageEveryMs!;
    while ((this.#waitingBytes > 0 || message) && !this.window.full) {
      const credit = this.rate.credit(nowMs) > 0;
      // A message of higher priority goes into debt.
      if (!credit && !message) break;
      this.#send(nowMs, credit ? FULL_BYTES : MESSAGE_BYTES, message);
      message = false;
    }
    this.rate.flushed(nowMs, this.#waitingBytes > 0 && !this.window.full);
    if (this.#options.bytesPerTick === undefined) this.#waitingBytes = 0;
  }

  receive(nowMs: number, sequence: number): void {
    if (this.#received.check(sequence) !== Verdict.accepted) return;
    if (sequence > this.#received.newestKept) this.#keptAtMs = nowMs;
    const outOfOrder = this.#received.received(nowMs, sequence, true);
    this.#ackAtMs = Math.min(this.#ackAtMs, outOfOrder ? nowMs : nowMs + ACK_DELAY_MS);
    const messageAtMs = this.#messageAtMs[sequence % SENT_WINDOW]!;
    if (messageAtMs >= 0) this.messageDelaysMs.push(nowMs - messageAtMs);
  }

  peerTick(nowMs: number): void {
    this.nextPeerTickMs += TICK_MS;
    if (nowMs < this.#ackAtMs) return;
    this.#ackAtMs = Number.POSITIVE_INFINITY;
    this.#writer.reset(this.#out, 0, FULL_BYTES);
    writeAckBlock(this.#writer, this.#received, nowMs - this.#keptAtMs);
    this.back.send(nowMs, this.#out, 0, this.#writer.position, 0, 0);
  }

  hear(nowMs: number, { bytes, start, end }: Delivery): void {
    this.#reader.reset(bytes, start, end);
    const understood = this.#block.read(this.#reader) && this.window.receive(nowMs, this.#block);
    if (!understood) throw new Error('the ack block makes no sense');
  }

  #send(nowMs: number, most: number, message: boolean): void {
    const size = Math.min(most, this.#waitingBytes + (message ? MESSAGE_BYTES : 0));
    this.#waitingBytes -= message ? Math.max(0, size - MESSAGE_BYTES) : size;
    const sequence = this.window.next;
    this.window.sent(nowMs, size, 1, 0, true);
    this.#messageAtMs[sequence % SENT_WINDOW] = message ? nowMs : -1;
    new DataView(this.#out.buffer).setUint32(0, sequence);
    this.#leave(this, this.#out, size);
  }
}

/** Flows behind one bottleneck, and the clock. */
export class Path {
  readonly bottleneck: Link;
  readonly flows: readonly Flow[];
  nowMs = 0;
  /** While true, everything that is sent or arrives is lost. */
  dark = false;
  readonly #policedBytesPerMs: number;
  #tokens = 0;
  #tokensAtMs = 0;
  readonly #delivery: Delivery = { bytes: new Uint8Array(0), start: 0, end: 0, from: 0, to: 0 };

  constructor(options: PathOptions) {
    const random = new Prng(options.seed);
    this.bottleneck = new Link(options.bottleneck, random.u32(), new InFlight({ datagrams: 8192 }));
    this.#policedBytesPerMs = (options.policedKbps ?? Number.POSITIVE_INFINITY) / 8;
    const { ways } = options;
    this.flows = options.flows.map(
      (flow, i) =>
        new Flow(flow, ways, random.fork(`flow ${i}`), (from, bytes, size) =>
          this.#enter(from, bytes, size),
        ),
    );
  }

  run(untilMs: number): void {
    for (let nextMs = this.#wakeAt(); nextMs <= untilMs; nextMs = this.#wakeAt()) {
      this.nowMs = nextMs;
      this.#step(nextMs);
    }
    this.nowMs = untilMs;
  }

  #wakeAt(): number {
    let atMs = this.bottleneck.wakeAt();
    for (const flow of this.flows) {
      const linksMs = Math.min(flow.forward.wakeAt(), flow.back.wakeAt());
      const ticksMs = Math.min(flow.nextTickMs, flow.nextPeerTickMs);
      atMs = Math.min(atMs, linksMs, ticksMs, flow.window.wakeAt());
    }
    return Math.max(this.nowMs, atMs);
  }

  #step(nowMs: number): void {
    const delivery = this.#delivery;
    while (this.bottleneck.poll(nowMs, delivery)) {
      const { bytes, start, end, from } = delivery;
      this.flows[from]!.passedBytes += end - start + HEADER_BYTES;
      this.flows[from]!.forward.send(nowMs, bytes, start, start + 4, 0, 0);
    }
    for (const flow of this.flows) {
      while (flow.forward.poll(nowMs, delivery)) {
        const { buffer, byteOffset } = delivery.bytes;
        const sequence = new DataView(buffer, byteOffset).getUint32(delivery.start);
        if (!this.dark) flow.receive(nowMs, sequence);
      }
      while (flow.back.poll(nowMs, delivery)) if (!this.dark) flow.hear(nowMs, delivery);
      if (flow.window.wakeAt() <= nowMs) flow.window.detectLosses(nowMs);
      if (flow.nextPeerTickMs <= nowMs) flow.peerTick(nowMs);
      if (flow.nextTickMs <= nowMs) flow.tick(nowMs);
    }
  }

  #enter(flow: Flow, bytes: Uint8Array, sizeBytes: number): void {
    if (this.dark || !this.#conforms(sizeBytes + HEADER_BYTES)) return;
    const from = this.flows.indexOf(flow);
    const fate = this.bottleneck.send(this.nowMs, bytes, 0, sizeBytes, from, 0);
    if (fate === Fate.overflowed) throw new Error('the simulation is too small');
  }

  #conforms(wireBytes: number): boolean {
    const rate = this.#policedBytesPerMs;
    if (rate === Number.POSITIVE_INFINITY) return true;
    const earned = (this.nowMs - this.#tokensAtMs) * rate;
    this.#tokens = Math.min(rate * POLICER_BURST_MS, this.#tokens + earned);
    this.#tokensAtMs = this.nowMs;
    if (this.#tokens < wireBytes) return false;
    this.#tokens -= wireBytes;
    return true;
  }
}

/** What one second of a run looked like. */
export interface Second {
  /** Median of the bottleneck's queue, read each 2 ms. */
  readonly queueMs: number;
  readonly passedBytes: readonly number[];
}

/** Runs for so long and measures each second; `each` is called before every one. */
export function measure(path: Path, seconds: number, each?: (second: number) => void): Second[] {
  const measured: Second[] = [];
  for (let second = 0; second < seconds; second++) {
    each?.(second);
    const startMs = path.nowMs;
    const before = path.flows.map((flow) => flow.passedBytes);
    const queues: number[] = [];
    for (let n = 1; n <= 500; n++) {
      path.run(startMs + 2 * n);
      queues.push(path.bottleneck.queueMs(path.nowMs));
    }
    const passedBytes = path.flows.map((flow, i) => flow.passedBytes - before[i]!);
    measured.push({ queueMs: queues.sort((a, b) => a - b)[250]!, passedBytes });
  }
  return measured;
}

/** Share of a rate that all flows together used. */
export function utilisation(seconds: readonly Second[], kbps: number): number {
  const bytes = seconds.flatMap(({ passedBytes }) => passedBytes).reduce((a, b) => a + b, 0);
  return bytes / ((seconds.length * kbps * 1000) / 8);
}
