// One open connection: header, seal, acks and sections around a set of channels. Same code on both sides.
// Composition only: who is asked in which order. Layouts stand in packet.ts, ack-block.ts and section.ts.

import { ByteReader, ByteWriter, varintBytes } from '../wire/bytes.ts';
import { type Sealer, TAG_BYTES } from '../wire/crypto.ts';
import { assert } from '../wire/errors.ts';
import {
  DATA_PACKET_BYTES_MIN,
  DATAGRAM_BYTES_MAX,
  HEADER_BYTES,
  readWireSequence,
  writeHeader,
} from '../wire/packet.ts';
import { Verdict, verdictNames } from '../wire/verdict.ts';
import { AckBlock, writeAckBlock } from './ack-block.ts';
import { CHANNELS_MAX, type Channel } from './channel.ts';
import { CloseSequence, type ConnectionSink } from './close-sequence.ts';
import type { EndReason } from './end-reason.ts';
import { ReceivedWindow } from './received-window.ts';
import type { RttEstimator } from './rtt.ts';
import {
  ControlSection,
  MUST_UNDERSTAND,
  SECTION_HEADER_BYTES_MAX,
  SectionList,
} from './section.ts';
import { type SentStatistics, SentWindow } from './sent-window.ts';

/** Everything a connection is made of. */
export interface ConnectionOptions {
  /** Goes into outgoing headers: the id that the peer chose. */
  readonly remoteId: number;
  readonly sealOutgoing: Sealer;
  readonly openIncoming: Sealer;
  /** By channel id; array order is priority order when writing. */
  readonly channels: readonly (readonly [id: number, channel: Channel])[];
  readonly sink: ConnectionSink;
  readonly nowMs: number;
  /** No authentic packet for so long ends the connection. Default 10 s. */
  readonly timeoutMs?: number;
  /** Idle so long sends a ping. Default 2 s. */
  readonly keepAliveMs?: number;
}

/** An ack waits at most so long for a packet to ride in. */
const ACK_DELAY_MAX_MS = 25;
const TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 2_000;
/** Until the peer is heard: the accepted side only becomes live with the first packet that arrives there. */
const GREETING_MS = 200;

/** Times, in one array so that storing one never allocates. */
const At = { lastSent: 0, lastReceived: 1, newestKept: 2, oldestUnacked: 3, now: 4 } as const;

/** See the head of the file. Construct once the handshake has agreed on ids and keys. */
export class Connection {
  readonly received = new ReceivedWindow();
  readonly #sent: SentWindow;
  readonly #options: ConnectionOptions;
  readonly #channels: (Channel | undefined)[] = new Array(CHANNELS_MAX).fill(undefined);
  readonly #channelMask: number = 0;
  readonly #close: CloseSequence;
  readonly #times = new Float64Array(5);
  readonly #block = new AckBlock();
  readonly #sections = new SectionList();
  readonly #reader = new ByteReader();
  readonly #writer = new ByteWriter();
  readonly #verdicts = new Float64Array(verdictNames.length);
  readonly #timeoutMs: number;
  readonly #keepAliveMs: number;
  #proven = false;
  #flushing = false;
  #ackOwed = false;
  #pingDue = false;
  /** From this sequence on, packets carry nothing but the close. */
  #closeFrom = Number.POSITIVE_INFINITY;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#keepAliveMs = options.keepAliveMs ?? KEEP_ALIVE_MS;
    for (const [id, channel] of options.channels) {
      assert(id >= 0 && id < CHANNELS_MAX && !this.#channels[id], 'channel ids are unique');
      this.#channels[id] = channel;
      this.#channelMask |= 1 << id;
    }
    this.#sent = new SentWindow({
      acked: (sequence, channels) => this.#tell(sequence, channels, true),
      lost: (sequence, channels) => this.#tell(sequence, channels, false),
    });
    this.#close = new CloseSequence(options.sink, () => this.#sent.abandon());
    this.#times.fill(options.nowMs);
    // As if silent for so long already: the first flush greets.
    this.#times[At.lastSent] = options.nowMs - this.#quietMs;
  }

  get open(): boolean {
    return this.#close.open;
  }

  /** The end is agreed: the peer knows, or has been given up. */
  get settled(): boolean {
    return !this.#close.open && !this.#close.closing;
  }

  get rtt(): RttEstimator {
    return this.#sent.rtt;
  }

  /** Share of recent packets of ours that were lost, 0 to 1. */
  get lossShare(): number {
    return this.#sent.lossShare;
  }

  get statistics(): SentStatistics {
    return this.#sent.statistics;
  }

  /** Sequence that the next packet will carry. */
  get nextSequence(): number {
    return this.#sent.next;
  }

  /** How many datagrams got this verdict. */
  verdicts(verdict: Verdict): number {
    return this.#verdicts[verdict]!;
  }

  /** Takes a data packet whose connection id is ours. */
  receive(nowMs: number, bytes: Uint8Array, start: number, end: number): Verdict {
    const verdict = this.#receive(nowMs, bytes, start, end);
    this.#verdicts[verdict]!++;
    return verdict;
  }

  advance(nowMs: number): void {
    if (nowMs < this.#times[At.now]!) return;
    this.#times[At.now] = nowMs;
    this.#close.advance(nowMs);
    if (!this.#close.open) return;
    this.#sent.detectLosses(nowMs);
    // The same sums as in wakeAt, so that rounding cannot let one of them see it earlier than the other.
    if (nowMs >= this.#times[At.lastReceived]! + this.#timeoutMs) this.#close.timeOut();
    if (nowMs >= this.#times[At.lastSent]! + this.#quietMs) this.#pingDue = true;
  }

  /** What is due should leave now; until then `poll` offers nothing. */
  flush(nowMs: number): void {
    this.advance(nowMs);
    this.#flushing = this.#close.open;
  }

  /** Writes the next packet at out[start..]; returns its length, 0 = drained. */
  poll(nowMs: number, out: Uint8Array, start: number): number {
    if (this.#close.wantsPacket(nowMs)) return this.#writeClosePacket(nowMs, out, start);
    if (!this.#flushing) return 0;
    const length = this.#writePacket(nowMs, out, start);
    if (length === 0) this.#flushing = false;
    return length;
  }

  wakeAt(): number {
    if (!this.#close.open) return this.#close.wakeAt();
    const times = this.#times;
    const at = Math.min(
      times[At.lastReceived]! + this.#timeoutMs,
      times[At.lastSent]! + this.#quietMs,
      this.#sent.wakeAt(),
    );
    return this.#ackOwed ? Math.min(at, times[At.oldestUnacked]! + ACK_DELAY_MAX_MS) : at;
  }

  /** Ends the connection: the reason is sent until the peer has it or a bound of attempts is reached. */
  close(nowMs: number, reason: EndReason, text: string): void {
    if (!this.#close.open) return;
    this.#flushing = false;
    this.#closeFrom = this.#sent.next;
    this.#close.begin(nowMs, reason, text, this.#sent.rtt.lossDelayMs);
  }

  #receive(nowMs: number, bytes: Uint8Array, start: number, end: number): Verdict {
    if (this.#close.over) return Verdict.unexpected;
    if (end - start < DATA_PACKET_BYTES_MIN || end - start > DATAGRAM_BYTES_MAX) {
      return Verdict.malformed;
    }
    const sequence = this.received.expand(readWireSequence(bytes, start));
    const known = this.received.check(sequence);
    if (known !== Verdict.accepted) return known;
    const bodyEnd = end - TAG_BYTES;
    const sealer = this.#options.openIncoming;
    if (!sealer.open(bytes, start, start + HEADER_BYTES, bodyEnd, sequence)) return Verdict.forged;
    return this.#receiveBody(nowMs, bytes, start + HEADER_BYTES, bodyEnd, sequence);
  }

  #receiveBody(
    nowMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    sequence: number,
  ): Verdict {
    const reader = this.#reader;
    reader.reset(bytes, start, end);
    if (!this.#block.read(reader)) return Verdict.malformed;
    let verdict: Verdict = this.#sections.read(reader, this.#channelMask);
    if (verdict === Verdict.accepted) verdict = this.#readSections(nowMs, bytes, sequence);
    // Acks come last: a packet that is malformed anywhere changes nothing at all.
    if (verdict === Verdict.malformed) return verdict;
    if (!this.#sent.receive(nowMs, this.#block)) return Verdict.malformed;
    this.#times[At.lastReceived] = nowMs;
    this.#prove();
    this.received.received(sequence, verdict === Verdict.accepted);
    if (verdict === Verdict.accepted) this.#commit(nowMs, bytes, sequence);
    return verdict;
  }

  /** A connection that was closed before it was proven stays unproven for the layer above. */
  #prove(): void {
    if (this.#proven) return;
    this.#proven = true;
    if (this.#close.open) this.#options.sink.proven?.();
  }

  /** Asks every channel whether it can keep its section; all or nothing. */
  #readSections(nowMs: number, bytes: Uint8Array, sequence: number): Verdict {
    const { types, starts, ends, count } = this.#sections;
    for (let i = 0; i < count; i++) {
      const channel = this.#channels[types[i]!];
      if (channel === undefined) continue;
      // Once closed, nothing is kept any more, so nothing may be acknowledged as kept.
      if (!this.#close.open) return Verdict.refused;
      const verdict = channel.read(nowMs, bytes, starts[i]!, ends[i]!, sequence);
      if (verdict !== Verdict.accepted) return verdict;
    }
    return Verdict.accepted;
  }

  #commit(nowMs: number, bytes: Uint8Array, sequence: number): void {
    if (this.received.newestKept === sequence) this.#times[At.newestKept] = nowMs;
    const { types, starts, ends, count } = this.#sections;
    for (let i = 0; i < count; i++) {
      const type = types[i]!;
      const channel = this.#channels[type];
      if (type === ControlSection.close) this.#close.receive(nowMs, bytes, starts[i]!, ends[i]!);
      else if (channel !== undefined && this.#close.open) channel.commit(nowMs);
      if (channel === undefined || channel.elicitsAck) this.#oweAck(nowMs);
    }
  }

  /** How long nothing may be sent before a ping is due. */
  get #quietMs(): number {
    return this.#proven ? this.#keepAliveMs : Math.min(GREETING_MS, this.#keepAliveMs);
  }

  #oweAck(nowMs: number): void {
    if (this.#ackOwed) return;
    this.#ackOwed = true;
    this.#times[At.oldestUnacked] = nowMs;
  }

  /** Whether an ack has waited for a packet to ride in as long as it may. */
  ackOverdue(nowMs: number): boolean {
    return this.#ackOwed && nowMs >= this.#times[At.oldestUnacked]! + ACK_DELAY_MAX_MS;
  }

  #writePacket(nowMs: number, out: Uint8Array, start: number): number {
    const writer = this.#beginPacket(nowMs, out, start);
    const bodyStart = writer.position;
    const sequence = this.#sent.next;
    let mask = 0;
    let eliciting = false;
    for (const [id, channel] of this.#options.channels) {
      if (!channel.pending(nowMs)) continue;
      if (!this.#writeSection(nowMs, writer, out, id, channel, sequence)) continue;
      mask |= 1 << id;
      eliciting ||= channel.elicitsAck;
    }
    if (this.#pingDue && !eliciting) {
      writer.u8(ControlSection.ping | MUST_UNDERSTAND);
      writer.u8(0);
      eliciting = true;
    }
    if (writer.position === bodyStart && !this.ackOverdue(nowMs)) return 0;
    return this.#finishPacket(nowMs, out, start, mask, eliciting);
  }

  /** Header and ack block; the writer ends where the tag must begin. */
  #beginPacket(nowMs: number, out: Uint8Array, start: number): ByteWriter {
    writeHeader(out, start, this.#options.remoteId, this.#sent.next);
    const writer = this.#writer;
    writer.reset(out, start + HEADER_BYTES, start + DATAGRAM_BYTES_MAX - TAG_BYTES);
    writeAckBlock(writer, this.received, nowMs - this.#times[At.newestKept]!);
    return writer;
  }

  /** Lets the channel write behind room for the section header, then closes the gap. */
  #writeSection(
    nowMs: number,
    writer: ByteWriter,
    out: Uint8Array,
    id: number,
    channel: Channel,
    sequence: number,
  ): boolean {
    const at = writer.position;
    const bodyStart = at + SECTION_HEADER_BYTES_MAX;
    const bodyEnd = at + writer.remaining;
    if (bodyStart >= bodyEnd) return false;
    const length = channel.write(nowMs, out, bodyStart, bodyEnd, sequence);
    if (length === 0) return false;
    writer.u8(id | MUST_UNDERSTAND);
    writer.varint(length);
    if (varintBytes(length) === 1) out.copyWithin(bodyStart - 1, bodyStart, bodyStart + length);
    writer.claim(length);
    return true;
  }

  #finishPacket(
    nowMs: number,
    out: Uint8Array,
    start: number,
    mask: number,
    eliciting: boolean,
  ): number {
    const end = this.#writer.position;
    this.#options.sealOutgoing.seal(out, start, start + HEADER_BYTES, end, this.#sent.next);
    this.#sent.sent(nowMs, mask, eliciting);
    this.#times[At.lastSent] = nowMs;
    this.#ackOwed = false;
    this.#pingDue = false;
    return end + TAG_BYTES - start;
  }

  #writeClosePacket(nowMs: number, out: Uint8Array, start: number): number {
    const writer = this.#beginPacket(nowMs, out, start);
    const closing = this.#close.write(nowMs, writer);
    return this.#finishPacket(nowMs, out, start, 0, closing);
  }

  #tell(sequence: number, channels: number, acked: boolean): void {
    if (acked && sequence >= this.#closeFrom) this.#close.confirmed();
    for (let rest = channels; rest !== 0; rest &= rest - 1) {
      const channel = this.#channels[31 - Math.clz32(rest & -rest)]!;
      if (acked) channel.acked(sequence);
      else channel.lost(sequence);
    }
  }
}
