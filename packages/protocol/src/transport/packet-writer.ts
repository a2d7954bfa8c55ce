// Puts one data packet together in the caller's memory: header, ack block, sections, and last the seal.

import { ByteWriter, varintBytes } from '../wire/bytes.ts';
import { type Sealer, TAG_BYTES } from '../wire/crypto.ts';
import { HEADER_BYTES, writeHeader } from '../wire/packet.ts';
import { writeAckUnits } from './ack-block.ts';
import type { Channel } from './channel.ts';
import type { ReceivedWindow } from './received-window.ts';
import { ControlSection, MUST_UNDERSTAND, SECTION_HEADER_BYTES_MAX } from './section.ts';

/** See the head of the file. One for a connection, reused for every packet: `begin`, sections, `seal`. */
export class PacketWriter {
  /** Where sections go; ends where the tag must begin. */
  readonly body = new ByteWriter();
  #out: Uint8Array = new Uint8Array(0);
  #start = 0;
  #sequence = 0;
  #sectionsStart = 0;

  /** Starts a packet of at most `sizeBytes` at out[start..]. */
  begin(
    out: Uint8Array,
    start: number,
    sizeBytes: number,
    connectionId: number,
    sequence: number,
  ): void {
    this.#out = out;
    this.#start = start;
    this.#sequence = sequence;
    writeHeader(out, start, connectionId, sequence);
    this.body.reset(out, start + HEADER_BYTES, start + sizeBytes - TAG_BYTES);
  }

  /** Must come next. `delay` is how long ago the newest kept packet came, in the units of the ack block. */
  acks(window: ReceivedWindow, delay: number): void {
    writeAckUnits(this.body, window, delay);
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

  /** A ping padded so that the packet has exactly the size that it was begun with. */
  probe(): void {
    const padding = this.body.remaining - SECTION_HEADER_BYTES_MAX;
    this.body.u8(ControlSection.ping | MUST_UNDERSTAND);
    this.body.varint(padding);
    this.body.zeros(padding);
  }

  /** Seals the packet; returns its bytes. */
  seal(sealer: Sealer): number {
    const end = this.body.position;
    sealer.seal(this.#out, this.#start, this.#start + HEADER_BYTES, end, this.#sequence);
    return end + TAG_BYTES - this.#start;
  }
}
