// One open connection: header, seal, acks and sections around a set of channels. Same code on both sides.
// Composition only: who is asked in which order. Layouts stand in packet.ts, ack-block.ts and section.ts.

import { ByteReader } from '../wire/bytes.ts';
import { TAG_BYTES } from '../wire/crypto.ts';
import {
  DATA_PACKET_BYTES_MIN,
  DATAGRAM_BYTES,
  DATAGRAM_BYTES_MAX,
  HEADER_BYTES,
  readWireSequence,
} from '../wire/packet.ts';
import { Verdict, verdictNames } from '../wire/verdict.ts';
import { AckBlock, delayUnits } from './ack-block.ts';
import { AckTimer } from './ack-timer.ts';
import { CHANNELS_MAX, type Channel } from './channel.ts';
import { ChannelSchedule } from './channel-schedule.ts';
import { CloseSequence } from './close-sequence.ts';
import { type ConnectionOptions, resolveTimes } from './connection-options.ts';
import {
  type ConnectionStatistics,
  readStatistics,
  type StatisticsSources,
} from './connection-statistics.ts';
import { CreditGate } from './credit-gate.ts';
import type { EndReason } from './end-reason.ts';
import { PacketWriter } from './packet-writer.ts';
import { PathMtu } from './path-mtu.ts';
import { RateController } from './rate-controller.ts';
import { ReceivedWindow } from './received-window.ts';
import type { RttEstimator } from './rtt.ts';
import { ControlSection, SectionList } from './section.ts';
import { PATH_HEADER_BYTES, SentWindow } from './sent-window.ts';
import { Traffic } from './traffic.ts';

/** Until the peer is heard: the accepted side only becomes live with the first packet that arrives there. */
const GREETING_MS = 200;

/** Times, in one array so that storing one never allocates. */
const At = { lastSent: 0, lastReceived: 1, newestKept: 2, now: 3 } as const;

/** See the head of the file. Construct once the handshake has agreed on ids and keys. */
export class Connection {
  readonly received = new ReceivedWindow();
  readonly #sent: SentWindow;
  readonly #gate: CreditGate;
  readonly #options: ConnectionOptions;
  readonly #schedule: ChannelSchedule;
  readonly #close: CloseSequence;
  readonly #pathMtu: PathMtu;
  readonly #times = new Float64Array(4);
  readonly #trafficOut = new Traffic();
  readonly #trafficIn = new Traffic();
  readonly #sources: StatisticsSources;
  readonly #block = new AckBlock();
  readonly #ackTimer = new AckTimer();
  readonly #sections = new SectionList();
  readonly #reader = new ByteReader();
  readonly #packet = new PacketWriter();
  /** Who wrote into the packet just made: channel ids 0 to 31, 32 to 63. */
  readonly #masks = new Int32Array(2);
  readonly #verdicts = new Float64Array(verdictNames.length);
  readonly #patience: { readonly timeoutMs: number; readonly keepAliveMs: number };
  #proven = false;
  #flushing = false;
  #pingDue = false;
  /** Something that a channel said was lost since the last flush. */
  #urgent = false;
  /** From this sequence on, packets carry nothing but the close. */
  #closeFrom = Number.POSITIVE_INFINITY;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#patience = resolveTimes(options);
    this.#schedule = new ChannelSchedule(options.channels);
    const rate = new RateController(options.nowMs, options.rate);
    this.#gate = new CreditGate(rate);
    this.#pathMtu = new PathMtu(options.nowMs, options.probePathMtu ?? false);
    this.#sent = new SentWindow(
      {
        acked: (sequence, low, high) => this.#acked(sequence, low, high),
        lost: (sequence, low, high) => this.#lost(sequence, low, high),
      },
      rate,
    );
    this.#sources = {
      sent: this.#sent,
      received: this.received,
      rate,
      pathMtu: this.#pathMtu,
      trafficOut: this.#trafficOut,
      trafficIn: this.#trafficIn,
    };
    this.#close = new CloseSequence(options.sink, () => this.#abandon());
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

  /** A fresh reading; see {@link ConnectionStatistics}. */
  get statistics(): ConnectionStatistics {
    return readStatistics(this.#times[At.now]!, this.#sources);
  }

  /** Bytes of the channel's sections that were sent, those said again included. */
  channelBytesOut(id: number): number {
    return this.#trafficOut.channelBytes[id] ?? 0;
  }

  /** Bytes of the channel's sections that were received and kept. */
  channelBytesIn(id: number): number {
    return this.#trafficIn.channelBytes[id] ?? 0;
  }

  /** Sequence that the next packet will carry. */
  get nextSequence(): number {
    return this.#sent.next;
  }

  /** How many datagrams got this verdict. */
  verdicts(verdict: Verdict): number {
    return this.#verdicts[verdict]!;
  }

  /** Whether a flush would find something to say that may leave: a message, a ping, an ack that is due. */
  wantsFlush(nowMs: number): boolean {
    if (!this.#close.open) return false;
    if (this.#pingDue || this.ackOverdue(nowMs) || this.#pathMtu.due(nowMs) > 0) return true;
    return !this.#gate.waits(nowMs) && !this.#sent.full && this.#schedule.pending(nowMs);
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
    if (nowMs >= this.#times[At.lastReceived]! + this.#patience.timeoutMs) this.#close.timeOut();
    if (nowMs >= this.#times[At.lastSent]! + this.#quietMs) this.#pingDue = true;
  }

  /** What is due should leave now, as much of it as the rate allows; until then `poll` offers nothing. */
  flush(nowMs: number): void {
    this.advance(nowMs);
    this.#flushing = this.#close.open;
    this.#gate.open();
    this.#urgent = false;
  }

  /** Something was lost that is worth a flush of its own: waiting for the next would only add to the delay. */
  get urgent(): boolean {
    return this.#urgent;
  }

  /** Writes the next packet at out[start..]; returns its length, 0 = drained. */
  poll(nowMs: number, out: Uint8Array, start: number): number {
    if (this.#close.wantsPacket(nowMs)) return this.#writeClosePacket(nowMs, out, start);
    if (!this.#flushing) return 0;
    const length = this.#writePacket(nowMs, out, start);
    if (length > 0) return length;
    this.#flushing = false;
    this.#gate.close(nowMs);
    return 0;
  }

  wakeAt(): number {
    if (!this.#close.open) return this.#close.wakeAt();
    const times = this.#times;
    return Math.min(
      times[At.lastReceived]! + this.#patience.timeoutMs,
      times[At.lastSent]! + this.#quietMs,
      this.#sent.wakeAt(),
      this.#pathMtu.wakeAt(),
      this.#ackTimer.wakeAt(),
      this.#gate.wakeAt(),
    );
  }

  /** Ends the connection: the reason is sent until the peer has it or a bound of attempts is reached. */
  close(nowMs: number, reason: EndReason, text: string): void {
    if (!this.#close.open) return;
    this.#flushing = false;
    this.#close.begin(nowMs, reason, text, this.#sent.rtt.lossDelayMs);
  }

  /** Whether an ack has waited for a packet to ride in as long as it may; not at all, when packets are missing. */
  ackOverdue(nowMs: number): boolean {
    return this.#ackTimer.overdue(nowMs);
  }

  #receive(nowMs: number, bytes: Uint8Array, start: number, end: number): Verdict {
    if (end - start < DATA_PACKET_BYTES_MIN || end - start > DATAGRAM_BYTES_MAX) {
      return Verdict.malformed;
    }
    const sequence = this.received.expand(readWireSequence(bytes, start));
    const known = this.received.check(sequence);
    if (known !== Verdict.accepted) return known;
    if (this.#close.over) return Verdict.unexpected;
    const bodyStart = start + HEADER_BYTES;
    const bodyEnd = end - TAG_BYTES;
    if (!this.#options.openIncoming.open(bytes, start, bodyStart, bodyEnd, sequence)) {
      return Verdict.forged;
    }
    this.#reader.reset(bytes, bodyStart, bodyEnd);
    return this.#receiveBody(nowMs, bytes, end - start, sequence);
  }

  #receiveBody(nowMs: number, bytes: Uint8Array, sizeBytes: number, sequence: number): Verdict {
    const { low, high } = this.#schedule;
    if (!this.#block.read(this.#reader)) return Verdict.malformed;
    let verdict: Verdict = this.#sections.read(this.#reader, low, high);
    if (verdict === Verdict.accepted) verdict = this.#readSections(nowMs, bytes, sequence);
    // Acks come last: a packet that is malformed anywhere changes nothing at all.
    if (verdict === Verdict.malformed) return verdict;
    if (!this.#sent.receive(nowMs, this.#block)) return Verdict.malformed;
    this.#times[At.lastReceived] = nowMs;
    if (nowMs > this.#times[At.now]!) this.#times[At.now] = nowMs;
    this.#trafficIn.add(nowMs, sizeBytes);
    this.#prove();
    // Whoever was told of the acks may have closed.
    if (verdict === Verdict.accepted && !this.#keeps()) verdict = Verdict.refused;
    const kept = verdict === Verdict.accepted;
    const outOfOrder = this.received.received(nowMs, sequence, kept);
    if (kept) this.#commit(nowMs, bytes, sequence, outOfOrder);
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
    if (!this.#keeps()) return Verdict.refused;
    for (let i = 0; i < count; i++) {
      const channel = this.#schedule.channels[types[i]!];
      if (channel === undefined) continue;
      const verdict = channel.read(nowMs, bytes, starts[i]!, ends[i]!, sequence);
      if (verdict !== Verdict.accepted) return verdict;
    }
    return Verdict.accepted;
  }

  /** Once closed, nothing is kept any more, so nothing may be acknowledged as kept. */
  #keeps(): boolean {
    if (this.#close.open) return true;
    const { types, count } = this.#sections;
    for (let i = 0; i < count; i++) if (types[i]! < CHANNELS_MAX) return false;
    return true;
  }

  #commit(nowMs: number, bytes: Uint8Array, sequence: number, outOfOrder: boolean): void {
    if (this.received.newestKept === sequence) this.#times[At.newestKept] = nowMs;
    const { types, starts, ends, count } = this.#sections;
    for (let i = 0; i < count; i++) {
      const type = types[i]!;
      const channel = this.#schedule.channels[type];
      if (type === ControlSection.close) this.#close.receive(nowMs, bytes, starts[i]!, ends[i]!);
      else if (channel !== undefined && this.#close.open) {
        this.#trafficIn.channelBytes[type]! += ends[i]! - starts[i]!;
        channel.commit(nowMs);
      }
      if (channel === undefined || channel.elicitsAck) this.#ackTimer.owe(nowMs, outOfOrder);
    }
  }

  /** How long nothing may be sent before a ping is due. */
  get #quietMs(): number {
    const { keepAliveMs } = this.#patience;
    return this.#proven ? keepAliveMs : Math.min(GREETING_MS, keepAliveMs);
  }

  #writePacket(nowMs: number, out: Uint8Array, start: number): number {
    this.#begin(nowMs, out, start, this.#pathMtu.sizeBytes);
    let eliciting = this.#writeSections(nowMs);
    if (this.#pingDue && !eliciting) {
      this.#packet.ping();
      eliciting = true;
    }
    if (this.#packet.bare && !this.ackOverdue(nowMs)) return this.#writeProbe(nowMs, out, start);
    return this.#finishPacket(nowMs, eliciting);
  }

  #begin(nowMs: number, out: Uint8Array, start: number, sizeBytes: number): void {
    this.#packet.begin(out, start, sizeBytes, this.#options.remoteId, this.#sent.next);
    this.#packet.acks(this.received, delayUnits(nowMs, this.#times, At.newestKept));
  }

  /** Lets the channels write in their order, as far as there is credit; true = the packet wants an ack. */
  #writeSections(nowMs: number): boolean {
    const { order, channels, count } = this.#schedule;
    // Whom the window holds back the rate does not: it is not to grow for that.
    if (this.#sent.full) return false;
    this.#gate.ready(nowMs, this.#pathMtu.sizeBytes + PATH_HEADER_BYTES);
    let eliciting = false;
    for (let i = 0; i < count; i++) {
      const id = order[i]!;
      const channel = channels[id]!;
      if (!channel.pending(nowMs)) this.#schedule.rested(id);
      else if (!this.#gate.passes(nowMs, this.#schedule.background(id))) continue;
      else if (this.#writeSection(nowMs, id, channel)) eliciting ||= channel.elicitsAck;
    }
    return eliciting;
  }

  #writeSection(nowMs: number, id: number, channel: Channel): boolean {
    const length = this.#packet.section(nowMs, id, channel);
    if (length === 0) return false;
    this.#schedule.wrote(id, length);
    this.#trafficOut.channelBytes[id]! += length;
    return true;
  }

  /**
   * Looks for a larger datagram size, when nothing else may be said. Not a matter of credit: a probe a second is little,
   * and those who always have more to say than they may are those whom it helps.
   */
  #writeProbe(nowMs: number, out: Uint8Array, start: number): number {
    const sizeBytes = this.#pathMtu.due(nowMs);
    if (sizeBytes === 0) return 0;
    this.#begin(nowMs, out, start, sizeBytes);
    this.#packet.probe();
    this.#pathMtu.probed(nowMs, this.#sent.next);
    const sealed = this.#packet.seal(this.#options.sealOutgoing);
    this.#sent.sentProbe(nowMs, sealed);
    return this.#left(nowMs, sealed);
  }

  #finishPacket(nowMs: number, eliciting: boolean): number {
    const sizeBytes = this.#packet.seal(this.#options.sealOutgoing);
    this.#schedule.settle(this.#masks);
    this.#sent.sent(nowMs, sizeBytes, this.#masks[0]!, this.#masks[1]!, eliciting);
    return this.#left(nowMs, sizeBytes);
  }

  /** A packet is on its way. */
  #left(nowMs: number, sizeBytes: number): number {
    this.#trafficOut.add(nowMs, sizeBytes);
    this.#times[At.lastSent] = nowMs;
    this.#ackTimer.sent(nowMs);
    this.#pingDue = false;
    return sizeBytes;
  }

  #writeClosePacket(nowMs: number, out: Uint8Array, start: number): number {
    this.#begin(nowMs, out, start, DATAGRAM_BYTES);
    // Not at `close`, which may be called while a packet is being written that holds something else.
    this.#closeFrom = Math.min(this.#closeFrom, this.#sent.next);
    const closing = this.#close.write(nowMs, this.#packet.body);
    return this.#finishPacket(nowMs, closing);
  }

  #acked(sequence: number, low: number, high: number): void {
    if (sequence >= this.#closeFrom) this.#close.confirmed();
    this.#pathMtu.acked(sequence, this.#sent.sizeBytes(sequence));
    this.#schedule.tell(sequence, low, high, true);
  }

  #lost(sequence: number, low: number, high: number): void {
    this.#pathMtu.lost(this.#times[At.now]!, sequence, this.#sent.sizeBytes(sequence));
    this.#urgent ||= (low | high) !== 0;
    this.#schedule.tell(sequence, low, high, false);
  }

  /** The connection is over for its channels. */
  #abandon(): void {
    this.#sent.abandon();
    this.#schedule.close();
  }
}
