// All messages of one connection, of a game's or of one without: each goes through the channel that was declared
// for it, and comes out of the same channel on the other side or is not taken.
//
// Channel ids: `main` has GameChannel.messages, the others count up from GameChannel.declared in order of declaration.
// In a reliable-latest channel the record's key is the value of the message's key field.

import type { MessageDeclarations, MessageSet, MessageValue } from '../messages/message-set.ts';
import type { ChannelPlan } from '../transport/channel.ts';
import type { Connection } from '../transport/connection.ts';
import { createMessageChannel } from '../transport/delivery.ts';
import type {
  MessageChannel,
  MessageChannelStatistics,
  SendResult,
} from '../transport/message-channel.ts';
import { ReliableLatestChannel } from '../transport/reliable-latest.ts';
import { TickwireError } from '../wire/errors.ts';
import { EncodedMessage } from './encoded-message.ts';
import { GameChannel } from './game-channels.ts';
import { MessageRate } from './message-rate.ts';
import type { RateLimit } from './rate-bucket.ts';

/** Gets what the other side sent. Must not throw. */
export interface MessageReceiver<M extends MessageDeclarations> {
  message<K extends keyof M & string>(name: K, value: MessageValue<M[K]>): void;
  /** The value under `key`, of a message that travels as latest values, is no more. */
  forgotten(name: keyof M & string, key: number): void;
}

/** What a channel took on the wire, bytes. */
export interface WireBytes {
  readonly out: number;
  readonly in: number;
}

/** Counts of every channel of messages, by name. */
export type ChannelStatistics = Readonly<Record<string, Readonly<MessageChannelStatistics>>>;

/** One at a time is encoded, and copied into queues before the next. */
const encoded = new EncodedMessage();

/** See the head of the file. */
export class MessageChannels<M extends MessageDeclarations = MessageDeclarations> {
  /** By channel name; up to date whenever they are read. */
  readonly statistics: ChannelStatistics;
  readonly #set: MessageSet<M>;
  readonly #receiver: MessageReceiver<M>;
  /** In the order of the set's channels. */
  readonly #channels: readonly (MessageChannel | ReliableLatestChannel)[];
  /** In the same order, if there is a limit. */
  readonly #rates: readonly MessageRate[] | undefined;
  #finished = false;
  #malformed = 0;

  /**
   * `rate` = messages that each channel takes from the other side; none = as many as come. Throws 'option-invalid' for
   * what is no limit.
   */
  constructor(set: MessageSet<M>, receiver: MessageReceiver<M>, rate?: RateLimit) {
    this.#set = set;
    this.#receiver = receiver;
    this.#channels = set.channels.map(({ limits }, index) =>
      limits.kind === 'reliable-latest'
        ? new ReliableLatestChannel(limits, {
            set: (key, bytes, start, end) => this.#receive(index, bytes, start, end, key),
            deleted: (key) => this.#forgotten(index, key),
          })
        : createMessageChannel(limits, (bytes, start, end) =>
            this.#receive(index, bytes, start, end, 0),
          ),
    );
    this.statistics = Object.fromEntries(
      set.channels.map(({ name }, index) => [name, this.#channels[index]!.statistics]),
    );
    this.#rates =
      rate && this.#channels.map((channel) => new MessageRate(channel, channel.statistics, rate));
  }

  /** Messages that were none, or came where they do not belong; ignored. */
  get malformed(): number {
    return this.#malformed;
  }

  /** Reliable messages and latest values that the other side has not acknowledged. */
  get unsettled(): number {
    let count = 0;
    for (let i = 0; i < this.#channels.length; i++) {
      const reliable = this.#set.channels[i]!.limits.kind.startsWith('reliable');
      if (reliable) count += this.#channels[i]!.statistics.queued;
    }
    return count;
  }

  /** Messages of all channels that wait to be sent, and reliable ones and latest values that are not acknowledged. */
  get queued(): number {
    let count = 0;
    for (const { statistics } of this.#channels) count += statistics.queued;
    return count;
  }

  /** Their bytes. */
  get queuedBytes(): number {
    let sizeBytes = 0;
    for (const { statistics } of this.#channels) sizeBytes += statistics.queuedBytes;
    return sizeBytes;
  }

  /** What a connection is to be made with, beside channels of a game. */
  plans(): readonly ChannelPlan[] {
    return this.#channels.map((channel, index) => {
      const { priority, weight } = this.#set.channels[index]!.limits;
      return { id: channelId(index), channel: this.#rates?.[index] ?? channel, priority, weight };
    });
  }

  /**
   * Queues a message in its channel. 'full' = see {@link onWritable}; 'too-large' = longer than the channel's
   * messageBytes. Throws 'message-invalid' for an unknown name and for a value that the declaration does not allow.
   */
  send<K extends keyof M & string>(name: K, value: Readonly<MessageValue<M[K]>>): SendResult {
    encoded.encode(this.#set, name, value);
    return this.sendEncoded(encoded);
  }

  /** {@link send} of a message that was encoded before, by the same set. */
  sendEncoded({ channel: index, key, bytes, length }: EncodedMessage): SendResult {
    if (this.#finished) return 'closed';
    if (length < 0) return 'too-large';
    const channel = this.#channels[index]!;
    return channel instanceof ReliableLatestChannel
      ? channel.set(key, bytes, 0, length)
      : channel.send(bytes, 0, length);
  }

  /**
   * Takes back the value under `key` of a message that travels as latest values: the other side is told, reliably.
   * Throws 'channel-invalid' for any other message, 'key-invalid' for what is no whole number below 2^32.
   */
  forget(name: keyof M & string, key: number): SendResult {
    const kind = this.#set.kindOf(name);
    const channel = kind < 0 ? undefined : this.#channels[this.#set.channelOf(kind)];
    if (!(channel instanceof ReliableLatestChannel)) {
      const why = 'does not travel in a reliable-latest channel, so there is nothing to forget';
      throw new TickwireError('channel-invalid', `message '${name}' ${why}`);
    }
    return this.#finished ? 'closed' : channel.delete(key);
  }

  /**
   * Calls once, when at most half of the channel's queue is in use, at the next flush at the earliest; all who wait, in
   * the order in which they asked, as long as there is room. The callback must not throw. Throws 'channel-invalid' for
   * a channel that does not exist, 'handlers-full' when 64 wait for this one.
   */
  onWritable(callback: () => void, channelName = 'main'): void {
    this.#channels[this.#indexOf(channelName)]!.onWritable(callback);
  }

  /**
   * Bytes that the channel's sections took in the packets of `connection`, both ways, those said again included. Throws
   * 'channel-invalid' for a channel that does not exist.
   */
  wireBytes(connection: Connection | undefined, channelName: string): WireBytes {
    const id = channelId(this.#indexOf(channelName));
    return {
      out: connection?.channelBytesOut(id) ?? 0,
      in: connection?.channelBytesIn(id) ?? 0,
    };
  }

  /** Takes no more: `send` says closed. What is queued still leaves. */
  finish(): void {
    this.#finished = true;
  }

  #indexOf(channelName: string): number {
    const index = this.#set.channels.findIndex(({ name }) => name === channelName);
    if (index >= 0) return index;
    throw new TickwireError('channel-invalid', `there is no channel '${channelName}'`);
  }

  #forgotten(index: number, key: number): void {
    this.#rates?.[index]?.delivered();
    this.#receiver.forgotten(this.#set.channels[index]!.carries[0]!, key);
  }

  /** What is no message counts against the rate as well: it took as much work. */
  #receive(index: number, bytes: Uint8Array, start: number, end: number, key: number): void {
    this.#rates?.[index]?.delivered();
    const message = this.#set.decode(bytes, start, end);
    if (message === undefined || this.#set.channelOf(message.kind) !== index) {
      this.#malformed++;
      return;
    }
    const keyField = this.#set.channels[index]!.key;
    if (keyField !== undefined && message.value[keyField] !== key) this.#malformed++;
    else this.#receiver.message(message.name, message.value);
  }
}

function channelId(index: number): number {
  return index === 0 ? GameChannel.messages : GameChannel.declared + index - 1;
}
