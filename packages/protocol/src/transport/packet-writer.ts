// Puts one data packet together in the caller's memory: header, ack block, sections, and last the seal.

import { ByteWriter, varintBytes } from '../wire/bytes.ts';
import { type Sealer, TAG_BYTES } from '../wire/crypto.ts';
import { HEADER_BYTES, writeHeader } from '../wire/packet.ts';
import { writeAckUnits } from './ack-block.ts';
import type { Channel } from './channel.ts';
import type { OutgoingKeys } from './key-phases.ts';
import type { ReceivedWindow } from './received-window.ts';
import {
  ControlSection,
  MUST_UNDERSTAND,
  PATH_DATA_BYTES,
  SECTION_HEADER_BYTES_MAX,
} from './section.ts';

/**
 * See the head of the file: `begin`, sections, `seal`. One for each packet under way in the process: it is borrowed, and
 * given back, for the reasons that packet-intake.ts gives.
 */
export class PacketWriter {
  /** Where sections go; ends where the tag must begin. */
  readonly body = new ByteWriter();
  #out: Uint8Array = new Uint8Array(0);
  #start = 0;
  #sequence = 0;
  #sealer: Sealer | undefined;
  #sectionsStart = 0;

  /** Packets stand at out[start..] from now on. */
  place(out: Uint8Array, start: number): void {
    this.#out = out;
    this.#start = start;
  }

  /** Starts a packet of at most `sizeBytes`. */
  begin(sizeBytes: number, connectionId: number, sequence: number, keys: OutgoingKeys): void {
    const out = this.#out;
    const start = this.#start;
    this.#sealer = keys.sealer;
    this.#sequence = sequence;
    writeHeader(out, start, connectionId, sequence, keys.generation);
    this.body.reset(out, start + HEADER_BYTES, start + sizeBytes - TAG_BYTES);
  }

  /** This, or `noAcks`, must come next. `delay` is how long ago the newest kept packet came, in the units of the ack block. */
  acks(window: ReceivedWindow, delay: number): void {
    writeAckUnits(this.body, window, delay);
    this.#sectionsStart = this.body.position;
  }

  /** Says nothing of what was received. */
  noAcks(): void {
    this.body.u8(0);
    this.#sectionsStart = this.body.position;
  }

  /** No section stands in the packet. */
  get bare(): boolean {
    return this.body.position === this.#sectionsStart;
  }

  /** Lets the channel write behind room for the section's header, then closes the gap. Returns the body's bytes, 0 = none. */
  section(nowMs: number, id: number, channel: Channel): number {
    const { body } = this;
    const at = body.position;
    const bodyStart = at + SECTION_HEADER_BYTES_MAX;
    const bodyEnd = at + body.remaining;
    if (bodyStart >= bodyEnd) return 0;
    const length = channel.write(nowMs, this.#out, bodyStart, bodyEnd, this.#sequence);
    if (length === 0) return 0;
    body.u8(id | MUST_UNDERSTAND);
    body.varint(length);
    if (varintBytes(length) === 1) {
      this.#out.copyWithin(bodyStart - 1, bodyStart, bodyStart + length);
    }
    body.claim(length);
    return length;
  }

  /** A ping, empty. */
  ping(): void {
    this.body.u8(ControlSection.ping | MUST_UNDERSTAND);
    this.body.u8(0);
  }

  /** A path challenge or a response to one. */
  path(type: number, data: number): void {
    this.body.u8(type | MUST_UNDERSTAND);
    this.body.u8(PATH_DATA_BYTES);
    this.body.u32(data);
  }

  /** A ping padded so that the packet has exactly the size that it was begun with. */
  probe(): void {
    const padding = this.body.remaining - SECTION_HEADER_BYTES_MAX;
    this.body.u8(ControlSection.ping | MUST_UNDERSTAND);
    this.body.varint(padding);
    this.body.zeros(padding);
  }

  /** Seals the packet; returns its bytes. What it says cannot be read any more. */
  seal(): number {
    const end = this.body.position;
    this.#sealer!.seal(this.#out, this.#start, this.#start + HEADER_BYTES, end, this.#sequence);
    return end + TAG_BYTES - this.#start;
  }
}

const idle: PacketWriter[] = [];

/** One that nobody uses, for out[start..]. To be given back with {@link returnWriter}, whatever happens. */
export function borrowWriter(out: Uint8Array, start: number): PacketWriter {
  const writer = idle.pop() ?? new PacketWriter();
  writer.place(out, start);
  return writer;
}

export function returnWriter(writer: PacketWriter): void {
  idle.push(writer);
}
