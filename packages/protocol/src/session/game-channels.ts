// Which channel ids a connection uses, with a game and without one. Both sides must agree, so it stands here.

import { FRAGMENT_BYTES, resolveChannel } from '../wire/channel-options.ts';

/** Channel ids. */
export const GameChannel = {
  /** Entering and leaving matches, effects: reliable-ordered, server to client. */
  events: 0,
  /** Messages of the channel `main`, both ways. */
  messages: 1,
  /** Snapshots from the server, inputs from the client. */
  state: 2,
  /** The first declared channel of messages beside `main`; the others follow. */
  declared: 3,
} as const;

/** Priorities of what a game sends by itself. Channels of messages that should go before it are declared higher. */
export const GamePriority = { events: 2, state: 1 } as const;

/** Bounds of the channel of events: none needs a second packet, and a client that falls further behind is put out. */
export const eventLimits = resolveChannel({
  kind: 'reliable-ordered',
  priority: GamePriority.events,
  messageBytes: FRAGMENT_BYTES,
  queueBytes: 32 * 1024,
  queueEntries: 256,
});
