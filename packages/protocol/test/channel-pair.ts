// Two ends of a channel of messages without a connection: sections go by hand from one to the other.

import { expect } from 'vitest';
import type { MessageChannel, MessageSink } from '../src/transport/message-channel.ts';
import {
  type ChannelLimits,
  type ChannelOptions,
  type DeliveryKind,
  resolveChannel,
} from '../src/wire/channel-options.ts';
import { Verdict } from '../src/wire/verdict.ts';

/** One delivery kind as the suite sees it. */
export interface ChannelKind {
  /** Everything sent arrives exactly once; else at most once. */
  readonly reliable: boolean;
  /** Nothing is delivered after what was sent later. */
  readonly ordered: boolean;
  create(limits: ChannelLimits, sink: MessageSink): MessageChannel;
}

/** Room for a body in a packet of ordinary size that carries nothing else. */
export const ROOM = 1160;

/** A section body, and the packet it travels in. */
export interface Section {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** Bytes that differ from message to message and from place to place. */
export function message(number: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (number >> (8 * (i & 1))) + i * 7 + (i >> 8);
  return bytes;
}

/** What tells messages apart, for comparing many and long ones. */
export function keyOf(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return `${bytes.length}:${hash >>> 0}`;
}

/** One direction: a sending channel, a receiving one, and what arrived there. */
export class Pair {
  readonly sender: MessageChannel;
  readonly receiver: MessageChannel;
  readonly received: Uint8Array[] = [];
  /** Called for each message, after it was noted. */
  onMessage: () => void = () => {};
  sequence = 0;
  nowMs = 0;

  constructor(
    name: DeliveryKind,
    kind: ChannelKind,
    options: Omit<ChannelOptions, 'kind'> = {},
    receiving = options,
  ) {
    this.sender = kind.create(resolveChannel({ ...options, kind: name }), () => {});
    this.receiver = kind.create(
      resolveChannel({ ...receiving, kind: name }),
      (bytes, start, end) => {
        this.received.push(bytes.slice(start, end));
        this.onMessage();
      },
    );
  }

  /** Sends from the middle of a larger range. */
  send(bytes: Uint8Array): string {
    const range = new Uint8Array(bytes.length + 5).fill(0xee);
    range.set(bytes, 3);
    return this.sender.send(range, 3, 3 + bytes.length);
  }

  /** The next section, and its packet; undefined = there is none. */
  write(room = ROOM): Section | undefined {
    if (!this.sender.pending(this.nowMs)) return undefined;
    const out = new Uint8Array(room + 8).fill(0xcc);
    const length = this.sender.write(this.nowMs, out, 4, 4 + room, this.sequence);
    const outside = [...out.subarray(0, 4), ...out.subarray(4 + length)];
    expect(length).toBeLessThanOrEqual(room);
    expect(outside.every((byte) => byte === 0xcc)).toBe(true);
    if (length === 0) return undefined;
    return { sequence: this.sequence++, bytes: out.slice(4, 4 + length) };
  }

  /** Everything that can be written now. */
  writeAll(room = ROOM): Section[] {
    const sections: Section[] = [];
    for (let s = this.write(room); s !== undefined; s = this.write(room)) sections.push(s);
    return sections;
  }

  /** Reads a section, and keeps it if it is accepted. */
  read(section: Section): Verdict {
    const verdict = this.stage(section);
    if (verdict === Verdict.accepted) this.receiver.commit(this.nowMs);
    return verdict;
  }

  stage({ bytes, sequence }: Section): Verdict {
    const range = new Uint8Array(bytes.length + 4).fill(0xdd);
    range.set(bytes, 2);
    return this.receiver.read(this.nowMs, range, 2, 2 + bytes.length, sequence);
  }

  /** Carries everything across, over and over, until nothing is left to be said. */
  carryAll(): void {
    for (let all = this.writeAll(); all.length > 0; all = this.writeAll()) {
      for (const section of all) {
        expect(this.read(section)).toBe(Verdict.accepted);
        this.sender.acked(section.sequence);
      }
    }
  }
}
