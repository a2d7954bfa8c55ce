// The reliable-ordered delivery kind: every message exactly once, in the order of sending.

import type { ChannelLimits } from '../wire/channel-options.ts';
import type { MessageSink } from './message-channel.ts';
import { ReliableChannel } from './reliable-channel.ts';

/** Holds what came early until everything sent before it is there. */
export class ReliableOrderedChannel extends ReliableChannel {
  constructor(limits: ChannelLimits, sink: MessageSink) {
    super(limits, sink, true);
  }
}
