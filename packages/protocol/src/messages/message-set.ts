// Typed application messages. On the wire: kind as varint, then a MessagePack array of the declared fields in
// order of declaration, so that names never travel.

import { ByteReader, ByteWriter, varintBytes } from '../wire/bytes.ts';
import { TickwireError } from '../wire/errors.ts';
import { checkId, checkName, hashText } from '../wire/name.ts';
import { AllowList } from './allow-list.ts';
import {
  type DeclaredChannel,
  type MessageChannelOptions,
  resolveChannels,
} from './declared-channel.ts';
import { allows, encodedBytes, FIELD_KINDS, type MessageField } from './message-field.ts';
import { pack, unpack } from './message-pack.ts';

/** Messages by name, each with its fields. */
export type MessageDeclarations = Readonly<Record<string, Readonly<Record<string, MessageField>>>>;

/** A message as users see it. */
export type MessageValue<F extends Readonly<Record<string, MessageField>>> = {
  -readonly [K in keyof F]: F[K]['zero'];
};

/** A decoded message of any kind. */
export type Message<M extends MessageDeclarations> = {
  [K in keyof M & string]: {
    /** Number of the kind on the wire. */
    readonly kind: number;
    readonly name: K;
    readonly value: MessageValue<M[K]>;
  };
}[keyof M & string];

/** Channels by name, each with what it carries. */
export type ChannelDeclarations<M extends MessageDeclarations> = Readonly<
  Record<
    string,
    MessageChannelOptions<keyof M & string, { [K in keyof M]: keyof M[K] & string }[keyof M]>
  >
>;

interface Kind {
  readonly name: string;
  readonly fieldNames: readonly string[];
  readonly fields: readonly MessageField[];
}

const MAX_KINDS = 256;
const MAX_MESSAGE_FIELDS = 64;
/** Most bytes of a kind number. */
const KIND_BYTES = 2;
/** Most bytes of the array's head: fields stay below 2^16. */
const ARRAY_BYTES = 3;

/** Names sets of messages that are used alone and have no id of their own. */
const ID = 'messages';

/** The messages of a game, or of a connection without one, and the channels they travel in. */
export class MessageSet<M extends MessageDeclarations = MessageDeclarations> {
  readonly id: string;
  readonly names: readonly (keyof M & string)[];
  /** `main` first, then the others in order of declaration. */
  readonly channels: readonly DeclaredChannel[];
  /** The declarations as text, for schema digests. */
  readonly canonical: string;
  /** u32 hash of everything that both ends must declare alike, when there is no game around the messages. */
  readonly digest: number;
  /** u32 hash of `id`. */
  readonly idHash: number;
  /** Most bytes that any of the messages takes encoded. */
  readonly maxBytes: number;
  readonly #kinds: readonly Kind[];
  readonly #kindOf = new Map<string, number>();
  /** Index of its channel, by kind. */
  readonly #channelOf: Uint8Array;
  readonly #writer = new ByteWriter();
  readonly #reader = new ByteReader();
  readonly #allowList = new AllowList();

  constructor(declarations: M, channels: ChannelDeclarations<M> = {}, id = ID) {
    checkId(id, 'message-invalid');
    this.id = id;
    this.names = Object.keys(declarations);
    checkDeclarations(declarations);
    this.#kinds = this.names.map((name) => ({
      name,
      fieldNames: Object.keys(declarations[name]!),
      fields: Object.values(declarations[name]!),
    }));
    this.names.forEach((name, kind) => {
      this.#kindOf.set(name, kind);
    });
    this.maxBytes = Math.max(0, ...this.#kinds.map(kindBytes));
    this.channels = resolveChannels(
      this.#kinds.map((kind) => ({
        name: kind.name,
        maxBytes: kindBytes(kind),
        fields: declarations[kind.name]!,
      })),
      channels,
    );
    this.#channelOf = new Uint8Array(this.names.length);
    this.channels.forEach(({ carries }, channel) => {
      for (const name of carries) this.#channelOf[this.kindOf(name)] = channel;
    });
    const kinds = this.#kinds.map(canonicalKind);
    // Without channels the text is what it was before there were any.
    const plain = Object.keys(channels).length === 0;
    this.canonical = JSON.stringify(
      plain ? kinds : { messages: kinds, channels: this.channels.map(canonicalChannel) },
    );
    this.digest = hashText(JSON.stringify([id, this.canonical]));
    this.idHash = hashText(id);
  }

  /** Index in `channels` of the one that carries a kind. */
  channelOf(kind: number): number {
    return this.#channelOf[kind]!;
  }

  /** Number of a kind on the wire, -1 = no such. */
  kindOf(name: string): number {
    return this.#kindOf.get(name) ?? -1;
  }

  /**
   * Writes a message to out[start, end). Returns its bytes, -1 when it does not fit. Throws 'message-invalid'
   * for an unknown name and for a value that the declaration does not allow.
   */
  encode<K extends keyof M & string>(
    name: K,
    value: Readonly<MessageValue<M[K]>>,
    out: Uint8Array,
    start: number,
    end: number,
  ): number {
    const number = this.kindOf(name);
    if (number < 0) throw new TickwireError('message-invalid', `there is no message '${name}'`);
    const body = pack(positional(this.#kinds[number]!, value));
    const size = varintBytes(number) + body.length;
    if (size > end - start) return -1;
    this.#writer.reset(out, start, end);
    this.#writer.varint(number);
    this.#writer.range(body, 0, body.length);
    return size;
  }

  /** Reads the message that [start, end) is; undefined for anything else, whatever it is. Keeps no range. */
  decode(bytes: Uint8Array, start: number, end: number): Message<M> | undefined {
    this.#reader.reset(bytes, start, end);
    const number = this.#reader.varint();
    if (this.#reader.failed || number >= this.#kinds.length) return undefined;
    const kind = this.#kinds[number]!;
    const bodyStart = this.#reader.position;
    if (!this.#allowList.allows(bytes, bodyStart, end)) return undefined;
    const value = named(kind, unpack(bytes, bodyStart, end));
    if (value === undefined) return undefined;
    return { kind: number, name: kind.name, value } as unknown as Message<M>;
  }
}

/** What a set was declared with, for types: `Session<MessagesOf<typeof chat>>`. */
export type MessagesOf<S> = S extends MessageSet<infer M> ? M : never;

/**
 * Declares messages, and the channels they travel in where that is not `main`: reliable, in order, priority 0.
 * `id` names them on the wire when they are used without a game. Throws 'message-invalid' or 'channel-invalid' on
 * the first thing wrong.
 *
 * @example
 * const chat = defineMessages(
 *   { say: { line: text(200) }, typing: { who: uint(16) } },
 *   { hints: { kind: 'unreliable-sequenced', carries: ['typing'], ttlMs: 100 } },
 * );
 */
export function defineMessages<M extends MessageDeclarations>(
  declarations: M,
  channels: ChannelDeclarations<NoInfer<M>> = {},
  id: string = ID,
): MessageSet<M> {
  return new MessageSet<M>(declarations, channels, id);
}

function checkDeclarations(declarations: MessageDeclarations): void {
  const names = Object.keys(declarations);
  if (names.length > MAX_KINDS) {
    throw new TickwireError('message-invalid', `${names.length} messages, at most ${MAX_KINDS}`);
  }
  for (const name of names) {
    checkName('message', name, 'message-invalid');
    const fields = declarations[name]!;
    const count = Object.keys(fields).length;
    if (count > MAX_MESSAGE_FIELDS) {
      const why = `has ${count} fields, at most ${MAX_MESSAGE_FIELDS}`;
      throw new TickwireError('message-invalid', `message '${name}' ${why}`);
    }
    for (const field of Object.keys(fields)) {
      checkName(`field of message '${name}'`, field, 'message-invalid');
      const { kind } = fields[field]!;
      if (FIELD_KINDS.includes(kind)) continue;
      const why = `${kind}() is not for messages`;
      throw new TickwireError('message-invalid', `message '${name}', field '${field}': ${why}`);
    }
  }
}

function kindBytes(kind: Kind): number {
  const fields = kind.fields.reduce((sum, field) => sum + encodedBytes(field), 0);
  return KIND_BYTES + ARRAY_BYTES + fields;
}

function canonicalKind(kind: Kind): unknown {
  const fields = kind.fields.map((f, i) => [kind.fieldNames[i], f.kind, f.min, f.step, f.max]);
  return [kind.name, fields];
}

/** Every bound after defaults: they are what both sides rely on. Infinity is written as null. */
function canonicalChannel({ name, limits, carries, key }: DeclaredChannel): unknown {
  const { kind, priority, weight, messageBytes, queueBytes, queueEntries, ttlMs, keys } = limits;
  const bounds = [priority, weight, messageBytes, queueBytes, queueEntries, ttlMs, keys];
  return [name, kind, bounds, carries, key ?? ''];
}

function positional(kind: Kind, value: Readonly<Record<string, unknown>>): unknown[] {
  return kind.fieldNames.map((name, i) => {
    const item: unknown = value[name];
    if (allows(kind.fields[i]!, item)) return item;
    const why = `does not fit ${kind.fields[i]!.kind}`;
    throw new TickwireError('message-invalid', `message '${kind.name}', field '${name}' ${why}`);
  });
}

/** Undefined unless `values` is an array of exactly the declared fields. */
function named(kind: Kind, values: unknown): Record<string, unknown> | undefined {
  if (!Array.isArray(values) || values.length !== kind.fields.length) return undefined;
  const value: Record<string, unknown> = {};
  for (let i = 0; i < kind.fields.length; i++) {
    if (!allows(kind.fields[i]!, values[i])) return undefined;
    value[kind.fieldNames[i]!] = values[i];
  }
  return value;
}
