// What a datagram must be before anything in it is believed: of a length that packets have, not received before, sealed
// by the peer. Opening works in place, so a datagram is opened once and only after everything that is cheaper to see.

import type { SealerChain } from '../wire/crypto.ts';
import { TAG_BYTES } from '../wire/crypto.ts';
import {
  DATA_PACKET_BYTES_MIN,
  DATAGRAM_BYTES_MAX,
  HEADER_BYTES,
  readWireSequence,
} from '../wire/packet.ts';
import { Verdict } from '../wire/verdict.ts';
import { IncomingKeys } from './key-phases.ts';
import type { PacketIntake } from './packet-intake.ts';
import type { ReceivedWindow } from './received-window.ts';
import type { RttEstimator } from './rtt.ts';
import { connectionCells } from './state-cells.ts';

/** See the head of the file. One for a connection, reused for every datagram. */
export class PacketOpener {
  readonly keys: IncomingKeys;
  readonly #received: ReceivedWindow;
  #opened = 0;

  constructor(
    chain: SealerChain,
    received: ReceivedWindow,
    rtt: RttEstimator,
    cells = connectionCells(),
  ) {
    this.keys = new IncomingKeys(chain, rtt, cells);
    this.#received = received;
  }

  /** Packets that were authentic, well formed or not, modulo 2^32. */
  get opened(): number {
    return this.#opened;
  }

  /** Opens the packet in place; anything but `accepted` changes nothing here. */
  open(nowMs: number, packet: PacketIntake): Verdict {
    const { bytes, start, end } = packet;
    const sizeBytes = end - start;
    if (sizeBytes < DATA_PACKET_BYTES_MIN || sizeBytes > DATAGRAM_BYTES_MAX) {
      return Verdict.malformed;
    }
    const sequence = this.#received.expand(readWireSequence(bytes, start));
    const known = this.#received.check(sequence);
    if (known !== Verdict.accepted) return known;
    const opened = this.keys.open(nowMs, bytes, start, end, sequence);
    if (opened !== Verdict.accepted) return opened;
    this.#opened = (this.#opened + 1) | 0;
    packet.sequence = sequence;
    packet.body.reset(bytes, start + HEADER_BYTES, end - TAG_BYTES);
    return Verdict.accepted;
  }

  /** The packet opened last is well formed, acks and all. */
  keep(nowMs: number, sequence: number): void {
    this.keys.keep(nowMs, sequence);
  }
}
