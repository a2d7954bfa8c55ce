// What is known of the way to the peer and begins anew when that becomes another one: rate, credit, datagram size.

import type { ConnectionTuning } from './connection-options.ts';
import { CreditGate } from './credit-gate.ts';
import { PathMtu } from './path-mtu.ts';
import { RateController } from './rate-controller.ts';
import { pathCells } from './state-cells.ts';

/** See the head of the file. */
export class Path {
  readonly rate: RateController;
  readonly gate: CreditGate;
  readonly mtu: PathMtu;
  readonly #first: number;

  /**
   * @param first sequence of the first packet that leaves on it: earlier ones say nothing of it.
   * @param records those of sent packets, which outlive the path.
   */
  constructor(
    nowMs: number,
    first: number,
    { rate, probePathMtu = false }: ConnectionTuning,
    records: Float64Array,
  ) {
    const cells = pathCells();
    this.#first = first;
    this.rate = new RateController(nowMs, rate, records, cells);
    this.gate = new CreditGate(this.rate, cells);
    this.mtu = new PathMtu(nowMs, probePathMtu, cells);
  }

  /** Packet `sequence` of so many bytes arrived. */
  acked(sequence: number, sizeBytes: number): void {
    if (sequence >= this.#first) this.mtu.acked(sequence, sizeBytes);
  }

  /** It was lost. */
  lost(nowMs: number, sequence: number, sizeBytes: number): void {
    if (sequence >= this.#first) this.mtu.lost(nowMs, sequence, sizeBytes);
  }
}
