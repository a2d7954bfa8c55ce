// Why a connection ends: one union, each with a byte on the wire.

/** Every way a connection ends, or a request to connect fails. */
export type EndReason =
  /** This side's or the peer's user called close. */
  | 'closed'
  /** The server put this player out; `text` says why. */
  | 'kicked'
  /** The server is closing. */
  | 'shutdown'
  /** No authentic packet for the timeout. */
  | 'timeout'
  /** A handler of user code threw for this session; or the peer acknowledges nothing, so that keys cannot change. */
  | 'error'
  /** The server's `onRequest` said no; `text` says why. */
  | 'refused'
  /** No free slot. */
  | 'full'
  /** No wire version in common. */
  | 'version'
  /** Another game, or another schema of the same game. */
  | 'game'
  /** No answer to the request to connect. */
  | 'unreachable'
  /** The caller's AbortSignal fired. */
  | 'aborted'
  /** The client does not acknowledge what it must know: its queue is full. */
  | 'overflow'
  /** Wrong password or pre-shared key, or the server wants another way in; `text` says which. */
  | 'credentials'
  /** The connect token is damaged, or for another server, game or version; `text` says which. */
  | 'token-invalid'
  /** The connect token's time is over, or it is from before the server's start. */
  | 'token-expired'
  /** The connect token has let somebody in already. */
  | 'token-used'
  /** What was to be resumed is over, or has been resumed already. */
  | 'resume-invalid'
  /** Its client has resumed the session through another connection. */
  | 'replaced'
  /** The server that answered has another identity key than the one that is expected. */
  | 'identity';

/** Order = wire value; append only. */
export const endReasons: readonly EndReason[] = [
  'closed',
  'kicked',
  'shutdown',
  'timeout',
  'error',
  'refused',
  'full',
  'version',
  'game',
  'unreachable',
  'aborted',
  'overflow',
  'credentials',
  'token-invalid',
  'token-expired',
  'token-used',
  'resume-invalid',
  'replaced',
  'identity',
];

/** Bytes of text that travel with an end. */
export const END_TEXT_BYTES_MAX = 200;
