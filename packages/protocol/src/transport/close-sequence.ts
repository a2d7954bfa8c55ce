// How a connection ends: the side that closes repeats a close section until the peer has acknowledged one or a
// bound of attempts is reached; the other side answers repeats for a while, then forgets.
//
//   close section body: 1 byte reason (index in endReasons), then UTF-8 text to the end of the section

import type { ByteWriter } from '../wire/bytes.ts';
import { readText, writeText } from '../wire/text.ts';
import { END_TEXT_BYTES_MAX, type EndReason, endReasons } from './end-reason.ts';
import { ControlSection, MUST_UNDERSTAND } from './section.ts';

/** Told of the end. `ended` comes once, when nothing more will be sent and the place may be reused. */
export interface ConnectionSink {
  /** The first authentic packet is here, and nothing of it has been delivered yet. */
  proven?(): void;
  /** The peer answered a path challenge with this number; everything else in its packet has been kept. */
  pathResponse?(data: number): void;
  /** The connection is over for the user; `remote` = the peer said so. */
  closed(reason: EndReason, text: string, remote: boolean): void;
  ended(): void;
}

const State = { open: 0, closing: 1, draining: 2, over: 3 } as const;

/** At 20 % loss each way, all of them failing happens once in 36,000 closes. */
const ATTEMPTS_MAX = 10;
const INTERVAL_MIN_MS = 50;
const INTERVAL_MAX_MS = 500;
/** Longer than the peer keeps repeating at its shortest interval and a round trip of 500 ms. */
const DRAIN_MS = 1000;

/** The closing states of one connection. */
export class CloseSequence {
  readonly #sink: ConnectionSink;
  readonly #abandon: () => void;
  readonly #payload = new Uint8Array(1 + END_TEXT_BYTES_MAX);
  #payloadBytes = 0;
  #state: number = State.open;
  #attempts = 0;
  #intervalMs = INTERVAL_MIN_MS;
  #nextAtMs = 0;
  #replyDue = false;

  constructor(sink: ConnectionSink, abandon: () => void) {
    this.#sink = sink;
    this.#abandon = abandon;
  }

  get open(): boolean {
    return this.#state === State.open;
  }

  /** Waiting for the peer to confirm our close. */
  get closing(): boolean {
    return this.#state === State.closing;
  }

  /** Nothing is sent or taken any more. */
  get over(): boolean {
    return this.#state === State.over;
  }

  begin(nowMs: number, reason: EndReason, text: string, roundTripMs: number): void {
    if (this.#state !== State.open) return;
    this.#payload[0] = endReasons.indexOf(reason);
    this.#payloadBytes = writeText(text, this.#payload, 1, this.#payload.length);
    this.#intervalMs = Math.min(INTERVAL_MAX_MS, Math.max(INTERVAL_MIN_MS, roundTripMs));
    this.#nextAtMs = nowMs;
    this.#leave(State.closing, reason, text, false);
  }

  /** Takes the peer's close section. */
  receive(nowMs: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#state === State.over) return;
    this.#replyDue = true;
    if (this.#state === State.draining) return;
    this.#nextAtMs = nowMs + DRAIN_MS;
    if (this.#state === State.closing) {
      this.#state = State.draining;
      return;
    }
    const reason = (end > start ? endReasons[bytes[start]!] : undefined) ?? 'closed';
    const textEnd = Math.min(end, start + 1 + END_TEXT_BYTES_MAX);
    this.#leave(State.draining, reason, readText(bytes, start + 1, textEnd), true);
  }

  /** The peer acknowledged one of our close packets. */
  confirmed(): void {
    if (this.#state === State.closing) this.#finish();
  }

  /** The peer fell silent. */
  timeOut(): void {
    if (this.#state !== State.open) return;
    this.#leave(State.closing, 'timeout', '', false);
    this.#finish();
  }

  advance(nowMs: number): void {
    if (this.#state === State.open || this.#state === State.over || nowMs < this.#nextAtMs) return;
    if (this.#state === State.draining || this.#attempts === ATTEMPTS_MAX) this.#finish();
  }

  wantsPacket(nowMs: number): boolean {
    if (this.#state === State.draining) return this.#replyDue;
    return (
      this.#state === State.closing && nowMs >= this.#nextAtMs && this.#attempts < ATTEMPTS_MAX
    );
  }

  /** Writes the close section, or nothing for the bare ack of a draining side; true = wants an ack. */
  write(nowMs: number, writer: ByteWriter): boolean {
    this.#replyDue = false;
    if (this.#state !== State.closing) return false;
    writer.u8(ControlSection.close | MUST_UNDERSTAND);
    writer.varint(this.#payloadBytes);
    writer.range(this.#payload, 0, this.#payloadBytes);
    this.#attempts++;
    this.#nextAtMs = nowMs + this.#intervalMs;
    return true;
  }

  wakeAt(): number {
    return this.#state === State.over ? Number.POSITIVE_INFINITY : this.#nextAtMs;
  }

  #leave(state: number, reason: EndReason, text: string, remote: boolean): void {
    this.#state = state;
    this.#abandon();
    this.#sink.closed(reason, text, remote);
  }

  /** Close packets that were still on their way get their verdict here. */
  #finish(): void {
    this.#state = State.over;
    this.#abandon();
    this.#sink.ended();
  }
}
