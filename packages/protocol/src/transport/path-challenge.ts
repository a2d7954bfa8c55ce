// Whether the peer is where a packet of it came from: it says back what it was asked there (RFC 9000, section 8.2).
// The host asks, since only the host knows addresses; every connection answers.
//
//   path challenge, section 66: 4 bytes that nobody can guess
//   path response, section 67: the same 4 bytes
//
// A challenge leaves alone, behind an empty ack block, and so is hardly longer than the shortest packet. It is sealed,
// like everything: who only forwards packets can carry question and answer, but not answer by himself.

import { ByteReader } from '../wire/bytes.ts';
import { TAG_BYTES } from '../wire/crypto.ts';
import { HEADER_BYTES } from '../wire/packet.ts';
import type { PacketWriter } from './packet-writer.ts';
import { ControlSection, PATH_DATA_BYTES } from './section.ts';

/** A packet with a path challenge: header, empty ack block, type and length of the section, its body, tag. */
export const PATH_CHALLENGE_BYTES = HEADER_BYTES + 1 + 2 + PATH_DATA_BYTES + TAG_BYTES;

/** What was asked last and is not answered yet: who asks more often than packets leave hears only of the last. */
export class PathAnswer {
  readonly #data = new Uint32Array(1);
  readonly #reader = new ByteReader();
  #due = false;

  /** Whether an answer is to leave. */
  get due(): boolean {
    return this.#due;
  }

  /** The peer asks, in the section bytes[start, end). */
  asked(bytes: Uint8Array, start: number, end: number): void {
    this.#data[0] = this.read(bytes, start, end);
    this.#due = true;
  }

  /** Writes the answer that is due; true = it did. */
  write(packet: PacketWriter): boolean {
    if (!this.#due) return false;
    this.#due = false;
    packet.path(ControlSection.pathResponse, this.#data[0]!);
    return true;
  }

  /** The connection is over. */
  drop(): void {
    this.#due = false;
  }

  /** What a section of either type says. */
  read(bytes: Uint8Array, start: number, end: number): number {
    this.#reader.reset(bytes, start, end);
    return this.#reader.u32();
  }
}
