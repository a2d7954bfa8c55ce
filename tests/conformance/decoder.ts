// Reads a conversation of datagrams and says what stands in them. Written from PROTOCOL.md alone, and so shares nothing
// with the code that it checks: no import from the packages. Whatever the page forbids throws.

import { createHmac } from 'node:crypto';
import { RecordReader } from './records.ts';
import { type Field, type Row, readField, readRecord, readSchema, type Schema } from './schema.ts';
import { BitSource, ByteSource, demand, expand, hex, hex32, readMessagePack } from './sources.ts';

const REASONS = [
  ...['closed', 'kicked', 'shutdown', 'timeout', 'error', 'refused'],
  ...['full', 'version', 'game', 'unreachable', 'aborted', 'overflow'],
];
const MAGIC = '544b5752';
const TAG_BYTES = 16;

const mac = (key: Uint8Array, ...parts: Uint8Array[]) =>
  createHmac('sha256', key).update(Buffer.concat(parts)).digest().subarray(0, TAG_BYTES);
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
const utf8 = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
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
  readonly purpose: number;
  newest: number;
  /** By channel. */
  readonly records: Map<number, RecordReader>;
}

const direction = (to: Direction['to'], purpose: number): Direction => ({
  to,
  purpose,
  newest: -1,
  records: new Map(),
});

/** See the head of the file. */
export class Decoder {
  readonly #schema: Schema;
  readonly #up = direction('server', 1);
  readonly #down = direction('client', 2);
  #nonce: Uint8Array = new Uint8Array(16);
  #cookie: Uint8Array = new Uint8Array(0);
  #clientKey: Uint8Array = new Uint8Array(0);
  #serverKey: Uint8Array = new Uint8Array(0);
  #clientId = 0;
  #serverId = 0;
  #epoch = -1;
  #tick = 0;
  /** Rows told, by 'id@tick'. */
  readonly #rows = new Map<string, { row: Row; yours: boolean }>();

  constructor(schemaText: string) {
    this.#schema = readSchema(schemaText);
  }

  /** The meaning of the next datagram, line by line. */
  decode(datagram: Uint8Array): string[] {
    demand(datagram.length <= 1472, 'at most 1472 bytes');
    const source = new ByteSource(datagram);
    const readers = [
      ...[undefined, () => this.#hello(source, false), () => this.#challenge(source)],
      ...[() => this.#hello(source, true), () => this.#accept(datagram, source)],
      ...[() => this.#refuse(source), () => this.#data(datagram, source)],
    ];
    const reader = readers[source.u(1)];
    demand(reader !== undefined, 'a kind from 1 to 6, all other bits zero');
    const lines = reader();
    source.finish();
    return lines;
  }

  #hello(source: ByteSource, proof: boolean): string[] {
    demand(source.left === 1199 && hex(source.take(4)) === MAGIC, '1200 bytes with the magic');
    const versions = [source.u(1), source.u(1)] as const;
    const lines = [proof ? 'kind = proof' : 'kind = request'];
    if (proof) demand(versions[1] === 0, 'the reserved byte is zero');
    lines.push(proof ? `version = ${versions[0]}` : `versions = ${versions.join(' to ')}`);
    lines.push(`game id hash = ${hex32(source.u(4))}`, `schema digest = ${hex32(source.u(4))}`);
    const nonce = source.take(16);
    if (!proof) this.#nonce = nonce;
    lines.push(proof ? this.#echo(nonce) : `nonce = ${hex(nonce)}`);
    if (proof) lines.push(...this.#proof(source));
    const padding = source.rest();
    demand(
      padding.every((byte) => byte === 0),
      'padding of zeros',
    );
    return [...lines, `padding = ${padding.length}`];
  }

  #proof(source: ByteSource): string[] {
    demand(hex(source.take(20)) === hex(this.#cookie), 'the cookie of the challenge');
    this.#clientId = source.u(4);
    this.#clientKey = source.take(32);
    demand(this.#clientId !== 0 && source.u(2) === 0, 'an id, and no token');
    const key = `client key = ${hex(this.#clientKey)}`;
    return ['cookie = returned', `client id = ${hex32(this.#clientId)}`, key];
  }

  #challenge(source: ByteSource): string[] {
    const echo = this.#echo(source.take(16));
    this.#cookie = source.take(20);
    return ['kind = challenge', echo, `cookie = ${hex(this.#cookie)}`];
  }

  #accept(datagram: Uint8Array, source: ByteSource): string[] {
    const echo = this.#echo(source.take(16));
    this.#serverId = source.u(4);
    this.#serverKey = source.take(32);
    const tag = mac(this.#key(3), datagram.subarray(0, 53));
    demand(this.#serverId !== 0 && hex(source.take(16)) === hex(tag), 'an id and the tag');
    const lines = ['kind = accept', echo, `server id = ${hex32(this.#serverId)}`];
    return [...lines, `server key = ${hex(this.#serverKey)}`, 'tag = valid'];
  }

  #refuse(source: ByteSource): string[] {
    const echo = this.#echo(source.take(16));
    const reason = REASONS[source.u(1)];
    demand(reason !== undefined && source.left <= 200, 'a reason, and at most 200 bytes of text');
    return ['kind = refuse', echo, `reason = ${reason}`, `text = ${utf8(source.rest())}`];
  }

  #echo(nonce: Uint8Array): string {
    demand(hex(nonce) === hex(this.#nonce), 'the nonce of the request');
    return 'nonce = echoed';
  }

  #key(purpose: number): Uint8Array {
    const half = (n: number) =>
      mac(this.#clientKey, Uint8Array.of(purpose, n), this.#serverKey, this.#nonce);
    return Buffer.concat([half(0), half(1)]);
  }

  #data(datagram: Uint8Array, source: ByteSource): string[] {
    demand(datagram.length >= 24, 'at least 24 bytes');
    const id = source.u(4);
    const way = id === this.#serverId ? this.#up : this.#down;
    demand(way === this.#up || id === this.#clientId, 'the id of one of the two');
    const sequence = expand(source.u(2), way.newest + 1);
    demand(sequence > way.newest, 'a sequence not seen');
    way.newest = sequence;
    const body = new ByteSource(source.take(source.left - TAG_BYTES));
    const full = Buffer.alloc(8);
    full.writeDoubleLE(sequence);
    const tag = mac(this.#key(way.purpose), datagram.subarray(0, -TAG_BYTES), full);
    demand(hex(source.take(TAG_BYTES)) === hex(tag), 'the tag fits');
    const lines = ['kind = data', `to = ${way.to}`, `sequence = ${sequence}`];
    lines.push(this.#ack(body, way === this.#up ? this.#down : this.#up));
    const seen = new Set<number>();
    while (body.left > 0) lines.push(...this.#section(body, way, seen));
    return [...lines, 'tag = valid'];
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
