// Records of messages as PROTOCOL.md describes them (section 6), written from that page alone. Whatever it forbids throws.

import { ByteSource, demand, expand } from './sources.ts';

const RECORD_BYTES = 1100;

/** A channel of messages in one direction. */
export class RecordReader {
  readonly #kind: string;
  #next = 0;
  /** Fragments of messages that are not complete, by id. */
  readonly #fragments = new Map<number, Uint8Array>();
  readonly #revisions = new Map<number, number>();

  constructor(kind: string) {
    this.#kind = kind;
  }

  /** The meaning of a section body, line by line; `say` tells that of a message. */
  read(content: Uint8Array, say: (message: Uint8Array) => string[]): string[] {
    const source = new ByteSource(content);
    const lines: string[] = [];
    do {
      if (this.#kind === 'reliable-latest') lines.push(...this.#value(source, say));
      else lines.push(...this.#record(source, say));
    } while (source.left > 0);
    return lines;
  }

  #record(source: ByteSource, say: (message: Uint8Array) => string[]): string[] {
    const reliable = this.#kind.startsWith('reliable');
    let wire = reliable ? source.u(2) : -1;
    const head = source.varint();
    const length = head >> 1;
    demand(length <= RECORD_BYTES, 'at most 1100 bytes in a record');
    if (head % 2 === 0) {
      const name = reliable ? `message ${this.#id(wire)}` : 'message';
      return this.#whole(name, source.take(length), say);
    }
    if (!reliable) wire = source.u(2);
    const id = this.#id(wire);
    const place = source.varint();
    const [index, last] = [place >> 1, place % 2 === 1];
    demand(last ? index > 0 && length > 0 : length === RECORD_BYTES, 'a fragment of its size');
    this.#fragments.set(id, source.take(length));
    const line = `fragment ${id} = index ${index}${last ? ', last' : ''}, ${length} bytes`;
    if (!last) return [line];
    const parts = Array.from({ length: index + 1 }, (_, n) => this.#fragments.get(id - index + n));
    demand(!parts.includes(undefined), 'every fragment of the message');
    const message = Buffer.concat(parts as Uint8Array[]);
    return [line, ...this.#whole(`message ${id - index}`, message, say)];
  }

  #whole(name: string, bytes: Uint8Array, say: (message: Uint8Array) => string[]): string[] {
    const said = say(bytes);
    return [`${name} = ${said[0]}`, ...said.slice(1)];
  }

  /** The vectors lose no record, so each has the next id. */
  #id(wire: number): number {
    const id = expand(wire, this.#next);
    demand(id === this.#next, 'ids in the order of sending');
    this.#next++;
    return id;
  }

  #value(source: ByteSource, say: (message: Uint8Array) => string[]): string[] {
    const key = source.varint();
    const revision = source.u(2);
    const length = source.varint() - 1;
    demand(length <= RECORD_BYTES, 'at most 1100 bytes in a value');
    demand(revision === (this.#revisions.get(key) ?? 0) + 1, 'revisions that count from 1');
    this.#revisions.set(key, revision);
    const said = length < 0 ? 'deleted' : say(source.take(length))[0];
    return [`key ${key} = revision ${revision}: ${said}`];
  }
}
