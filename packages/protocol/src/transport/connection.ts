// One open connection: header, seal, acks and sections around a set of channels. Same code on both sides.
// Composition only: who is asked in which order. Layouts stand in packet.ts, ack-block.ts and section.ts.

import { DATAGRAM_BYTES } from '../wire/packet.ts';
import { Verdict } from '../wire/verdict.ts';
import { delayUnits } from './ack-block.ts';
import { AckTimer } from './ack-timer.ts';
import { ChannelSchedule } from './channel-schedule.ts';
import { CloseSequence } from './close-sequence.ts';
import { type ConnectionOptions, resolveRotation } from './connection-options.ts';
import { type ConnectionStatistics, readStatistics } from './connection-statistics.ts';
import type { EndReason } from './end-reason.ts';
import { KeepAlive } from './keep-alive.ts';
import { OutgoingKeys } from './key-phases.ts';
import { borrowIntake, type PacketIntake, returnIntake } from './packet-intake.ts';
import { PacketOpener } from './packet-opener.ts';
import { borrowWriter, type PacketWriter, returnWriter } from './packet-writer.ts';
import { Path } from './path.ts';
import { PATH_CHALLENGE_BYTES, PathAnswer } from './path-challenge.ts';
import { ReceivedWindow } from './received-window.ts';
import type { RttEstimator } from './rtt.ts';
import { ControlSection } from './section.ts';
import { SectionIntake } from './section-intake.ts';
import { SectionOutput } from './section-output.ts';
import { sentRecords } from './sent-packets.ts';
import { SentWindow } from './sent-window.ts';
import { Cells, connectionCells } from './state-cells.ts';
import { Traffic } from './traffic.ts';

/** `verdicts` = the first of as many as there are. */
const At = {
  newestKept: Cells.connection,
  now: Cells.connection + 1,
  verdicts: Cells.connection + 2,
} as const;

/** Who wrote into the packet just made: channel ids 0 to 31, 32 to 63. Needed within one call only. */
const masks = new Int32Array(2);

/** See the head of the file. Construct once the handshake has agreed on ids and keys. */
export class Connection {
  readonly received: ReceivedWindow;
  readonly #sent: SentWindow;
  readonly #options: ConnectionOptions;
  readonly #schedule: ChannelSchedule;
  readonly #close: CloseSequence;
  readonly #keys: OutgoingKeys;
  readonly #opener: PacketOpener;
  readonly #answer = new PathAnswer();
  readonly #times = connectionCells();
  readonly #trafficOut = new Traffic(this.#times, Cells.trafficOut);
  readonly #trafficIn = new Traffic(this.#times, Cells.trafficIn);
  readonly #ackTimer = new AckTimer(this.#times);
  readonly #alive: KeepAlive;
  readonly #intake: SectionIntake;
  readonly #output: SectionOutput;
  #path: Path;
  /** A packet is being written: user code that is called meanwhile may ask for packets as well. */
  #writing = false;
  #flushing = false;
  /** Something that a channel said was lost since the last flush. */
  #urgent = false;
  /** From this sequence on, packets carry nothing but the close. */
  #closeFrom = Number.POSITIVE_INFINITY;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const cells = this.#times;
    this.received = new ReceivedWindow(cells);
    this.#alive = new KeepAlive(options.nowMs, options, cells);
    this.#schedule = new ChannelSchedule(options.channels);
    this.#output = new SectionOutput(this.#schedule);
    this.#path = new Path(options.nowMs, 0, options, sentRecords());
    this.#sent = new SentWindow(
      {
        acked: (sequence, low, high) => this.#acked(sequence, low, high),
        lost: (sequence, low, high) => this.#lost(sequence, low, high),
      },
      this.#path.rate,
      cells,
    );
    this.#keys = new OutgoingKeys(options.outgoing, resolveRotation(options));
    this.#opener = new PacketOpener(options.incoming, this.received, this.#sent.rtt, cells);
    this.#close = new CloseSequence(options.sink, () => this.#abandon());
    this.#intake = new SectionIntake({
      schedule: this.#schedule,
      close: this.#close,
      answer: this.#answer,
      ackTimer: this.#ackTimer,
      sink: options.sink,
    });
    cells[At.newestKept] = options.nowMs;
    cells[At.now] = options.nowMs;
  }

  get open(): boolean {
    return this.#close.open;
  }

  /** The end is agreed: the peer knows, or has been given up. */
  get settled(): boolean {
    return !this.#close.open && !this.#close.closing;
  }

  /** Packets of the peer that were authentic, whatever became of them, modulo 2^32. */
  get opened(): number {
    return this.#opener.opened;
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
    return readStatistics(this.#times[At.now]!, {
      sent: this.#sent,
      received: this.received,
      path: this.#path,
      keysOut: this.#keys,
      keysIn: this.#opener.keys,
      trafficOut: this.#trafficOut,
      trafficIn: this.#trafficIn,
    });
  }

  /** Bytes of the channel's sections that were sent, those said again included. */
  channelBytesOut(id: number): number {
    return this.#schedule.bytesOut(id);
  }

  /** Bytes of the channel's sections that were received and kept. */
  channelBytesIn(id: number): number {
    return this.#schedule.bytesIn(id);
  }

  /** Sequence that the next packet will carry. */
  get nextSequence(): number {
    return this.#sent.next;
  }

  /** How many datagrams got this verdict. */
  verdicts(verdict: Verdict): number {
    return this.#times[At.verdicts + verdict]!;
  }

  /** Whether a flush would find something to say that may leave: a message, a ping, an ack that is due. */
  wantsFlush(nowMs: number): boolean {
    if (!this.#close.open) return false;
    const { gate, mtu } = this.#path;
    if (this.#alive.pingDue || this.ackOverdue(nowMs) || mtu.due(nowMs) > 0) return true;
    return !gate.waits(nowMs) && !this.#sent.full && this.#schedule.pending(nowMs);
  }

  /**
   * Takes a data packet whose connection id is ours, and opens it in place. Accepted and refused ones are authentic, and
   * one that raised `received.newest` is newer than all before: who moves with an address goes by those.
   */
  receive(nowMs: number, bytes: Uint8Array, start: number, end: number): Verdict {
    const packet = borrowIntake(bytes, start, end);
    try {
      const verdict = this.#receive(nowMs, packet);
      this.#times[At.verdicts + verdict]!++;
      return verdict;
    } finally {
      returnIntake(packet);
    }
  }

  advance(nowMs: number): void {
    if (nowMs < this.#times[At.now]!) return;
    this.#times[At.now] = nowMs;
    this.#close.advance(nowMs);
    if (!this.#close.open) return;
    this.#sent.detectLosses(nowMs);
    this.#opener.keys.advance(nowMs);
    const { next, newestAcked } = this.#sent;
    if (this.#keys.worn(next, newestAcked)) this.close(nowMs, 'error', 'nothing is acknowledged');
    if (this.#alive.advance(nowMs)) this.#close.timeOut();
  }

  /** What is due should leave now, as much of it as the rate allows; until then `poll` offers nothing. */
  flush(nowMs: number): void {
    this.advance(nowMs);
    this.#flushing = this.#close.open;
    this.#path.gate.open();
    this.#urgent = false;
  }

  /** Something was lost or asked that is worth a flush of its own: waiting for the next would only add to the delay. */
  get urgent(): boolean {
    return this.#urgent || this.#answer.due;
  }

  /** Writes the next packet at out[start..]; returns its length, 0 = drained, or called by what it called itself. */
  poll(nowMs: number, out: Uint8Array, start: number): number {
    const closing = this.#close.wantsPacket(nowMs);
    // The answer to a challenge waits for no flush: the peer's packets go astray meanwhile.
    if (!closing && !this.#flushing && !this.#answer.due) return 0;
    // The packet under way has taken the next sequence already, and no sequence is ever sealed twice.
    if (this.#writing) return 0;
    this.#writing = true;
    const packet = borrowWriter(out, start);
    try {
      if (closing) return this.#writeClosePacket(nowMs, packet);
      const length = this.#writePacket(nowMs, packet);
      if (length > 0) return length;
    } finally {
      this.#writing = false;
      returnWriter(packet);
    }
    this.#flushing = false;
    this.#path.gate.close(nowMs);
    return 0;
  }

  wakeAt(): number {
    if (!this.#close.open) return this.#close.wakeAt();
    return Math.min(
      this.#alive.wakeAt(),
      this.#sent.wakeAt(),
      this.#path.mtu.wakeAt(),
      this.#ackTimer.wakeAt(),
      this.#path.gate.wakeAt(),
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

  /**
   * Writes a packet at out[start..] that asks the peer to say `data`, a number below 2^32 that nobody can guess, back to
   * the address it was sent to. Returns its bytes, {@link PATH_CHALLENGE_BYTES}; 0 = `sizeBytesMax` is less, or the
   * connection is over. Its fate says nothing of the path in use.
   */
  writePathChallenge(
    nowMs: number,
    out: Uint8Array,
    start: number,
    sizeBytesMax: number,
    data: number,
  ): number {
    if (!this.#close.open || this.#writing || sizeBytesMax < PATH_CHALLENGE_BYTES) return 0;
    // Nobody is called meanwhile, so nothing can come between.
    const packet = borrowWriter(out, start);
    this.#beginBare(packet, PATH_CHALLENGE_BYTES);
    packet.noAcks();
    packet.path(ControlSection.pathChallenge, data);
    const sizeBytes = packet.seal();
    returnWriter(packet);
    this.#sent.sentElsewhere(nowMs, sizeBytes);
    this.#trafficOut.add(nowMs, sizeBytes);
    return sizeBytes;
  }

  /**
   * The peer is at another address from now on: round trip, rate, losses and datagram size begin anew, and packets under
   * way say nothing of the new path (RFC 9000, section 9.4). They get their verdicts, and what waits goes on waiting.
   */
  pathChanged(nowMs: number): void {
    this.#path = new Path(nowMs, this.#sent.next, this.#options, this.#path.rate.records);
    this.#sent.restart(this.#path.rate);
    this.received.forgetLosses();
  }

  #receive(nowMs: number, packet: PacketIntake): Verdict {
    if (this.#close.over) return Verdict.unexpected;
    const opened = this.#opener.open(nowMs, packet);
    if (opened !== Verdict.accepted) return opened;
    return this.#receiveBody(nowMs, packet);
  }

  #receiveBody(nowMs: number, packet: PacketIntake): Verdict {
    const { block, body, sections, sequence } = packet;
    if (!block.read(body)) return Verdict.malformed;
    let verdict = this.#intake.read(nowMs, packet);
    // Acks come last: a packet that is malformed anywhere changes nothing at all.
    if (verdict === Verdict.malformed) return verdict;
    if (!this.#sent.receive(nowMs, block)) return Verdict.malformed;
    this.#opener.keep(nowMs, sequence);
    const first = this.#alive.heard(nowMs);
    if (nowMs > this.#times[At.now]!) this.#times[At.now] = nowMs;
    this.#trafficIn.add(nowMs, packet.end - packet.start);
    // A connection that was closed before it was proven stays unproven for the layer above.
    if (first && this.#close.open) this.#options.sink.proven?.();
    // Whoever was told of the acks may have closed.
    if (verdict === Verdict.accepted && !this.#intake.keeps(sections)) verdict = Verdict.refused;
    const kept = verdict === Verdict.accepted;
    const outOfOrder = this.received.received(nowMs, sequence, kept);
    if (!kept) return verdict;
    if (this.received.newestKept === sequence) this.#times[At.newestKept] = nowMs;
    this.#intake.commit(nowMs, packet, outOfOrder);
    return verdict;
  }

  #writePacket(nowMs: number, packet: PacketWriter): number {
    if (!this.#speaks(nowMs)) return 0;
    this.#begin(nowMs, packet, this.#path.mtu.sizeBytes);
    let eliciting = this.#answer.write(packet);
    // Whom the window holds back the rate does not: it is not to grow for that.
    if (this.#flushing && !this.#sent.full && this.#output.write(nowMs, packet, this.#path)) {
      eliciting = true;
    }
    if (this.#alive.pingDue && !eliciting) {
      packet.ping();
      eliciting = true;
    }
    if (packet.bare && !this.ackOverdue(nowMs)) return this.#writeProbe(nowMs, packet);
    return this.#finishPacket(nowMs, packet, eliciting);
  }

  /** Whether a packet may come to anything: each flush ends with one that does not, and it is to cost little. */
  #speaks(nowMs: number): boolean {
    if (this.#answer.due || this.#alive.pingDue || this.ackOverdue(nowMs)) return true;
    if (this.#flushing && !this.#sent.full && this.#schedule.restOrPending(nowMs)) return true;
    return this.#path.mtu.due(nowMs) > 0;
  }

  #begin(nowMs: number, packet: PacketWriter, sizeBytes: number): void {
    this.#beginBare(packet, sizeBytes);
    packet.acks(this.received, delayUnits(nowMs, this.#times, At.newestKept));
  }

  #beginBare(packet: PacketWriter, sizeBytes: number): void {
    const { next, newestAcked } = this.#sent;
    this.#keys.turn(next, newestAcked);
    packet.begin(sizeBytes, this.#options.remoteId, next, this.#keys);
  }

  /**
   * Looks for a larger datagram size, when nothing else may be said. Not a matter of credit: a probe a second is little,
   * and those who always have more to say than they may are those whom it helps.
   */
  #writeProbe(nowMs: number, packet: PacketWriter): number {
    const sizeBytes = this.#path.mtu.due(nowMs);
    if (sizeBytes === 0) return 0;
    this.#begin(nowMs, packet, sizeBytes);
    packet.probe();
    this.#path.mtu.probed(nowMs, this.#sent.next);
    const sealed = packet.seal();
    this.#sent.sentProbe(nowMs, sealed);
    return this.#left(nowMs, sealed);
  }

  #finishPacket(nowMs: number, packet: PacketWriter, eliciting: boolean): number {
    const sizeBytes = packet.seal();
    this.#schedule.settle(masks);
    this.#sent.sent(nowMs, sizeBytes, masks[0]!, masks[1]!, eliciting);
    return this.#left(nowMs, sizeBytes);
  }

  /** A packet is on its way. */
  #left(nowMs: number, sizeBytes: number): number {
    this.#trafficOut.add(nowMs, sizeBytes);
    this.#alive.sent(nowMs);
    this.#ackTimer.sent(nowMs);
    return sizeBytes;
  }

  #writeClosePacket(nowMs: number, packet: PacketWriter): number {
    this.#begin(nowMs, packet, DATAGRAM_BYTES);
    // Not at `close`, which may be called while a packet is being written that holds something else.
    this.#closeFrom = Math.min(this.#closeFrom, this.#sent.next);
    const closing = this.#close.write(nowMs, packet.body);
    return this.#finishPacket(nowMs, packet, closing);
  }

  #acked(sequence: number, low: number, high: number): void {
    if (sequence >= this.#closeFrom) this.#close.confirmed();
    this.#path.acked(sequence, this.#sent.sizeBytes(sequence));
    this.#schedule.tell(sequence, low, high, true);
  }

  #lost(sequence: number, low: number, high: number): void {
    this.#path.lost(this.#times[At.now]!, sequence, this.#sent.sizeBytes(sequence));
    this.#urgent ||= (low | high) !== 0;
    this.#schedule.tell(sequence, low, high, false);
  }

  /** The connection is over for its channels. */
  #abandon(): void {
    this.#answer.drop();
    this.#sent.abandon();
    this.#schedule.close();
  }
}
