// The input codec: a packet of the newest input and the earlier ones that wait for an ack.

import {
  axis,
  BitReader,
  BitWriter,
  DATAGRAM_BYTES_MAX,
  edge,
  type Field,
  INPUTS_MAX,
  InputBlock,
  quantise,
} from '@tickwire/protocol';
import { type Cases, expect } from './suite.ts';

/** What waits at 100 ms round trip and 60 Hz. */
const USUAL_INPUTS = 8;
/** A stick or a key changes about so often. */
const CHANGE_EVERY = 4;

/** The controls of a shooter. */
const fields: readonly Field[] = [axis(4), axis(4), axis(4), edge()] as readonly Field[];

/** Writes a packet of `count` inputs and reads it back. */
class InputPacket {
  readonly bytes = new Uint8Array(DATAGRAM_BYTES_MAX);
  readonly #outgoing = new InputBlock(fields);
  readonly #incoming = new InputBlock(fields);
  readonly #writer = new BitWriter();
  readonly #reader = new BitReader();

  constructor(count: number) {
    this.#outgoing.count = count;
    this.#outgoing.setView(100.5);
    for (let n = 0; n < count; n++) {
      const phase = Math.floor(n / CHANGE_EVERY) % 3;
      const row = fields.map((field) => quantise(field, phase - 1));
      this.#outgoing.values.set(row, n * fields.length);
    }
  }

  write(): number {
    this.#writer.reset(this.bytes, 0, this.bytes.length);
    this.#outgoing.write(this.#writer);
    return this.#writer.finish();
  }

  read(end: number): boolean {
    this.#reader.reset(this.bytes, 0, end);
    return this.#incoming.read(this.#reader);
  }
}

/** Input packets of the usual and of the greatest length, written and read. */
export function inputCases(): Cases {
  const cases: Record<string, () => unknown> = {};
  for (const count of [USUAL_INPUTS, INPUTS_MAX]) {
    const packet = new InputPacket(count);
    const end = packet.write();
    expect(packet.read(end), 'inputs come back');
    cases[`${count} inputs, ${end} B: write`] = () => packet.write();
    cases[`${count} inputs, ${end} B: read`] = () => packet.read(end);
  }
  return cases;
}
