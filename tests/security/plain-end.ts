// One end of a connection that believes every tag, for packets made by hand: what an authentic peer could say, however
// badly it means.

import {
  type ChannelPlan,
  Connection,
  DATAGRAM_BYTES,
  HEADER_BYTES,
  TAG_BYTES,
  type Verdict,
  writeHeader,
} from '@tickwire/protocol';
import { openChain } from '../../packages/protocol/test/connection-pair.ts';

/** See the head of the file. */
export class PlainEnd {
  readonly connection: Connection;
  readonly ends: string[] = [];
  nowMs = 0;
  readonly #out = new Uint8Array(DATAGRAM_BYTES);

  constructor(channels: readonly ChannelPlan[] = []) {
    this.connection = new Connection({
      remoteId: 7,
      outgoing: openChain,
      incoming: openChain,
      channels,
      nowMs: 0,
      sink: { closed: (reason) => this.ends.push(reason), ended() {} },
    });
  }

  /** Lets it say what it has to say, the first time at least a ping; so many packets. */
  speak(): number {
    this.connection.flush(this.nowMs);
    let packets = 0;
    while (this.connection.poll(this.nowMs, this.#out, 0) > 0) packets++;
    return packets;
  }

  /** A packet of this body arrives. */
  hear(sequence: number, body: readonly number[]): Verdict {
    const packet = new Uint8Array(HEADER_BYTES + body.length + TAG_BYTES);
    writeHeader(packet, 0, 9, sequence);
    packet.set(body, HEADER_BYTES);
    return this.connection.receive(this.nowMs, packet, 0, packet.length);
  }
}
