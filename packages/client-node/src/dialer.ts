// The client's end of the handshake, and the connection it leads to. Whatever travels in it is the caller's.

import {
  CHALLENGE_BYTES,
  type ChannelPlan,
  COOKIE_BYTES,
  Connection,
  type ConnectionTuning,
  type Crypto,
  checkTuning,
  DATA_PACKET_BYTES_MIN,
  type Destination,
  deriveKey,
  type EndReason,
  echoesNonce,
  type GameIdentity,
  type HelloFields,
  KEY_BYTES,
  KeyPurpose,
  type Machine,
  NONCE_BYTES,
  PacketKind,
  readAccept,
  readConnectionId,
  readKind,
  readRefusal,
  TAG_BYTES,
  Verdict,
  writeProof,
  writeRequest,
} from '@tickwire/protocol';

/** What a dialer asks of and tells to the layer above. */
export interface DialerSink {
  channels(): readonly ChannelPlan[];
  /** The server accepted and was heard on the connection: both ends know that it is there. */
  opened(connection: Connection): void;
  /** The attempt failed, or the connection is over. Once. */
  closed(reason: EndReason, text: string, remote: boolean): void;
}

export interface DialerOptions extends ConnectionTuning {
  readonly game: GameIdentity;
  readonly crypto: Crypto;
  /** Opaque address of the server. */
  readonly server: number;
  readonly sink: DialerSink;
  readonly nowMs: number;
  /** No accept for so long: unreachable. Default 5 s. */
  readonly connectTimeoutMs?: number | undefined;
}

const CONNECT_TIMEOUT_MS = 5000;
/** Request and proof are repeated so often; a padded packet is long, so not at the rate of a game. */
const REPEAT_MS = 200;

/** A cookie lives longer than this; unanswered for so long, the client asks for a new one. */
const COOKIE_MS = 4000;

const State = { requesting: 0, proving: 1, open: 2, over: 3 } as const;

/** See the head of the file. */
export class Dialer implements Machine {
  readonly #options: DialerOptions;
  readonly #hello: HelloFields;
  readonly #cookie = new Uint8Array(COOKIE_BYTES);
  #localId = 0;
  #state: number = State.requesting;
  #nextSendMs: number;
  #deadlineMs: number;
  #challengedMs = 0;
  #connection: Connection | undefined;

  constructor(options: DialerOptions) {
    checkTuning(options);
    this.#options = options;
    const nonce = new Uint8Array(NONCE_BYTES);
    const clientKey = new Uint8Array(KEY_BYTES);
    const id = new Uint8Array(4);
    options.crypto.randomBytes(nonce);
    options.crypto.randomBytes(clientKey);
    options.crypto.randomBytes(id);
    this.#localId = (id[0]! | (id[1]! << 8) | (id[2]! << 16) | (id[3]! << 24)) >>> 0 || 1;
    this.#hello = { game: options.game, nonce, clientId: this.#localId, clientKey };
    this.#nextSendMs = options.nowMs;
    this.#deadlineMs = options.nowMs + (options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS);
  }

  get connection(): Connection | undefined {
    return this.#connection;
  }

  /** Nothing will be sent or taken any more. */
  get over(): boolean {
    return this.#state === State.over;
  }

  receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): Verdict {
    if (from !== this.#options.server) return Verdict.unknown;
    switch (readKind(bytes, start, end)) {
      case PacketKind.data:
        return this.#receiveData(nowMs, bytes, start, end);
      case PacketKind.challenge:
        return this.#receiveChallenge(nowMs, bytes, start, end);
      case PacketKind.accept:
        return this.#receiveAccept(nowMs, bytes, start, end);
      case PacketKind.refuse:
        return this.#receiveRefusal(bytes, start, end);
      default:
        return Verdict.malformed;
    }
  }

  advance(nowMs: number): void {
    this.#connection?.advance(nowMs);
    const waiting = this.#state === State.requesting || this.#state === State.proving;
    if (waiting && nowMs >= this.#deadlineMs) this.#fail('unreachable', '', false);
    if (this.#state === State.proving && nowMs >= this.#challengedMs + COOKIE_MS) {
      this.#state = State.requesting;
    }
  }

  /** What is due in the connection should leave now. */
  flush(nowMs: number): void {
    this.#connection?.flush(nowMs);
  }

  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    to.address = this.#options.server;
    if (this.#connection !== undefined) return this.#connection.poll(nowMs, out, start);
    if (this.#state === State.over || nowMs < this.#nextSendMs) return 0;
    this.#nextSendMs = nowMs + REPEAT_MS;
    return this.#state === State.requesting
      ? writeRequest(out, start, this.#hello)
      : writeProof(out, start, this.#hello, this.#cookie);
  }

  wakeAt(): number {
    if (this.#connection !== undefined) return this.#connection.wakeAt();
    if (this.#state === State.over) return Number.POSITIVE_INFINITY;
    return Math.min(this.#nextSendMs, this.#deadlineMs);
  }

  /** Gives up the attempt, or ends the connection. */
  close(nowMs: number, reason: EndReason, text: string): void {
    if (this.#connection !== undefined) this.#connection.close(nowMs, reason, text);
    else this.#fail(reason, text, false);
  }

  #receiveData(nowMs: number, bytes: Uint8Array, start: number, end: number): Verdict {
    if (end - start < DATA_PACKET_BYTES_MIN) return Verdict.malformed;
    if (this.#connection === undefined) return Verdict.unexpected;
    if (readConnectionId(bytes, start) !== this.#localId) return Verdict.unknown;
    return this.#connection.receive(nowMs, bytes, start, end);
  }

  #receiveChallenge(nowMs: number, bytes: Uint8Array, start: number, end: number): Verdict {
    if (end - start !== CHALLENGE_BYTES) return Verdict.malformed;
    if (this.#state !== State.requesting) return Verdict.unexpected;
    if (!echoesNonce(bytes, start, end, this.#hello.nonce)) return Verdict.forged;
    const from = start + 1 + NONCE_BYTES;
    for (let i = 0; i < COOKIE_BYTES; i++) this.#cookie[i] = bytes[from + i]!;
    this.#state = State.proving;
    this.#challengedMs = nowMs;
    this.#nextSendMs = nowMs;
    return Verdict.accepted;
  }

  #receiveAccept(nowMs: number, bytes: Uint8Array, start: number, end: number): Verdict {
    if (this.#state !== State.proving) return Verdict.unexpected;
    if (!echoesNonce(bytes, start, end, this.#hello.nonce)) return Verdict.forged;
    const accept = readAccept(bytes, start, end);
    if (accept === undefined) return Verdict.malformed;
    const { crypto, timeoutMs, keepAliveMs, rate, probePathMtu } = this.#options;
    const { clientKey, nonce } = this.#hello;
    const key = (purpose: number) => deriveKey(crypto, purpose, clientKey, accept.serverKey, nonce);
    if (!this.#tagFits(bytes, start, end, key(KeyPurpose.accept))) return Verdict.forged;
    this.#state = State.open;
    this.#connection = new Connection({
      remoteId: accept.serverId,
      sealOutgoing: crypto.sealer(key(KeyPurpose.clientToServer)),
      openIncoming: crypto.sealer(key(KeyPurpose.serverToClient)),
      channels: this.#options.sink.channels(),
      nowMs,
      timeoutMs,
      keepAliveMs,
      rate,
      probePathMtu,
      sink: {
        proven: () => this.#options.sink.opened(this.#connection!),
        closed: (reason, text, remote) => this.#options.sink.closed(reason, text, remote),
        ended: () => {
          this.#state = State.over;
        },
      },
    });
    return Verdict.accepted;
  }

  #receiveRefusal(bytes: Uint8Array, start: number, end: number): Verdict {
    if (this.#state !== State.requesting && this.#state !== State.proving) {
      return Verdict.unexpected;
    }
    if (!echoesNonce(bytes, start, end, this.#hello.nonce)) return Verdict.forged;
    const refusal = readRefusal(bytes, start, end);
    if (refusal === undefined) return Verdict.malformed;
    this.#fail(refusal.reason, refusal.text, true);
    return Verdict.accepted;
  }

  #tagFits(bytes: Uint8Array, start: number, end: number, acceptKey: Uint8Array): boolean {
    const tag = new Uint8Array(TAG_BYTES);
    const tagAt = end - TAG_BYTES;
    this.#options.crypto.mac(acceptKey, bytes, start, tagAt, tag, 0);
    let difference = 0;
    for (let i = 0; i < TAG_BYTES; i++) difference |= tag[i]! ^ bytes[tagAt + i]!;
    return difference === 0;
  }

  #fail(reason: EndReason, text: string, remote: boolean): void {
    if (this.#state === State.over) return;
    this.#state = State.over;
    this.#options.sink.closed(reason, text, remote);
  }
}
