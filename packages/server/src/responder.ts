// The server's end of the handshake: from a stranger's request to a slot whose client may be accepted. Keeps nothing
// for strangers but counters of a fixed size. The order of its checks is its defence: what costs more comes later, and
// nothing is agreed on before the cookie holds.

import {
  type AddressBook,
  agreed,
  COOKIE_BYTES,
  CookieJar,
  type Crypto,
  cookieSlice,
  createKeyPair,
  type EndReason,
  type GameIdentity,
  Hello,
  type KeyPair,
  NO_SECRET,
  openProof,
  type SessionKeys,
  sealAccept,
  sessionKeys,
  Verdict,
  WIRE_VERSION,
  writeAcceptHead,
  writeChallenge,
  writeRefusal,
} from '@tickwire/protocol';
import type { AccessCheck, Admitted, ConsumeToken } from './access.ts';
import type { AdmissionLimits } from './admission-limits.ts';
import { type ReplyRing, ReplyTo } from './reply-ring.ts';
import { isWaiting, type Slot, SlotState, type SlotTable } from './slot-table.ts';
import type { TokenLedger } from './token-ledger.ts';
import type { WallClock } from './wall-clock.ts';

/** A proof that comes again is answered again, but not more often: a client repeats its own every 200 ms. */
const ACCEPT_GAP_MS = 50;

const TOKENS_FULL = 'too many tokens are in use';

/** What a responder is made of. */
export interface ResponderOptions {
  readonly crypto: Crypto;
  readonly addresses: AddressBook;
  readonly game: GameIdentity;
  readonly identity: KeyPair;
  readonly table: SlotTable;
  readonly replies: ReplyRing;
  readonly access: AccessCheck;
  readonly limits: AdmissionLimits;
  readonly tokens: TokenLedger;
  /** Text of the refusal 'full'. */
  readonly fullText: string;
  readonly wall: WallClock;
  /** Asks a shared store whether a token is used for the first time. */
  readonly consume: ConsumeToken | undefined;
  /** The proof was good: decide about the slot. */
  readonly requested: (slot: Slot) => void;
  /** Gives a slot back; `keepAddress` = its address is still needed for a reply. */
  readonly release: (slot: Slot, keepAddress: boolean) => void;
}

/** See the head of the file. */
export class HandshakeResponder {
  readonly #options: ResponderOptions;
  readonly #cookies: CookieJar;
  readonly #hello = new Hello();
  readonly #challenge: { version: number; serverKey: Uint8Array; cookie: Uint8Array };
  /** Bytes of requests, and of answers to them. */
  readonly #unproven = new Float64Array(2);

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#cookies = new CookieJar(options.crypto, options.addresses);
    this.#challenge = {
      version: WIRE_VERSION,
      serverKey: options.identity.publicKey,
      cookie: new Uint8Array(COOKIE_BYTES),
    };
  }

  /** Bytes that came in requests, from addresses that need not be anybody's. */
  get unprovenBytesIn(): number {
    return this.#unproven[0]!;
  }

  /** Bytes that went out to such addresses. */
  get unprovenBytesOut(): number {
    return this.#unproven[1]!;
  }

  /** A request: answered with a challenge, and forgotten. */
  request(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): Verdict {
    const { limits, replies } = this.#options;
    const hello = this.#hello;
    if (!hello.readRequest(bytes, start, end)) return Verdict.malformed;
    this.#unproven[0]! += end - start;
    if (!replies.hasRoom(ReplyTo.stranger)) return Verdict.limited;
    if (!limits.mayAnswer(nowMs, hello.nonce, 0)) return Verdict.limited;
    const mismatch = this.#mismatch(hello);
    if (mismatch !== undefined) {
      if (limits.mayRefuse(nowMs)) {
        const { stranger } = ReplyTo;
        this.#unproven[1]! += this.#replyRefusal(hello.nonce, from, mismatch, '', stranger);
      }
      return Verdict.unexpected;
    }
    this.#cookies.make(nowMs, hello.nonce, from, this.#challenge.cookie);
    const length = writeChallenge(replies.bytes, replies.offset, hello.nonce, this.#challenge);
    replies.push(length, from, ReplyTo.stranger);
    this.#unproven[1]! += length;
    return Verdict.accepted;
  }

  /** A proof: takes a slot, finds the one it took before, or is refused. */
  proof(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): Verdict {
    const { limits, table } = this.#options;
    const hello = this.#hello;
    if (!hello.readProof(bytes, start, end)) return Verdict.malformed;
    if (this.#mismatch(hello) !== undefined || hello.version !== WIRE_VERSION) {
      return Verdict.unexpected;
    }
    if (!this.#cookies.check(nowMs, hello.nonce, from, hello.cookie)) return Verdict.forged;
    const known = table.find(hello);
    if (known !== undefined) {
      if (known.state === SlotState.halfOpen) this.#sendAccept(nowMs, known);
      return Verdict.duplicate;
    }
    if (!limits.mayConnect(nowMs, from, table.halfOpen)) return Verdict.limited;
    return this.#admit(nowMs, bytes, start, from);
  }

  /** The keys of a slot that is let in, and the accept that tells its client. Undefined: there is nothing to build on. */
  accept(nowMs: number, slot: Slot): SessionKeys | undefined {
    const { crypto } = this.#options;
    const { secrets, accept, admission } = slot;
    const fresh = createKeyPair(crypto);
    const ee = agreed(crypto, fresh.secretKey, slot.clientKey);
    if (ee === undefined || secrets === undefined) return undefined;
    const headEnd = writeAcceptHead(accept, 0, slot.nonce, slot.localId, fresh.publicKey);
    const head = accept.subarray(0, headEnd);
    const keys = sessionKeys(crypto, admission.secret, secrets, ee, head);
    sealAccept(crypto, keys.accept, accept, 0, headEnd);
    // Whoever had these could read the session from its start, however often its keys change.
    slot.secrets = undefined;
    slot.admission = { ...admission, secret: NO_SECRET };
    this.#sendAccept(nowMs, slot);
    return keys;
  }

  /** Says no to a slot that waits for its decision, and gives it back. */
  refuse(slot: Slot, reason: EndReason, text: string): void {
    const told = this.#replyRefusal(slot.nonce, slot.address, reason, text, ReplyTo.held) > 0;
    this.#options.release(slot, told);
  }

  /** A proof whose cookie holds: only now is it worth opening. */
  #admit(nowMs: number, bytes: Uint8Array, start: number, from: number): Verdict {
    const { crypto, identity, access, table, addresses, limits } = this.#options;
    const proof = openProof(crypto, bytes, start, this.#hello, identity);
    if (proof === undefined) return Verdict.forged;
    const judged = access.judge(proof);
    if ('reason' in judged) {
      this.#refuseProof(nowMs, from, judged.reason, judged.text);
      return Verdict.unexpected;
    }
    if (judged.tokenId !== undefined && this.#isOvertaken(judged.tokenId)) return Verdict.duplicate;
    const slot = table.take(this.#hello, proof, judged, nowMs);
    if (slot === undefined) {
      this.#refuseProof(nowMs, from, 'full', this.#options.fullText);
      return Verdict.limited;
    }
    limits.waits(slot.index);
    slot.address = addresses.hold(from);
    if (judged.tokenId === undefined) this.#options.requested(slot);
    else this.#claim(slot, judged.tokenId, judged);
    return Verdict.accepted;
  }

  /** Whether a later attempt has the token already: a proof that comes late must not take it back. */
  #isOvertaken(tokenId: Uint8Array): boolean {
    const { table, tokens } = this.#options;
    const holder = table.slots[tokens.holderOf(tokenId)];
    return holder !== undefined && cookieSlice(this.#hello.cookie) < holder.cookieSlice;
  }

  /** A token lets one client in, once; a shared store is asked at most once for it. */
  #claim(slot: Slot, tokenId: Uint8Array, { expiresWallMs }: Admitted): void {
    const { tokens, wall, consume, table, release } = this.#options;
    const before = table.slots[tokens.holderOf(tokenId)];
    const claim = tokens.claim(tokenId, slot.index, expiresWallMs, wall.nowMs);
    // A client that starts over has nothing more to say through its earlier attempt.
    if (before !== undefined && isWaiting(before.state)) release(before, false);
    if (claim === 'used') this.refuse(slot, 'token-used', '');
    else if (claim === 'full') this.refuse(slot, 'full', TOKENS_FULL);
    else if (claim === 'granted' || consume === undefined) this.#options.requested(slot);
    else if (claim === 'fresh') {
      tokens.ask(tokenId);
      consume(tokenId, (granted) => this.#answered(tokenId, granted));
    }
  }

  /** The store has answered; whoever has the token by now goes on, or is refused. */
  #answered(tokenId: Uint8Array, granted: boolean | undefined): void {
    const { tokens, table } = this.#options;
    const slot = table.slots[tokens.answer(tokenId, granted)];
    if (slot?.state !== SlotState.deciding) return;
    if (granted === true) this.#options.requested(slot);
    else if (granted === false) this.refuse(slot, 'token-used', '');
    else this.refuse(slot, 'error', '');
  }

  #mismatch({ versionMin, versionMax, idHash, digest }: Hello): EndReason | undefined {
    const { game } = this.#options;
    if (versionMin > WIRE_VERSION || versionMax < WIRE_VERSION) return 'version';
    return idHash !== game.idHash || digest !== game.digest ? 'game' : undefined;
  }

  #sendAccept(nowMs: number, slot: Slot): void {
    const { replies, addresses } = this.#options;
    // In this form a clock that goes back holds nothing up.
    if (Math.abs(nowMs - slot.acceptedMs) < ACCEPT_GAP_MS) return;
    if (!replies.hasRoom(ReplyTo.held)) return;
    slot.acceptedMs = nowMs;
    replies.bytes.set(slot.accept, replies.offset);
    // The slot may be given up, and with it the address, before this leaves.
    replies.push(slot.accept.length, addresses.hold(slot.address), ReplyTo.held);
  }

  /** Answers the proof that was read last, which has no slot. */
  #refuseProof(nowMs: number, to: number, reason: EndReason, text: string): void {
    if (!this.#options.limits.mayRefuseProof(nowMs)) return;
    this.#replyRefusal(this.#hello.nonce, to, reason, text, ReplyTo.proven);
  }

  /** Returns the bytes of the reply, 0 = no room; `kind` is one of {@link ReplyTo}. */
  #replyRefusal(
    nonce: Uint8Array,
    to: number,
    reason: EndReason,
    text: string,
    kind: number,
  ): number {
    const { replies } = this.#options;
    if (!replies.hasRoom(kind)) return 0;
    const length = writeRefusal(replies.bytes, replies.offset, nonce, reason, text);
    replies.push(length, to, kind);
    return length;
  }
}
