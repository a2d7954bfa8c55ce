// A message as bytes, with where it goes: encoded once for as many connections as it is for.

import type { MessageDeclarations, MessageSet, MessageValue } from '../messages/message-set.ts';

/** See the head of the file. Reused: what it holds is good until the next `encode`. */
export class EncodedMessage {
  bytes = new Uint8Array(0);
  /** -1 = longer than its channel takes. */
  length = -1;
  /** Index in the set's channels. */
  channel = 0;
  /** The value's key, of a reliable-latest channel. */
  key = 0;

  /** Throws 'message-invalid' for an unknown name and for a value that the declaration does not allow. */
  encode<M extends MessageDeclarations, K extends keyof M & string>(
    set: MessageSet<M>,
    name: K,
    value: Readonly<MessageValue<M[K]>>,
  ): void {
    const kind = set.kindOf(name);
    this.channel = kind < 0 ? 0 : set.channelOf(kind);
    const { limits, key } = set.channels[this.channel]!;
    if (this.bytes.length < limits.messageBytes) this.bytes = new Uint8Array(limits.messageBytes);
    this.length = set.encode(name, value, this.bytes, 0, limits.messageBytes);
    this.key = key === undefined ? 0 : (value[key] as number);
  }
}
