// How a test looks into a world's network, and meddles with it.

/**
 * A datagram as a {@link Tap} sees it; one object serves all, valid during the call. A tap may change the
 * bytes in place, narrow [start, end) and set `dropped`; while it is being sent also `to`.
 */
export interface Datagram {
  bytes: Uint8Array;
  start: number;
  end: number;
  from: number;
  to: number;
  dropped: boolean;
}

/** Why a datagram ended before it reached a machine. */
export type DropReason =
  /** By chance, on a link. */
  | 'lost'
  /** The link's queue for bandwidth was full; with the policy 'head' this is an older one, not the one being sent. */
  | 'link-queue'
  /** Larger than the path's MTU. */
  | 'mtu'
  /** It fell due in a stall that drops. */
  | 'stall'
  /** The world's storage was full, or the datagram too large for it. */
  | 'storage'
  /** The receiver's queue was full. */
  | 'receive-queue'
  /** No node has that address, or no longer. */
  | 'unroutable'
  /** A tap set `dropped`. */
  | 'tap';

/** Called for datagrams of a {@link World}; set as `world.tap`. */
export interface Tap {
  /** A machine has written it; before the link. */
  sending?(nowMs: number, datagram: Datagram): void;
  /** It is about to be given to a machine. */
  delivering?(nowMs: number, datagram: Datagram): void;
  /** It ended; changes have no effect. A copy that a link lost is not told apart. */
  dropping?(nowMs: number, datagram: Datagram, reason: DropReason): void;
}
