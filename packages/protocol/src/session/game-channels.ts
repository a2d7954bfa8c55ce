// Which channel ids a game's connection uses. Both sides must agree, so it stands here.

/** Channel ids; order of sending is the order in which a connection is given them. */
export const GameChannel = {
  /** Entering and leaving matches, effects: reliable-ordered, server to client. */
  events: 0,
  /** The game's own messages: reliable-ordered, both ways. */
  messages: 1,
  /** Snapshots from the server, inputs from the client: unreliable-sequenced. */
  state: 2,
} as const;
