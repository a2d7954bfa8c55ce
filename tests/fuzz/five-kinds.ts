// One end of a connection with a channel of every delivery kind, which knows what it said and checks what it hears:
// each message names itself, and its bytes follow from its number, so that a damaged one is noticed.

import {
  type ChannelOptions,
  type ChannelPlan,
  Connection,
  createMessageChannel,
  type MessageChannel,
  ReliableLatestChannel,
  resolveChannel,
  type SealerChain,
  type SendResult,
} from '@tickwire/protocol';

const messageKinds = [
  'unreliable',
  'unreliable-sequenced',
  'reliable-unordered',
  'reliable-ordered',
] as const;

/** Small bounds, so that the fuzzer meets them; more than a fragment, so that it meets those. */
const options: Partial<ChannelOptions> = {
  messageBytes: 8000,
  queueBytes: 24_000,
  queueEntries: 200,
};
export const LATEST_KEYS = 16;

/** Bytes of message `number`: its number, then a pattern that depends on it and on each place. */
function messageBytes(number: number, size: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(4, size));
  for (let i = 4; i < bytes.length; i++) bytes[i] = (number * 31 + i * 7) ^ (i >> 8);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

function numberOf(bytes: Uint8Array, start: number, end: number): number {
  const copy = bytes.slice(start, end);
  const number = copy.length < 4 ? -1 : new DataView(copy.buffer).getUint32(0);
  const whole = messageBytes(number, copy.length);
  return number >= 0 && whole.every((byte, i) => byte === copy[i]) ? number : -1;
}

/** See the head of the file. */
export class FiveKinds {
  readonly connection: Connection;
  readonly channels: MessageChannel[] = [];
  readonly latest: ReliableLatestChannel;
  /** Numbers heard, by kind as in `messageKinds`; -1 = damaged. */
  readonly heard: number[][] = messageKinds.map(() => []);
  /** Numbers taken by `send`, by kind. */
  readonly said: number[][] = messageKinds.map(() => []);
  /** What the peer's latest values are believed to be. */
  readonly values = new Map<number, number>();
  /** What this side has set. */
  readonly own = new Map<number, number>();
  ended: string | undefined;
  #next = 1;

  constructor(
    nowMs: number,
    outgoing: SealerChain,
    incoming: SealerChain,
    rotateAfterPackets?: number,
  ) {
    const plans: ChannelPlan[] = [];
    for (const [kind, name] of messageKinds.entries()) {
      const limits = resolveChannel({ kind: name, ...options });
      const channel = createMessageChannel(limits, (bytes, start, end) =>
        this.heard[kind]!.push(numberOf(bytes, start, end)),
      );
      this.channels.push(channel);
      plans.push({ id: 7 + 13 * kind, channel, priority: kind % 2, weight: 1 + kind });
    }
    const limits = resolveChannel({ kind: 'reliable-latest', keys: LATEST_KEYS });
    this.latest = new ReliableLatestChannel(limits, {
      set: (key, bytes, start, end) => this.values.set(key, numberOf(bytes, start, end)),
      deleted: (key) => this.values.delete(key),
    });
    plans.push({ id: 63, channel: this.latest });
    this.connection = new Connection({
      remoteId: 1,
      outgoing,
      incoming,
      rotateAfterPackets,
      channels: plans,
      nowMs,
      // The fuzzer lets packets lie for long.
      timeoutMs: 3_600_000,
      sink: {
        closed: (reason) => {
          this.ended = reason;
        },
        ended: () => {},
      },
    });
  }

  send(kind: number, size: number): SendResult {
    const number = this.#next++;
    const bytes = messageBytes(number, size);
    const result = this.channels[kind]!.send(bytes, 0, bytes.length);
    if (result === 'queued') this.said[kind]!.push(number);
    return result;
  }

  /** Sets a key, or deletes it when `size` is 0. */
  set(key: number, size: number): SendResult {
    if (size === 0) {
      const result = this.latest.delete(key);
      if (result === 'queued') this.own.delete(key);
      return result;
    }
    const number = this.#next++;
    const bytes = messageBytes(number, size);
    const result = this.latest.set(key, bytes, 0, bytes.length);
    if (result === 'queued') this.own.set(key, number);
    return result;
  }

  /** What grows beyond its declared bound; undefined = nothing. */
  excess(): string | undefined {
    const { messageBytes: message = 0, queueBytes: queue = 0, queueEntries: entries = 0 } = options;
    for (const [kind, channel] of this.channels.entries()) {
      const { queued, queuedBytes, heldBytes } = channel.statistics;
      // Unreliable kinds hold whole slots of fragments, of a few messages at most.
      const held = kind < 2 ? 16 * message : queue + message;
      if (queued > entries || queuedBytes > queue || heldBytes > held) {
        return `${messageKinds[kind]}: ${JSON.stringify(channel.statistics)}`;
      }
    }
    const { queued } = this.latest.statistics;
    return queued > LATEST_KEYS ? `reliable-latest: ${queued} queued` : undefined;
  }

  /** Reliable messages and values that are not settled. */
  get unsettled(): number {
    const [, , unordered, ordered] = this.channels;
    const queued = unordered!.statistics.queued + ordered!.statistics.queued;
    return queued + this.latest.statistics.queued;
  }
}

/** What is wrong with what `to` heard of what `from` said, once everything is settled; undefined = nothing. */
export function disagreement(from: FiveKinds, to: FiveKinds): string | undefined {
  for (const [kind, name] of messageKinds.entries()) {
    const [said, heard] = [from.said[kind]!, to.heard[kind]!];
    if (heard.includes(-1)) return `${name}: a damaged message`;
    if (new Set(heard).size !== heard.length) return `${name}: a message came twice`;
    const known = new Set(said);
    if (heard.some((number) => !known.has(number))) return `${name}: a message nobody sent`;
    const ordered = name === 'reliable-ordered' || name === 'unreliable-sequenced';
    if (ordered && heard.some((number, i) => i > 0 && number < heard[i - 1]!)) {
      return `${name}: out of order`;
    }
    if (kind >= 2 && heard.length !== said.length) {
      return `${name}: ${said.length} sent, ${heard.length} arrived`;
    }
  }
  for (const [key, number] of from.own) {
    if (to.values.get(key) !== number) return `reliable-latest: key ${key} is not the newest`;
  }
  const extra = [...to.values.keys()].find((key) => !from.own.has(key));
  return extra === undefined ? undefined : `reliable-latest: key ${extra} was deleted`;
}
