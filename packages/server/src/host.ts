// The connections of a server, whatever travels in them: slots, routing by connection id, changes of address.
// Composition: who comes in is for responder.ts, where a connection moves to for path-change.ts.

import {
  Connection,
  checkTuning,
  createKeyPair,
  DATA_PACKET_BYTES_MIN,
  type Destination,
  type EndReason,
  KeyChain,
  type KeyPair,
  type Machine,
  PacketKind,
  type ResumeKeys,
  readConnectionId,
  readKind,
  type SessionKeys,
  TickwireError,
  Verdict,
  verdictNames,
} from '@tickwire/protocol';
import { AccessCheck, checkClock } from './access.ts';
import { AdmissionLimits } from './admission-limits.ts';
import type { HostOptions } from './host-options.ts';
import type { HostStatistics } from './host-statistics.ts';
import { resolveLimits } from './limits.ts';
import { ReplyRing } from './reply-ring.ts';
import { HandshakeResponder } from './responder.ts';
import { isWaiting, type Slot, SlotState, SlotTable, type User } from './slot-table.ts';
import { TokenLedger } from './token-ledger.ts';
import { WallClock } from './wall-clock.ts';

export type { HostOptions, HostSink } from './host-options.ts';

const MAX_CONNECTIONS = 1024;
/** Undecided or without a first sealed packet for so long: forgotten. */
const HALF_OPEN_MS = 5000;

/** See the head of the file. */
export class ConnectionHost implements Machine {
  /** What clients know the server by. */
  readonly identity: KeyPair;
  readonly #options: HostOptions;
  readonly #table: SlotTable;
  readonly #replies = new ReplyRing();
  readonly #limits: AdmissionLimits;
  readonly #responder: HandshakeResponder;
  readonly #tokens: TokenLedger;
  readonly #verdicts = new Float64Array(verdictNames.length);
  #cursor = 0;
  #draining = false;
  #urgent = false;
  #pathChallenges = 0;
  #pathChanges = 0;
  /** Where the packet that is being received came from. */
  #from = 0;
  #nowMs = 0;

  constructor(options: HostOptions) {
    checkTuning(options);
    const { crypto, addresses, game, sink, wallClock = () => this.#nowMs } = options;
    const { access = { way: 'open' }, maxConnections = MAX_CONNECTIONS, fullText = '' } = options;
    checkClock(access, options.wallClock);
    const limits = resolveLimits(options.limits ?? {}, maxConnections);
    const wall = new WallClock(wallClock);
    this.#options = options;
    this.identity = options.identity ?? createKeyPair(crypto);
    this.#table = new SlotTable(crypto, maxConnections, ({ index }) => this.#limits.waited(index));
    this.#tokens = new TokenLedger(limits.tokens);
    this.#limits = new AdmissionLimits(limits, addresses, this.#table.capacity);
    const serverKey = this.identity.publicKey;
    const resumable = (id: Uint8Array) => sink.resumable?.(id);
    this.#responder = new HandshakeResponder({
      crypto,
      addresses,
      game,
      identity: this.identity,
      table: this.#table,
      replies: this.#replies,
      access: new AccessCheck({ crypto, access, game, serverKey, wall, resumable }),
      limits: this.#limits,
      tokens: this.#tokens,
      fullText,
      wall,
      consume: access.way === 'token' ? access.consume : undefined,
      requested: (slot) => this.#requested(slot),
      release: (slot, keepAddress) => this.#release(slot, keepAddress),
    });
  }

  /** Datagrams by verdict, over all connections and strangers. */
  verdicts(verdict: Verdict): number {
    return this.#verdicts[verdict]!;
  }

  /** What the handshake and the limits have counted, as a fresh reading. */
  get statistics(): HostStatistics {
    return {
      ...this.#limits.statistics,
      crypto: this.#options.crypto.provider,
      halfOpen: this.#table.halfOpen,
      unprovenBytesIn: this.#responder.unprovenBytesIn,
      unprovenBytesOut: this.#responder.unprovenBytesOut,
      repliesDropped: this.#replies.dropped,
      tokensRemembered: this.#tokens.size,
      tokensFull: this.#tokens.full,
      pathChallenges: this.#pathChallenges,
      pathChanges: this.#pathChanges,
    };
  }

  /** Slots in use, half-open ones included. */
  get used(): number {
    return this.#table.used;
  }

  /** Connections whose peers still have to learn of their end. */
  get unsettled(): number {
    let count = 0;
    for (const { connection } of this.#table.slots) if (connection?.settled === false) count++;
    return count;
  }

  /** Something was lost since the last flush that is worth one of its own. */
  get urgent(): boolean {
    return this.#urgent;
  }

  /** The connection in `slot`, if it has one. */
  connection(slot: number): Connection | undefined {
    return this.#table.slots[slot]?.connection;
  }

  /** Opaque address of the peer in `slot`. */
  address(slot: number): number {
    return this.#table.slots[slot]?.address ?? 0;
  }

  /** Who the client in `slot` is; undefined when nobody has vouched for it with a token. */
  user(slot: number): User | undefined {
    return this.#table.slots[slot]?.admission.user;
  }

  /** How long its client in `slot` may be silent, if its token says so. */
  timeoutMs(slot: number): number | undefined {
    return this.#table.slots[slot]?.admission.timeoutMs;
  }

  /** What resumes the session of the connection in `slot`. */
  resumeKeys(slot: number): ResumeKeys | undefined {
    return this.#table.slots[slot]?.resumeKeys;
  }

  receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): Verdict {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
    const verdict = this.#route(nowMs, bytes, start, end, from);
    this.#verdicts[verdict]!++;
    return verdict;
  }

  advance(nowMs: number): void {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
    for (let index = 0; index < this.#table.slots.length; index++) {
      const slot = this.#table.slots[index]!;
      if (slot.state === SlotState.free) continue;
      slot.connection?.advance(nowMs);
      if (slot.state === SlotState.leaving) this.#draining = true;
      if (isWaiting(slot.state) && nowMs - slot.sinceMs >= HALF_OPEN_MS) this.#release(slot);
    }
  }

  /** What is due in every connection should leave now, except where the sink says that it waits; acks do not wait. */
  flush(nowMs: number): void {
    const { sink } = this.#options;
    for (let index = 0; index < this.#table.slots.length; index++) {
      const slot = this.#table.slots[index]!;
      if (slot.state !== SlotState.live) continue;
      const connection = slot.connection!;
      if (connection.ackOverdue(nowMs) || !sink.waits?.(index)) connection.flush(nowMs);
    }
    this.#cursor = 0;
    this.#draining = true;
    this.#urgent = false;
  }

  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    const reply = this.#replies.poll(out, start, to);
    if (reply > 0 && this.#replies.polledHeld) this.#options.addresses.release(to.address);
    if (reply > 0 || !this.#draining) return reply;
    while (this.#cursor < this.#table.slots.length) {
      const length = this.#pollSlot(nowMs, this.#table.slots[this.#cursor]!, out, start, to);
      if (length > 0) return length;
      this.#cursor++;
    }
    this.#cursor = 0;
    this.#draining = false;
    return 0;
  }

  /** The layer above drives `advance` and `flush` at its ticks; only replies want to leave sooner. */
  wakeAt(): number {
    return this.#replies.empty && !this.#draining ? Number.POSITIVE_INFINITY : this.#nowMs;
  }

  /** Answers a request: makes the connection. A ticket that has expired does nothing. */
  accept(slotIndex: number, ticket: number): void {
    const slot = this.#table.slots[slotIndex];
    if (slot?.state !== SlotState.deciding || slot.localId !== ticket) return;
    this.#accept(slot);
  }

  /** Answers a request: no, and why. */
  refuse(slotIndex: number, ticket: number, reason: EndReason, text: string): void {
    const slot = this.#table.slots[slotIndex];
    if (slot?.state !== SlotState.deciding || slot.localId !== ticket) return;
    this.#responder.refuse(slot, reason, text);
  }

  /** Ends a live connection. */
  close(slotIndex: number, reason: EndReason, text: string): void {
    this.#table.slots[slotIndex]?.connection?.close(this.#nowMs, reason, text);
    this.#draining = true;
  }

  #route(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): Verdict {
    switch (readKind(bytes, start, end)) {
      case PacketKind.data:
        return this.#receiveData(nowMs, bytes, start, end, from);
      case PacketKind.request:
        return this.#responder.request(nowMs, bytes, start, end, from);
      case PacketKind.proof:
        return this.#responder.proof(nowMs, bytes, start, end, from);
      default:
        return Verdict.malformed;
    }
  }

  #receiveData(
    nowMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    from: number,
  ): Verdict {
    if (end - start < DATA_PACKET_BYTES_MIN) return Verdict.malformed;
    const id = readConnectionId(bytes, start);
    const slot = this.#table.slots[id & 0xffff];
    const connection = slot?.connection;
    if (slot === undefined || connection === undefined || slot.localId !== id) {
      return Verdict.unknown;
    }
    if (!this.#limits.mayReceive(nowMs, slot.index)) return Verdict.limited;
    const newestBefore = connection.received.newest;
    const openedBefore = connection.opened;
    this.#from = from;
    const verdict = connection.receive(nowMs, bytes, start, end);
    if (connection.opened !== openedBefore) this.#limits.received(slot.index);
    if (!slot.connection?.open) this.#draining = true;
    else if (connection.urgent) this.#urgent = true;
    // Only what is authentic and well formed moves the window.
    if (connection.received.newest > newestBefore) this.#noticePath(nowMs, slot, end - start);
    return verdict;
  }

  /** The newest packet so far has come from `#from`. */
  #noticePath(nowMs: number, slot: Slot, sizeBytes: number): void {
    const { crypto, addresses } = this.#options;
    if (this.#from === slot.address) slot.path.clear(addresses);
    else if (slot.state === SlotState.live) {
      slot.path.noticed(nowMs, this.#from, sizeBytes, crypto, addresses);
      if (slot.path.due) this.#draining = true;
    }
  }

  #pollSlot(nowMs: number, slot: Slot, out: Uint8Array, start: number, to: Destination): number {
    const { connection } = slot;
    if (connection === undefined) return 0;
    if (slot.path.due) {
      const challenge = slot.path.write(nowMs, connection, out, start);
      to.address = slot.path.candidate;
      if (challenge > 0) this.#pathChallenges++;
      if (challenge > 0) return challenge;
    }
    to.address = slot.address;
    return connection.poll(nowMs, out, start);
  }

  #pathAnswered(slot: Slot, data: number): void {
    const { addresses } = this.#options;
    if (!slot.path.answered(this.#from, data, addresses)) return;
    addresses.release(slot.address);
    slot.address = this.#from;
    slot.connection?.pathChanged(this.#nowMs);
    this.#pathChanges++;
  }

  /** A resume has shown all that there is to show; everybody else is for the sink to decide. */
  #requested(slot: Slot): void {
    if (slot.admission.resumes !== 0) this.#accept(slot);
    else this.#options.sink.requested(slot.index, slot.localId);
  }

  #accept(slot: Slot): void {
    const keys = this.#responder.accept(this.#nowMs, slot);
    if (keys === undefined) {
      this.#release(slot);
      return;
    }
    this.#limits.restart(slot.index);
    this.#table.become(slot, SlotState.halfOpen);
    slot.sinceMs = this.#nowMs;
    slot.resumeKeys = keys.resume;
    slot.connection = this.#connect(slot, keys);
  }

  #connect(slot: Slot, { serverToClient, clientToServer }: SessionKeys): Connection {
    const { crypto, sink, timeoutMs, keepAliveMs, rate, probePathMtu, rotateAfterPackets } =
      this.#options;
    return new Connection({
      remoteId: slot.remoteId,
      outgoing: new KeyChain(crypto, serverToClient),
      incoming: new KeyChain(crypto, clientToServer),
      channels: sink.channels(slot.index, slot.admission.resumes),
      nowMs: this.#nowMs,
      timeoutMs: slot.admission.timeoutMs ?? timeoutMs,
      keepAliveMs,
      rate,
      probePathMtu,
      rotateAfterPackets,
      sink: {
        proven: () => this.#proven(slot),
        closed: (reason, text, remote) => this.#closed(slot, reason, text, remote),
        ended: () => this.#release(slot),
        pathResponse: (data) => this.#pathAnswered(slot, data),
      },
    });
  }

  #proven(slot: Slot): void {
    const { resumes, tokenId } = slot.admission;
    // Whoever claims a token ends the attempt that had it, so what is heard here has its own still.
    if (tokenId !== undefined && !this.#tokens.consume(tokenId, slot.index)) {
      throw new TickwireError('internal', 'internal assertion failed: an attempt lost its token');
    }
    this.#table.become(slot, SlotState.live);
    this.#options.sink.opened(slot.index, resumes);
  }

  #closed(slot: Slot, reason: EndReason, text: string, remote: boolean): void {
    const wasLive = slot.state === SlotState.live;
    this.#table.become(slot, SlotState.leaving);
    if (wasLive) this.#options.sink.closed(slot.index, reason, text, remote);
  }

  #release(slot: Slot, keepAddress = false): void {
    const { addresses, sink } = this.#options;
    const { tokenId } = slot.admission;
    if (tokenId !== undefined) this.#tokens.release(tokenId, slot.index);
    slot.path.clear(addresses);
    if (!keepAddress) addresses.release(slot.address);
    this.#table.free(slot);
    sink.freed?.(slot.index);
  }
}
