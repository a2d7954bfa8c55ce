// The connections of a server, whatever travels in them: slots, routing by connection id, changes of address.
// Composition: who comes in is for responder.ts, where a connection moves to for path-change.ts.

import {
  type AddressBook,
  type ChannelPlan,
  Connection,
  type ConnectionTuning,
  type Crypto,
  checkTuning,
  createKeyPair,
  DATA_PACKET_BYTES_MIN,
  type Destination,
  type EndReason,
  type GameIdentity,
  KeyChain,
  type KeyPair,
  type Machine,
  PacketKind,
  type ResumeKeys,
  readConnectionId,
  readKind,
  type SessionKeys,
  Verdict,
  verdictNames,
} from '@tickwire/protocol';
import { type Access, AccessCheck, type Resumable } from './access.ts';
import { AdmissionLimits } from './admission-limits.ts';
import type { HostStatistics } from './host-statistics.ts';
import { type LimitOptions, resolveLimits } from './limits.ts';
import { ReplyRing } from './reply-ring.ts';
import { HandshakeResponder } from './responder.ts';
import { isWaiting, type Slot, SlotState, SlotTable, type User } from './slot-table.ts';
import { TokenLedger } from './token-ledger.ts';
import { WallClock } from './wall-clock.ts';

/** What a host asks of and tells to the layer above. A slot is a small number, reused after `ended`. */
export interface HostSink {
  /** A proven address wants in, with good credentials: answer with `accept` or `refuse` and the ticket, now or later. */
  requested(slot: number, ticket: number): void;
  /** The session that can be resumed by this id; undefined = none. Default: there are none. */
  resumable?(id: Uint8Array): Resumable | undefined;
  /** The channels of a connection about to be made; `resumes` = the session that it resumes, 0 = a new one. */
  channels(slot: number, resumes: number): readonly ChannelPlan[];
  /** The first sealed packet came: the connection is live. */
  opened(slot: number, resumes: number): void;
  /** A live connection is over for the user; half-open ones vanish silently. */
  closed(slot: number, reason: EndReason, text: string, remote: boolean): void;
  /** The place is nobody's any more: an ended connection has been settled, or one that never opened was given up. */
  freed?(slot: number): void;
  /** True = what is due in this connection may share the datagrams of a later flush. Default: nothing waits. */
  waits?(slot: number): boolean;
}

export interface HostOptions extends ConnectionTuning {
  readonly game: GameIdentity;
  readonly crypto: Crypto;
  readonly addresses: AddressBook;
  readonly sink: HostSink;
  /** Unix time, ms, as it is when asked: what tokens are judged by. Default: as if the machine's time were it. */
  readonly wallClock?: (() => number) | undefined;
  /** What clients know the server by. Default: a new one. */
  readonly identity?: KeyPair | undefined;
  /** The way in. Default: open to everybody. */
  readonly access?: Access | undefined;
  readonly limits?: LimitOptions | undefined;
  /** Slots, live and half-open together. Default 1024, at most 65535. */
  readonly maxConnections?: number;
  /** Text that goes with the refusal 'full', such as where else to try; cut to 200 bytes. Default none. */
  readonly fullText?: string | undefined;
}

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
  readonly #tokens = new TokenLedger();
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
    const limits = resolveLimits(options.limits ?? {}, maxConnections);
    const wall = new WallClock(wallClock);
    this.#options = options;
    this.identity = options.identity ?? createKeyPair(crypto);
    this.#table = new SlotTable(crypto, maxConnections);
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
    this.#from = from;
    const verdict = connection.receive(nowMs, bytes, start, end);
    if (verdict === Verdict.accepted || verdict === Verdict.refused)
      this.#limits.received(slot.index);
    if (!slot.connection?.open) this.#draining = true;
    else if (connection.urgent) this.#urgent = true;
    // Only what is authentic moves the window.
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
    const keys = this.#responder.accept(slot);
    if (keys === undefined) {
      this.#release(slot);
      return;
    }
    this.#limits.restart(slot.index);
    slot.state = SlotState.halfOpen;
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
    if (tokenId !== undefined && !this.#tokens.consume(tokenId, slot.index)) {
      slot.connection?.close(this.#nowMs, 'token-used', '');
      return;
    }
    slot.state = SlotState.live;
    this.#options.sink.opened(slot.index, resumes);
  }

  #closed(slot: Slot, reason: EndReason, text: string, remote: boolean): void {
    const wasLive = slot.state === SlotState.live;
    slot.state = SlotState.leaving;
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
