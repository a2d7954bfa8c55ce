// Reads a conversation of datagrams and says what stands in them. Written from PROTOCOL.md alone, and so shares nothing
// with the code that it checks: no import from the packages. Whatever the page forbids throws.

import { HandshakeReader, nextKey, REASONS, type Secrets } from './handshake-reader.ts';
import { open } from './primitives.ts';
import { RecordReader } from './records.ts';
import { type Field, type Row, readField, readRecord, readSchema, type Schema } from './schema.ts';
import {
  BitSource,
  ByteSource,
  demand,
  expand,
  hex,
  hex32,
  readMessagePack,
  utf8,
} from './sources.ts';

const DATA_HEAD_BYTES = 7;

/** Ascending numbers; three and more in a row as `a to b`. */
function ranges(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0, end = 0; i < numbers.length; i = end) {
    for (end = i + 1; numbers[end] === numbers[i]! + end - i; ) end++;
    if (end - i > 2) parts.push(`${numbers[i]} to ${numbers[end - 1]}`);
    else parts.push(...numbers.slice(i, end).map(String));
  }
  return parts.join(' and ');
}
const list = (fields: readonly Field[], bits: BitSource) =>
  fields.map((field) => `${field[0]} ${readField(bits, field)}`).join(', ');

/** JSON has no bytes; those of the vectors are all zero. */
function sayItem(item: unknown): unknown {
  if (!(item instanceof Uint8Array)) return item;
  demand(!item.some((byte) => byte !== 0), 'bytes of zero');
  return `${item.length} zero bytes`;
}

/** What is known of the packets in one direction. */
interface Direction {
  readonly to: 'server' | 'client';
  newest: number;
  /** Of the present generation; undefined before the first packet. */
  key: Uint8Array | undefined;
  generation: number;
  /** By channel. */
  readonly records: Map<number, RecordReader>;
}

const direction = (to: Direction['to']): Direction => ({
  to,
  newest: -1,
  key: undefined,
  generation: 0,
  records: new Map(),
});

/** See the head of the file. */
export class Decoder {
  readonly #schema: Schema;
  readonly #handshake: HandshakeReader;
  readonly #up = direction('server');
  readonly #down = direction('client');
  #clear: Uint8Array | undefined;
  #epoch = -1;
  #tick = 0;
  /** Rows told, by 'id@tick'. */
  readonly #rows = new Map<string, { row: Row; yours: boolean }>();

  constructor(schemaText: string, secrets: Secrets) {
    this.#schema = readSchema(schemaText);
    this.#handshake = new HandshakeReader(secrets);
  }

  /** What was sealed in the last datagram, opened; undefined = nothing. */
  get clear(): Uint8Array | undefined {
    return this.#clear;
  }

  /** The key schedule of the handshake so far, line by line. */
  schedule(): string[] {
    return this.#handshake.schedule();
  }

  /** The meaning of the next datagram, line by line. */
  decode(datagram: Uint8Array): string[] {
    demand(datagram.length <= 1472, 'at most 1472 bytes');
    const source = new ByteSource(datagram);
    const first = source.u(1);
    const kind = first & 15;
    demand(kind >= 1 && kind <= 6, 'a kind from 1 to 6');
    demand(
      first === kind || first === 16 + 6,
      'all other bits zero, but for the key phase of data',
    );
    this.#clear = undefined;
    const data = kind === 6;
    const lines = data
      ? this.#data(datagram, source)
      : this.#handshake.read(kind, datagram, source);
    if (kind === 3) this.#clear = this.#handshake.clear;
    source.finish();
    return lines;
  }

  #data(datagram: Uint8Array, source: ByteSource): string[] {
    demand(datagram.length >= 24, 'at least 24 bytes');
    const id = source.u(4);
    const way = id === this.#handshake.serverId ? this.#up : this.#down;
    demand(way === this.#up || id === this.#handshake.clientId, 'the id of one of the two');
    const sequence = expand(source.u(2), way.newest + 1);
    demand(sequence > way.newest, 'a sequence not seen');
    this.#turn(way, datagram[0]! >> 4);
    way.newest = sequence;
    const header = datagram.subarray(0, DATA_HEAD_BYTES);
    this.#clear = open(way.key!, sequence, header, source.rest());
    const body = new ByteSource(this.#clear);
    const lines = ['kind = data', `to = ${way.to}`, `sequence = ${sequence}`];
    lines.push(`key = generation ${way.generation}`);
    lines.push(this.#ack(body, way === this.#up ? this.#down : this.#up));
    const seen = new Set<number>();
    while (body.left > 0) lines.push(...this.#section(body, way, seen));
    return lines;
  }

  /** The vectors come in order, so the other phase is always that of the next generation. */
  #turn(way: Direction, phase: number): void {
    const { clientToServer, serverToClient } = this.#handshake;
    way.key ??= way === this.#up ? clientToServer : serverToClient;
    if (phase === way.generation % 2) return;
    way.key = nextKey(way.key);
    way.generation++;
  }

  #ack(body: ByteSource, way: Direction): string {
    const flags = body.u(1);
    demand(flags < 16 && (flags === 0 || flags % 2 === 1), 'flags of an ack block');
    if (flags === 0) return 'ack = none';
    const ack = expand(body.u(2), way.newest);
    demand(ack <= way.newest, 'an ack of what was sent');
    const delayMs = body.u(2) / 16;
    const blocks = (flags >> 2) + 1;
    const masks = Array.from({ length: blocks }, () => ((flags >> 1) & 1 ? body.u(1) : 0));
    demand(
      ((flags >> 1) & 1) === 0 || masks.some((mask) => mask !== 0),
      'a mask that names something',
    );
    const lost: number[] = [];
    for (let at = 0; at < 8 * blocks; at++) {
      const named = ((masks[at >> 3]! >> (at & 7)) & 1) === 1;
      const byte = named ? body.u(1) : 0xff;
      demand(!named || byte !== 0xff, '0xff is left out');
      for (let n = 0; n < 8; n++) if (!((byte >> n) & 1)) lost.push(ack - 1 - at * 8 - n);
    }
    const missing = lost.length === 0 ? '' : `, but not ${ranges(lost.reverse())}`;
    return `ack = ${ack} after ${delayMs} ms, and the ${64 * blocks} before${missing}`;
  }

  #section(body: ByteSource, way: Direction, seen: Set<number>): string[] {
    const type = body.u(1);
    const number = type & 127;
    const content = body.take(body.varint());
    demand(!seen.has(number), 'one section of a number');
    seen.add(number);
    const head = `section ${number}${type >= 128 ? '' : ', may be skipped'}`;
    if (number === 64) return [`${head} = ping`];
    if (number === 66 || number === 67) {
      demand(content.length === 4, '4 bytes');
      return [`${head} = path ${number === 66 ? 'challenge' : 'response'} ${hex(content)}`];
    }
    if (number === 65) {
      const [reason = 0] = content;
      return [`${head} = close: ${REASONS[reason]}`, `text = ${utf8(content.subarray(1))}`];
    }
    const kind = this.#schema.channels.get(number);
    if (kind !== undefined) {
      return [`${head} = ${kind}`, ...this.#messages(content, number, kind, way)];
    }
    demand(number === 2 && this.#schema.game, 'a section that this page knows');
    const bits = new BitSource(content);
    const epoch = bits.take(8);
    demand(epoch === this.#epoch, 'the present epoch');
    const lines = way === this.#up ? this.#inputs(bits) : this.#snapshot(bits);
    bits.finish();
    return [`${head} = ${way === this.#up ? 'inputs' : 'snapshot'}, epoch ${epoch}`, ...lines];
  }

  #messages(content: Uint8Array, channel: number, kind: string, way: Direction): string[] {
    const reader = way.records.get(channel) ?? new RecordReader(kind);
    way.records.set(channel, reader);
    return reader.read(content, (bytes) => {
      const message = new ByteSource(bytes);
      const said =
        channel === 0 && this.#schema.game ? this.#event(message) : [this.#message(message)];
      message.finish();
      return said;
    });
  }

  #event(message: ByteSource): string[] {
    const type = message.u(1);
    const epoch = message.u(1);
    if (type === 1) {
      this.#epoch = epoch;
      this.#tick = message.u(4);
      return [`enter, epoch ${epoch}, tick ${this.#tick}, seed ${hex32(message.u(4))}`];
    }
    if (type === 2) return [`leave, epoch ${epoch}`];
    demand(type === 3, 'an event of type 1, 2 or 3');
    const lines = [`effects, epoch ${epoch}, tick ${message.u(4)}`];
    const bits = new BitSource(message.rest());
    while (bits.take(1) === 1) {
      const effect = this.#schema.effects[bits.take(8)];
      demand(effect !== undefined, 'an effect of the schema');
      const key = `${effect[0]} of ${bits.var()}, n ${bits.var()}`;
      lines.push(`${key} = ${list(effect[1], bits)}`);
    }
    bits.finish();
    return lines;
  }

  #message(message: ByteSource): string {
    const kind = this.#schema.messages[message.varint()];
    demand(kind !== undefined, 'a message of the schema');
    const items = readMessagePack(message);
    demand(Array.isArray(items) && items.length === kind[1].length, 'an item for each field');
    return `${kind[0]} ${JSON.stringify(items.map(sayItem))}`;
  }

  #inputs(bits: BitSource): string[] {
    const newest = expand(bits.take(16), this.#tick);
    const count = bits.take(5) + 1;
    const hasView = bits.take(1) === 1;
    const view = hasView ? expand(bits.take(16), this.#tick) + bits.take(8) / 256 : 'none';
    const lines = [`view = ${view}`];
    let row = '';
    for (let n = 0; n < count; n++) {
      if (n === 0 || bits.take(1) === 1) row = list(this.#schema.input, bits);
      lines.push(`input ${newest - n} = ${row}`);
    }
    return lines;
  }

  #snapshot(bits: BitSource): string[] {
    const tick = expand(bits.take(16), this.#tick);
    this.#tick = tick;
    const [whole, predicted, feedback] = [bits.take(1), bits.take(1), bits.take(1)];
    const marks = `${whole ? ', whole' : ''}${predicted ? ', predicted' : ''}`;
    const lines = [`tick = ${tick}${marks}`];
    if (feedback) {
      lines.push(`feedback = input ${expand(bits.take(16), tick)}, ${bits.signed(12) / 4} ms`);
    }
    const gone = Array.from({ length: bits.var() }, () => bits.var());
    demand(gone.length <= 64, 'at most 64 gone');
    lines.push(`gone = ${gone.length === 0 ? 'none' : gone.join(', ')}`);
    while (bits.take(1) === 1) lines.push(...this.#group(bits, tick));
    return lines;
  }

  #group(bits: BitSource, tick: number): string[] {
    const archetype = this.#schema.archetypes[bits.take(8)];
    demand(archetype !== undefined, 'an archetype of the schema');
    const lines: string[] = [];
    let id = 0;
    for (let left = bits.var() + 1; left > 0; left--) {
      id += bits.var() + 1;
      const change = bits.take(1) === 1;
      const argument = bits.take(change ? 6 : 1);
      const base = change ? this.#rows.get(`${id}@${tick - argument}`) : undefined;
      demand(!change || (argument > 0 && base !== undefined), 'a baseline that was told');
      const yours = base?.yours ?? argument === 1;
      const { row, said } = readRecord(bits, archetype, yours, base?.row);
      this.#rows.set(`${id}@${tick}`, { row, yours });
      const how = change ? `change since ${tick - argument}` : `whole${yours ? ', yours' : ''}`;
      lines.push(`${archetype.name} ${id} = ${how}: ${said}`);
    }
    return lines;
  }
}
