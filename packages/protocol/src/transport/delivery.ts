// From a channel's declaration to the channel: the one place that knows which class serves which delivery kind.

import type { ChannelLimits } from '../wire/channel-options.ts';
import type { MessageChannel, MessageSink } from './message-channel.ts';
import { ReliableOrderedChannel } from './reliable-ordered.ts';
import { ReliableUnorderedChannel } from './reliable-unordered.ts';
import { UnreliableChannel } from './unreliable.ts';
import { UnreliableSequencedChannel } from './unreliable-sequenced.ts';

/** A channel of any kind but reliable-latest, which is made of keys and has a class of its own. */
export function createMessageChannel(limits: ChannelLimits, sink: MessageSink): MessageChannel {
  switch (limits.kind) {
    case 'unreliable':
      return new UnreliableChannel(limits, sink);
    case 'unreliable-sequenced':
      return new UnreliableSequencedChannel(limits, sink);
    case 'reliable-unordered':
      return new ReliableUnorderedChannel(limits, sink);
    default:
      return new ReliableOrderedChannel(limits, sink);
  }
}
