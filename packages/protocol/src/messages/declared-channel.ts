// Which messages travel in which channel: checked when they are declared, so that a connection is only ever made
// of channels whose bounds hold what they carry. What no channel carries travels in `main`.

import {
  type ChannelLimits,
  type ChannelOptions,
  resolveChannel,
} from '../wire/channel-options.ts';
import { TickwireError } from '../wire/errors.ts';
import { checkName } from '../wire/name.ts';
import type { MessageField } from './message-field.ts';

/** A channel as users declare it: how it delivers, its bounds, and what it carries. */
export interface MessageChannelOptions<N extends string = string, F extends string = string>
  extends ChannelOptions {
  /** Names of the messages that travel in it. Not for `main`, which carries the rest. */
  readonly carries?: readonly N[];
  /** Of a reliable-latest channel: the uint field of its one message that tells values apart. */
  readonly key?: F;
}

/** A declared channel after checking. */
export interface DeclaredChannel {
  readonly name: string;
  readonly limits: ChannelLimits;
  readonly carries: readonly string[];
  /** Field that holds the key of a reliable-latest channel; undefined for the other kinds. */
  readonly key: string | undefined;
}

/** What has to be known of a message here. */
export interface CarriedMessage {
  readonly name: string;
  /** Most bytes that it takes encoded. */
  readonly maxBytes: number;
  readonly fields: Readonly<Record<string, MessageField>>;
}

/** The channel of every message that no other one carries. */
const MAIN_CHANNEL = 'main';

/** Of the 64 channels of a connection, a game keeps two for itself. */
export const MESSAGE_CHANNELS_MAX = 62;

const MAIN: MessageChannelOptions = { kind: 'reliable-ordered' };

/** Checks and completes declared channels; `main` comes first, then the others in order. Throws 'channel-invalid'. */
export function resolveChannels(
  messages: readonly CarriedMessage[],
  declared: Readonly<Record<string, MessageChannelOptions>>,
): readonly DeclaredChannel[] {
  const others = Object.keys(declared).filter((name) => name !== MAIN_CHANNEL);
  if (others.length >= MESSAGE_CHANNELS_MAX) {
    const count = `${others.length} channels beside 'main'`;
    throw new TickwireError('channel-invalid', `${count}, at most ${MESSAGE_CHANNELS_MAX - 1}`);
  }
  const rest = new Map(messages.map((message) => [message.name, message]));
  const carrying = others.map((name) => {
    const options = declared[name]!;
    return resolveOne(name, options, take(name, options, rest));
  });
  const main = declared[MAIN_CHANNEL] ?? MAIN;
  checkMain(main);
  return [resolveOne(MAIN_CHANNEL, main, [...rest.values()]), ...carrying];
}

/** Takes what a channel carries out of those messages that have none yet. */
function take(
  channel: string,
  { carries = [] }: MessageChannelOptions,
  rest: Map<string, CarriedMessage>,
): CarriedMessage[] {
  checkName('channel', channel, 'channel-invalid');
  if (carries.length === 0) throw invalid(channel, 'carries no message');
  return carries.map((name) => {
    const message = rest.get(name);
    if (message === undefined) {
      throw invalid(channel, `carries '${name}', which is no message or is carried twice`);
    }
    rest.delete(name);
    return message;
  });
}

function checkMain(main: MessageChannelOptions): void {
  if (main.carries !== undefined) {
    throw invalid(MAIN_CHANNEL, 'carries what no other channel does, and names nothing');
  }
  if (main.kind === 'reliable-latest') {
    throw invalid(MAIN_CHANNEL, 'may be of any kind but reliable-latest');
  }
}

function resolveOne(
  name: string,
  { carries: _, key, ...options }: MessageChannelOptions,
  messages: readonly CarriedMessage[],
): DeclaredChannel {
  checkKey(name, options.kind, key, messages);
  const longest = messages.reduce((a, b) => (b.maxBytes > a.maxBytes ? b : a), NOTHING);
  const messageBytes = options.messageBytes ?? longest.maxBytes;
  try {
    const limits = resolveChannel({ ...options, messageBytes });
    return { name, limits, carries: messages.map((message) => message.name), key };
  } catch (error) {
    const about = options.messageBytes === undefined ? `, message '${longest.name}'` : '';
    const why = `channel '${name}'${about}: ${(error as Error).message}`;
    throw new TickwireError('channel-invalid', why, { cause: error });
  }
}

/** A channel that carries nothing holds an empty message at most. */
const NOTHING: CarriedMessage = { name: '', maxBytes: 1, fields: {} };

function checkKey(
  channel: string,
  kind: string,
  key: string | undefined,
  messages: readonly CarriedMessage[],
): void {
  if (kind !== 'reliable-latest') {
    if (key === undefined) return;
    throw invalid(channel, 'has a key, which only reliable-latest channels have');
  }
  const [message, second] = messages;
  if (message === undefined || second !== undefined) {
    throw invalid(channel, 'is reliable-latest and so carries exactly one message');
  }
  if (key !== undefined && Object.hasOwn(message.fields, key)) {
    if (message.fields[key]!.kind === 'uint') return;
  }
  throw invalid(channel, `needs as its key a uint field of '${message.name}'`);
}

function invalid(channel: string, why: string): TickwireError {
  return new TickwireError('channel-invalid', `channel '${channel}' ${why}`);
}
