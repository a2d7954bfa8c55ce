// The client's end of the handshake, and the connection it leads to. Whatever travels in it is the caller's.

import {
  ACCEPT_HEAD_BYTES,
  acceptFits,
  agreed,
  type Challenge,
  type ChannelPlan,
  Connection,
  type ConnectionTuning,
  type Credential,
  type Crypto,
  checkCredential,
  checkKey,
  checkTuning,
  createKeyPair,
  DATA_PACKET_BYTES_MIN,
  type Destination,
  type EndReason,
  echoesNonce,
  type GameIdentity,
  KeyChain,
  type KeyPair,
  type Machine,
  NONCE_BYTES,
  PADDED_BYTES,
  PacketKind,
  type ProofSecrets,
  type ResumeKeys,
  randomU32,
  readAccept,
  readChallenge,
  readConnectionId,
  readKind,
  readRefusal,
  type SessionKeys,
  sameBytes,
  secretOf,
  sessionKeys,
  Verdict,
  Way,
  WIRE_VERSION,
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
  /** What it shows of itself. Default: nothing. */
  readonly credential?: Credential | undefined;
  /** The identity key that the server must have. Default: whichever it has, so whoever is in between can pass for it. */
  readonly serverKey?: Uint8Array | undefined;
}

const CONNECT_TIMEOUT_MS = 5000;
/** Request and proof are repeated so often; a padded packet is long, so not at the rate of a game. */
const REPEAT_MS = 200;

/** A cookie lives longer than this; unanswered for so long, the client asks for a new one. */
const COOKIE_MS = 4000;

const State = { requesting: 0, proving: 1, open: 2, over: 3 } as const;

const OPEN: Credential = { way: Way.open };

/** What is drawn anew for every attempt; the proof is made once, and repeated as it is. */
interface Attempt {
  readonly nonce: Uint8Array;
  readonly pair: KeyPair;
  readonly id: number;
  readonly proof: Uint8Array;
  secrets: ProofSecrets | undefined;
}

/** See the head of the file. */
export class Dialer implements Machine {
  readonly #options: DialerOptions;
  #attempt: Attempt;
  #state: number = State.requesting;
  #nextSendMs: number;
  #deadlineMs: number;
  #challengedMs = 0;
  /** A server with another identity key has answered. */
  #stranger = false;
  /** The server has answered, if only with a challenge. */
  #challenged = false;
  #connection: Connection | undefined;
  #resumeKeys: ResumeKeys | undefined;

  constructor(options: DialerOptions) {
    const { credential = OPEN, serverKey } = options;
    checkTuning(options);
    checkCredential(credential);
    if (serverKey !== undefined) checkKey('serverKey', serverKey);
    this.#options = options;
    this.#attempt = createAttempt(options.crypto);
    this.#nextSendMs = options.nowMs;
    this.#deadlineMs = options.nowMs + (options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS);
  }

  get connection(): Connection | undefined {
    return this.#connection;
  }

  /** What resumes the session of this connection, once it has been accepted. */
  get resumeKeys(): ResumeKeys | undefined {
    return this.#resumeKeys;
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
    if (waiting && nowMs >= this.#deadlineMs) this.#giveUp();
    if (this.#state === State.proving && nowMs >= this.#challengedMs + COOKIE_MS) {
      this.#attempt = createAttempt(this.#options.crypto);
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
    const { nonce, proof } = this.#attempt;
    if (this.#state === State.requesting) {
      return writeRequest(out, start, { game: this.#options.game, nonce });
    }
    out.set(proof, start);
    return proof.length;
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
    if (readConnectionId(bytes, start) !== this.#attempt.id) return Verdict.unknown;
    return this.#connection.receive(nowMs, bytes, start, end);
  }

  #receiveChallenge(nowMs: number, bytes: Uint8Array, start: number, end: number): Verdict {
    const challenge = readChallenge(bytes, start, end);
    if (challenge === undefined) return Verdict.malformed;
    if (this.#state !== State.requesting) return Verdict.unexpected;
    if (!echoesNonce(bytes, start, end, this.#attempt.nonce)) return Verdict.forged;
    if (challenge.version !== WIRE_VERSION) return Verdict.malformed;
    if (!this.#isExpected(challenge.serverKey)) {
      this.#stranger = true;
      return Verdict.forged;
    }
    if (!this.#prove(challenge)) return Verdict.forged;
    this.#stranger = false;
    this.#challenged = true;
    this.#state = State.proving;
    this.#challengedMs = nowMs;
    this.#nextSendMs = nowMs;
    return Verdict.accepted;
  }

  /** Makes the proof that answers the challenge; false = nothing can be built on the server's key. */
  #prove({ version, serverKey, cookie }: Challenge): boolean {
    const { crypto, game, credential = OPEN } = this.#options;
    const { nonce, pair, id, proof } = this.#attempt;
    const fields = { game, nonce, version, cookie, clientId: id, clientKey: pair.publicKey };
    const secrets = writeProof(crypto, proof, 0, fields, pair.secretKey, serverKey, credential);
    this.#attempt.secrets = secrets;
    return secrets !== undefined;
  }

  #isExpected(serverKey: Uint8Array): boolean {
    const expected = this.#options.serverKey;
    return expected === undefined || sameBytes(serverKey, expected);
  }

  #receiveAccept(nowMs: number, bytes: Uint8Array, start: number, end: number): Verdict {
    if (this.#state !== State.proving) return Verdict.unexpected;
    if (!echoesNonce(bytes, start, end, this.#attempt.nonce)) return Verdict.forged;
    const accept = readAccept(bytes, start, end);
    if (accept === undefined) return Verdict.malformed;
    const headEnd = start + ACCEPT_HEAD_BYTES;
    const keys = this.#deriveKeys(accept.freshKey, bytes.subarray(start, headEnd));
    if (keys === undefined) return Verdict.forged;
    if (!acceptFits(this.#options.crypto, keys.accept, bytes, start, headEnd))
      return Verdict.forged;
    this.#state = State.open;
    // Whoever had what the keys were made from could read the session from its start, however often they change.
    this.#attempt.pair.secretKey.fill(0);
    this.#attempt.secrets = undefined;
    this.#resumeKeys = keys.resume;
    this.#connection = this.#connect(nowMs, accept.serverId, keys);
    return Verdict.accepted;
  }

  #deriveKeys(freshKey: Uint8Array, head: Uint8Array): SessionKeys | undefined {
    const { crypto, credential = OPEN } = this.#options;
    const { pair, secrets } = this.#attempt;
    const ee = agreed(crypto, pair.secretKey, freshKey);
    if (ee === undefined || secrets === undefined) return undefined;
    return sessionKeys(crypto, secretOf(credential), secrets, ee, head);
  }

  #connect(nowMs: number, serverId: number, keys: SessionKeys): Connection {
    const { crypto, sink, timeoutMs, keepAliveMs, rate, probePathMtu, rotateAfterPackets } =
      this.#options;
    return new Connection({
      remoteId: serverId,
      outgoing: new KeyChain(crypto, keys.clientToServer),
      incoming: new KeyChain(crypto, keys.serverToClient),
      channels: sink.channels(),
      nowMs,
      timeoutMs,
      keepAliveMs,
      rate,
      probePathMtu,
      rotateAfterPackets,
      sink: {
        proven: () => sink.opened(this.#connection!),
        closed: (reason, text, remote) => sink.closed(reason, text, remote),
        ended: () => {
          this.#state = State.over;
        },
      },
    });
  }

  #receiveRefusal(bytes: Uint8Array, start: number, end: number): Verdict {
    if (this.#state !== State.requesting && this.#state !== State.proving) {
      return Verdict.unexpected;
    }
    if (!echoesNonce(bytes, start, end, this.#attempt.nonce)) return Verdict.forged;
    const refusal = readRefusal(bytes, start, end);
    if (refusal === undefined) return Verdict.malformed;
    this.#fail(refusal.reason, refusal.text, true);
    return Verdict.accepted;
  }

  #giveUp(): void {
    if (this.#stranger) this.#fail('identity', 'the server has another identity key', false);
    else
      this.#fail(
        'unreachable',
        this.#challenged ? 'the server answers, but lets nobody in now' : '',
        false,
      );
  }

  #fail(reason: EndReason, text: string, remote: boolean): void {
    if (this.#state === State.over) return;
    this.#state = State.over;
    this.#options.sink.closed(reason, text, remote);
  }
}

function createAttempt(crypto: Crypto): Attempt {
  const nonce = new Uint8Array(NONCE_BYTES);
  crypto.randomBytes(nonce);
  return {
    nonce,
    pair: createKeyPair(crypto),
    id: randomU32(crypto) || 1,
    proof: new Uint8Array(PADDED_BYTES),
    secrets: undefined,
  };
}
