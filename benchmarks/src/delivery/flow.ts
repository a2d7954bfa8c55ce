// One connection under measurement: hands messages over at a steady rate, and notes when each comes out. Messages
// before and after the measured ones keep the connection in its steady state.
//
// A message: number and time of handing over as 64-bit floats, then filling; little-endian.

import type { WireTraffic } from './link-proxy.ts';
import type { SendingEnd } from './peer.ts';

/** What the application hands over. */
export const MESSAGE_BYTES = 100;
const NUMBER_AT = 0;
const TIME_AT = 8;
const FILLING = 0x5a;

/** What a flow sends. */
export interface FlowPlan {
  /** Messages before the measured ones. */
  readonly warmUp: number;
  /** Measured messages. */
  readonly messages: number;
}

/** See the head of the file. */
export class Flow {
  readonly latenciesMs: Float64Array;
  readonly #plan: FlowPlan;
  readonly #bytes = Buffer.alloc(MESSAGE_BYTES, FILLING);
  readonly #handedOverMs: number[] = [];
  #sent = 0;
  #received = 0;
  #refused = 0;
  #fault: string | undefined;
  #opened: Reading | undefined;
  #closed: Reading | undefined;

  constructor(plan: FlowPlan) {
    this.#plan = plan;
    this.latenciesMs = new Float64Array(plan.messages);
  }

  /** Every measured message has come out. */
  get complete(): boolean {
    return this.#closed !== undefined && this.#received >= this.#end;
  }

  /** Why its figures cannot be used. */
  get fault(): string | undefined {
    if (this.#fault !== undefined || this.complete) return this.#fault;
    return `${this.#received} of ${this.#end} messages arrived`;
  }

  /** Times that the peer had no room for a message; it was offered again a step later, its time running on. */
  get refused(): number {
    return this.#refused;
  }

  /** Datagrams and bytes on the wire per delivered message, while the measured ones were handed over. */
  get perMessage(): WireTraffic {
    const opened = this.#opened ?? NOTHING;
    const closed = this.#closed ?? NOTHING;
    const delivered = closed.received - opened.received;
    return {
      datagrams: (closed.traffic.datagrams - opened.traffic.datagrams) / delivered,
      bytes: (closed.traffic.bytes - opened.traffic.bytes) / delivered,
    };
  }

  /** A message is due. */
  handOver(nowMs: number, end: SendingEnd, traffic: WireTraffic): void {
    const number = this.#handedOverMs.push(nowMs) - 1;
    if (number === this.#plan.warmUp) this.#opened = { traffic, received: this.#received };
    if (number === this.#end) this.#closed = { traffic, received: this.#received };
    while (this.#sent < this.#handedOverMs.length) {
      this.#bytes.writeDoubleLE(this.#sent, NUMBER_AT);
      this.#bytes.writeDoubleLE(this.#handedOverMs[this.#sent]!, TIME_AT);
      if (!end.send(this.#bytes)) {
        this.#refused++;
        return;
      }
      this.#sent++;
    }
  }

  /** A message came out. */
  receive(nowMs: number, bytes: Uint8Array): void {
    if (bytes.length !== MESSAGE_BYTES) {
      this.#fault ??= `a message of ${bytes.length} B came out`;
      return;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const number = view.getFloat64(NUMBER_AT, true);
    if (number !== this.#received) {
      this.#fault ??= `message ${number} came out instead of ${this.#received}`;
    }
    const measured = this.#received++ - this.#plan.warmUp;
    if (measured >= 0 && measured < this.#plan.messages) {
      this.latenciesMs[measured] = nowMs - view.getFloat64(TIME_AT, true);
    }
  }

  /** Number of the first message after the measured ones. */
  get #end(): number {
    return this.#plan.warmUp + this.#plan.messages;
  }
}

/** State at one end of the measured window. */
interface Reading {
  readonly traffic: WireTraffic;
  readonly received: number;
}

const NOTHING: Reading = { traffic: { datagrams: 0, bytes: 0 }, received: 0 };
