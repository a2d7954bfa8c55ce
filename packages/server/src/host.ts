// The connections of a server, whatever travels in them: handshake, slots, routing by connection id.
// Composition: what a handshake packet holds stands in protocol's session/handshake.ts.

import {
  type AddressBook,
  type ChannelPlan,
  Connection,
  type ConnectionTuning,
  CookieJar,
  type Crypto,
  checkTuning,
  DATA_PACKET_BYTES_MIN,
  type Destination,
  deriveKey,
  type EndReason,
  type GameIdentity,
  Hello,
  KeyPurpose,
  type Machine,
  PacketKind,
  readConnectionId,
  readKind,
  Verdict,
  verdictNames,
  WIRE_VERSION,
  writeAccept,
  writeChallenge,
  writeRefusal,
} from '@tickwire/protocol';
import { ReplyRing } from './reply-ring.ts';
import { type Slot, SlotState, SlotTable } from './slot-table.ts';

/** What a host asks of and tells to the layer above. A slot is a small number, reused after `ended`. */
export interface HostSink {
  /** A proven address wants in: answer with `accept` or `refuse` and the ticket, now or later. */
  requested(slot: number, ticket: number): void;
  /** The channels of a connection about to be made. */
  channels(slot: number): readonly ChannelPlan[];
  /** The first sealed packet came: the connection is live. */
  opened(slot: number): void;
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
  /** Slots, live and half-open together. Default 1024, at most 65535. */
  readonly maxConnections?: number;
  /** Text that goes with the refusal 'full', such as where else to try; cut to 200 bytes. Default none. */
  readonly fullText?: string | undefined;
}

const MAX_CONNECTIONS = 1024;
/** Undecided or without a first sealed packet for so long: forgotten. */
const HALF_OPEN_MS = 5000;
/** Refusals to strangers, together, per second. */
const REFUSALS_PER_SECOND = 100;

/** See the head of the file. */
export class ConnectionHost implements Machine {
  readonly #options: HostOptions;
  readonly #table: SlotTable;
  readonly #replies = new ReplyRing();
  readonly #cookies: CookieJar;
  readonly #hello = new Hello();
  readonly #cookie = new Uint8Array(20);
  readonly #verdicts = new Float64Array(verdictNames.length);
  #cursor = 0;
  #draining = false;
  #urgent = false;
  #refusalsLeft = REFUSALS_PER_SECOND;
  #refusalsAtMs = 0;
  #nowMs = 0;

  constructor(options: HostOptions) {
    checkTuning(options);
    this.#options = options;
    this.#table = new SlotTable(options.crypto, options.maxConnections ?? MAX_CONNECTIONS);
    this.#cookies = new CookieJar(options.crypto, options.addresses);
  }

  /** Datagrams by verdict, over all connections and strangers. */
  verdicts(verdict: Verdict): number {
    return this.#verdicts[verdict]!;
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

  /** Answers to strangers that found the reply ring full. */
  get repliesDropped(): number {
    return this.#replies.dropped;
  }

  /** The connection in `slot`, if it has one. */
  connection(slot: number): Connection | undefined {
    return this.#table.slots[slot]?.connection;
  }

  /** Opaque address of the peer in `slot`. */
  address(slot: number): number {
    return this.#table.slots[slot]?.address ?? 0;
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
      const waiting = slot.state === SlotState.deciding || slot.state === SlotState.halfOpen;
      if (waiting && nowMs - slot.sinceMs >= HALF_OPEN_MS) this.#release(slot);
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
      const slot = this.#table.slots[this.#cursor]!;
      const length = slot.connection?.poll(nowMs, out, start) ?? 0;
      if (length > 0) {
        to.address = slot.address;
        return length;
      }
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
    const { crypto, timeoutMs, keepAliveMs, rate, probePathMtu } = this.#options;
    const { clientKey, serverKey, nonce } = slot;
    const key = (purpose: number) => deriveKey(crypto, purpose, clientKey, serverKey, nonce);
    slot.state = SlotState.halfOpen;
    slot.sinceMs = this.#nowMs;
    slot.connection = new Connection({
      remoteId: slot.remoteId,
      sealOutgoing: crypto.sealer(key(KeyPurpose.serverToClient)),
      openIncoming: crypto.sealer(key(KeyPurpose.clientToServer)),
      channels: this.#options.sink.channels(slotIndex),
      nowMs: this.#nowMs,
      timeoutMs,
      keepAliveMs,
      rate,
      probePathMtu,
      sink: {
        proven: () => this.#proven(slotIndex),
        closed: (reason, text, remote) => this.#closed(slotIndex, reason, text, remote),
        ended: () => this.#release(slot),
      },
    });
    this.#replyAccept(slot);
  }

  /** Answers a request: no, and why. */
  refuse(slotIndex: number, ticket: number, reason: EndReason, text: string): void {
    const slot = this.#table.slots[slotIndex];
    if (slot?.state !== SlotState.deciding || slot.localId !== ticket) return;
    const told = this.#replyRefusal(slot.nonce, slot.address, reason, text, true);
    this.#release(slot, told);
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
        return this.#receiveRequest(nowMs, bytes, start, end, from);
      case PacketKind.proof:
        return this.#receiveProof(nowMs, bytes, start, end, from);
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
    const index = id & 0xffff;
    const slot = this.#table.slots[index];
    if (slot?.connection === undefined || slot.localId !== id) return Verdict.unknown;
    if (slot.address !== from) return Verdict.unexpected;
    const verdict = slot.connection.receive(nowMs, bytes, start, end);
    if (!slot.connection?.open) this.#draining = true;
    else if (slot.connection.urgent) this.#urgent = true;
    return verdict;
  }

  #receiveRequest(
    nowMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    from: number,
  ): Verdict {
    const hello = this.#hello;
    if (!hello.readRequest(bytes, start, end)) return Verdict.malformed;
    const mismatch = this.#mismatch(hello);
    if (mismatch !== undefined) {
      if (!this.#mayRefuse(nowMs)) return Verdict.limited;
      this.#replyRefusal(hello.nonce, from, mismatch, '');
      return Verdict.unexpected;
    }
    if (!this.#replies.hasRoom()) return Verdict.limited;
    this.#cookies.make(nowMs, hello.nonce, from, this.#cookie);
    const { bytes: out, offset } = this.#replies;
    this.#replies.push(writeChallenge(out, offset, hello.nonce, this.#cookie), from);
    return Verdict.accepted;
  }

  #receiveProof(
    nowMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    from: number,
  ): Verdict {
    const hello = this.#hello;
    if (!hello.readProof(bytes, start, end)) return Verdict.malformed;
    if (this.#mismatch(hello) !== undefined) return Verdict.unexpected;
    if (!this.#cookies.check(nowMs, hello.nonce, from, hello.cookie)) return Verdict.forged;
    const known = this.#table.find(hello);
    if (known !== undefined) return this.#repeatAccept(known);
    const index = this.#table.take(hello, nowMs);
    if (index < 0) {
      const { fullText = '' } = this.#options;
      if (this.#mayRefuse(nowMs)) this.#replyRefusal(hello.nonce, from, 'full', fullText);
      return Verdict.limited;
    }
    const slot = this.#table.slots[index]!;
    slot.address = this.#options.addresses.hold(from);
    this.#options.sink.requested(index, slot.localId);
    return Verdict.accepted;
  }

  #mismatch(hello: Hello): EndReason | undefined {
    const { idHash, digest } = this.#options.game;
    if (hello.versionMin > WIRE_VERSION || hello.versionMax < WIRE_VERSION) return 'version';
    return hello.idHash !== idHash || hello.digest !== digest ? 'game' : undefined;
  }

  #mayRefuse(nowMs: number): boolean {
    if (nowMs - this.#refusalsAtMs >= 1000) {
      this.#refusalsAtMs = nowMs;
      this.#refusalsLeft = REFUSALS_PER_SECOND;
    }
    return this.#refusalsLeft > 0 && this.#refusalsLeft-- > 0;
  }

  #repeatAccept(slot: Slot): Verdict {
    if (slot.state === SlotState.halfOpen) this.#replyAccept(slot);
    return Verdict.duplicate;
  }

  #replyAccept(slot: Slot): void {
    if (!this.#replies.hasRoom()) return;
    const { crypto } = this.#options;
    const { nonce, localId, clientKey, serverKey } = slot;
    const acceptKey = deriveKey(crypto, KeyPurpose.accept, clientKey, serverKey, nonce);
    const { bytes, offset } = this.#replies;
    const length = writeAccept(bytes, offset, nonce, localId, serverKey, crypto, acceptKey);
    this.#replies.push(length, slot.address);
  }

  /** True = the reply waits to be polled, and with `held` lets go of the address then. */
  #replyRefusal(
    nonce: Uint8Array,
    to: number,
    reason: EndReason,
    text: string,
    held = false,
  ): boolean {
    if (!this.#replies.hasRoom()) return false;
    const { bytes, offset } = this.#replies;
    this.#replies.push(writeRefusal(bytes, offset, nonce, reason, text), to, held);
    return true;
  }

  #proven(index: number): void {
    this.#table.slots[index]!.state = SlotState.live;
    this.#options.sink.opened(index);
  }

  #closed(index: number, reason: EndReason, text: string, remote: boolean): void {
    const slot = this.#table.slots[index]!;
    const wasLive = slot.state === SlotState.live;
    slot.state = SlotState.leaving;
    if (wasLive) this.#options.sink.closed(index, reason, text, remote);
  }

  #release(slot: Slot, keepAddress = false): void {
    if (!keepAddress) this.#options.addresses.release(slot.address);
    this.#table.free(slot);
    this.#options.sink.freed?.(slot.index);
  }
}
