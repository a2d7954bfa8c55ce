// Who has been proven to be where, and what a server owes to those who have not: kept from what passes between the
// server and everybody else, with nothing taken from the server's own account. An address is proven once it has returned
// a cookie that was sent there, or somebody has said what only a path challenge that was sent there could tell.
//
// To an address that is not proven, no more bytes go than came from it, and no datagram that none of its own asked for
// since the server was last silent. Reads path challenges in clear: for simulated cryptography only.

import {
  CHALLENGE_BYTES,
  DATA_PACKET_BYTES_MIN,
  HEADER_BYTES,
  NONCE_BYTES,
  PADDED_BYTES,
  PATH_CHALLENGE_BYTES,
  PacketKind,
  readKind,
} from '@tickwire/protocol';

/** Where the nonce and the cookie stand: in a challenge, and in a proof. */
const CHALLENGE_NONCE_AT = 1;
const CHALLENGE_COOKIE_AT = 50;
const PROOF_NONCE_AT = 15;
const PROOF_COOKIE_AT = 32;
const COOKIE_BYTES = CHALLENGE_BYTES - CHALLENGE_COOKIE_AT;
/** Header, empty ack block, type and length of the section: then the four bytes that are asked for. */
const PATH_TYPE_AT = HEADER_BYTES + 1;
const PATH_DATA_AT = HEADER_BYTES + 3;
const PATH_CHALLENGE = 66;

interface Account {
  bytesIn: number;
  bytesOut: number;
  /** Datagrams that came since the server was last silent, less those that went. */
  owed: number;
  proven: boolean;
  readonly cookies: Set<string>;
  readonly questions: Set<string>;
}

/** See the head of the file. */
export class StrangerLedger {
  /** What should not have been, in words. */
  readonly wrong: string[] = [];
  /** The highest share of what came from an address that went there, before it was proven. */
  worst = 0;
  readonly #accounts = new Map<number, Account>();

  isProven(address: number): boolean {
    return this.#account(address).proven;
  }

  /** The server is about to receive bytes[0, length) from there. */
  came(from: number, bytes: Uint8Array): void {
    const account = this.#account(from);
    account.bytesIn += bytes.length;
    account.owed++;
    const kind = readKind(bytes, 0, bytes.length);
    if (kind === PacketKind.proof && bytes.length === PADDED_BYTES) {
      account.proven ||= account.cookies.has(proofOf(bytes));
    }
    if (kind === PacketKind.data) this.#readAnswer(bytes);
  }

  /** The server has sent bytes[0, length) there. */
  went(to: number, bytes: Uint8Array): void {
    const account = this.#account(to);
    const kind = readKind(bytes, 0, bytes.length);
    if (kind === PacketKind.challenge) account.cookies.add(challengeOf(bytes));
    if (isPathChallenge(bytes)) {
      account.questions.add(hexOf(bytes, PATH_DATA_AT, 4));
    }
    account.bytesOut += bytes.length;
    account.owed--;
    if (account.proven) return;
    this.worst = Math.max(this.worst, account.bytesOut / Math.max(1, account.bytesIn));
    const what = `to ${to}: kind ${kind}, ${bytes.length} bytes`;
    if (account.bytesOut > account.bytesIn) this.wrong.push(`${what}: more than came from there`);
    if (account.owed < 0) this.wrong.push(`${what}: unasked`);
  }

  /** The server has nothing more to say: what is not answered by now never is. */
  silent(): void {
    for (const account of this.#accounts.values()) account.owed = 0;
  }

  #account(address: number): Account {
    const known = this.#accounts.get(address);
    if (known !== undefined) return known;
    const account: Account = {
      bytesIn: 0,
      bytesOut: 0,
      owed: 0,
      proven: false,
      cookies: new Set(),
      questions: new Set(),
    };
    this.#accounts.set(address, account);
    return account;
  }

  #readAnswer(bytes: Uint8Array): void {
    if (bytes.length < DATA_PACKET_BYTES_MIN) return;
    const text = hexOf(bytes, HEADER_BYTES, bytes.length - HEADER_BYTES);
    for (const account of this.#accounts.values()) {
      for (const question of account.questions) account.proven ||= text.includes(question);
    }
  }
}

/** Whether a datagram of the server asks for a path; in clear only. */
export function isPathChallenge(bytes: Uint8Array): boolean {
  if (readKind(bytes, 0, bytes.length) !== PacketKind.data) return false;
  return bytes.length === PATH_CHALLENGE_BYTES && (bytes[PATH_TYPE_AT]! & 0x7f) === PATH_CHALLENGE;
}

function challengeOf(bytes: Uint8Array): string {
  const nonce = hexOf(bytes, CHALLENGE_NONCE_AT, NONCE_BYTES);
  return nonce + hexOf(bytes, CHALLENGE_COOKIE_AT, COOKIE_BYTES);
}

function proofOf(bytes: Uint8Array): string {
  return hexOf(bytes, PROOF_NONCE_AT, NONCE_BYTES) + hexOf(bytes, PROOF_COOKIE_AT, COOKIE_BYTES);
}

function hexOf(bytes: Uint8Array, at: number, length: number): string {
  return Buffer.from(bytes.subarray(at, at + length)).toString('hex');
}
