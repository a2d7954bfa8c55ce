// The reliable-unordered delivery kind: every message exactly once, as soon as it is there.

import type { ChannelLimits } from '../wire/channel-options.ts';
import type { MessageSink } from './message-channel.ts';
import { ReliableChannel } from './reliable-channel.ts';

/** Holds nothing but the fragments of messages that are not complete. */
export class ReliableUnorderedChannel extends ReliableChannel {
  constructor(limits: ChannelLimits, sink: MessageSink) {
    super(limits, sink, false);
  }
}
