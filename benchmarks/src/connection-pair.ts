// Two open connections face to face, without handshake or sockets: what the benches drive.

import {
  Connection,
  createMessageChannel,
  type DeliveryKind,
  type MessageChannel,
  resolveChannel,
  type Sealer,
  type SealerChain,
  TickwireError,
  Verdict,
} from '@tickwire/protocol';

/** Every delivery kind that is a queue of messages. */
export type MessageKind = Exclude<DeliveryKind, 'reliable-latest'>;

const CHANNEL = 1;

/** Seals nothing: leaves room for the tag, accepts any. For costs and sizes without cryptography. */
export class PlainSealer implements Sealer {
  seal(): void {}

  open(): boolean {
    return true;
  }
}

/** The same sealer, generation after generation. */
export function chainOf(sealer: Sealer): SealerChain {
  return { next: () => sealer };
}

/** One end: a connection with one channel. */
export class ConnectionEnd {
  readonly connection: Connection;
  readonly #channel: MessageChannel;
  received = 0;

  constructor(sealer: Sealer, remoteId: number, kind: MessageKind) {
    this.#channel = createMessageChannel(resolveChannel({ kind }), () => {
      this.received++;
    });
    this.connection = new Connection({
      remoteId,
      outgoing: chainOf(sealer),
      incoming: chainOf(sealer),
      channels: [{ id: CHANNEL, channel: this.#channel }],
      nowMs: 0,
      sink: { closed() {}, ended() {} },
    });
  }

  /** Queues `payload`, polls the datagram that carries it into `out`; returns the datagram's length. */
  write(nowMs: number, payload: Uint8Array, out: Uint8Array): number {
    this.#channel.send(payload, 0, payload.length);
    this.connection.flush(nowMs);
    const length = this.connection.poll(nowMs, out, 0);
    this.connection.poll(nowMs, out, length);
    return length;
  }

  /** {@link write}, and the other end receives it. Throws unless it was accepted. */
  carry(nowMs: number, payload: Uint8Array, out: Uint8Array, other: ConnectionEnd): number {
    const length = this.write(nowMs, payload, out);
    const verdict = other.connection.receive(nowMs, out, 0, length);
    if (verdict !== Verdict.accepted) throw new TickwireError('bench', `verdict ${verdict}`);
    return length;
  }
}

/** Both ends. */
export class ConnectionPair {
  readonly client: ConnectionEnd;
  readonly server: ConnectionEnd;

  constructor(sealer: Sealer, kind: MessageKind) {
    this.client = new ConnectionEnd(sealer, 1, kind);
    this.server = new ConnectionEnd(sealer, 2, kind);
  }
}
