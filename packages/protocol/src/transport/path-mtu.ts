// How large a datagram the path carries, found by sending pings padded to the sizes of a short ladder, as DPLPMTUD does
// (RFC 8899, without its binary search: game packets gain little from the last bytes). Optional, since Node cannot set the
// don't-fragment bit, and of use to who fills datagrams with many small things, snapshots above all: fragments of long
// messages stay as they are. Probes carry nothing else and their losses are told to nobody else, so that losing all of
// them costs nothing; and when large packets stop arriving the base holds again.

import { DATAGRAM_BYTES } from '../wire/packet.ts';
import { PathCells, pathCells } from './state-cells.ts';

/** UDP payloads tried in turn: tunnels, PPPoE with IPv6, Ethernet with IPv6. */
export const PROBE_BYTES: readonly number[] = [1280, 1372, 1452];

const INTERVAL_MS = 1000;
/** A probe may be lost for other reasons; three in a row are taken for the size (RFC 8899, MAX_PROBES). */
const ATTEMPTS_MAX = 3;
/** Paths change: try again so long after having given up a size (RFC 8899, PMTU_RAISE_TIMER). */
const RETRY_MS = 600_000;
/** So many packets above the base lost in a row, while others arrive, are a black hole. */
const BLACK_HOLE_PACKETS = 6;

const NEXT = PathCells.mtu;

/** See the head of the file. */
export class PathMtu {
  readonly #enabled: boolean;
  readonly #times: Float64Array;
  #size = DATAGRAM_BYTES;
  #step = 0;
  #attempts = 0;
  #probe = -1;
  #largeLost = 0;

  constructor(nowMs: number, enabled: boolean, cells = pathCells()) {
    this.#enabled = enabled;
    this.#times = cells;
    cells[NEXT] = nowMs + INTERVAL_MS;
  }

  /** UDP payload that packets may have. */
  get sizeBytes(): number {
    return this.#size;
  }

  /** Bytes of the probe that is due now; 0 = none. */
  due(nowMs: number): number {
    if (!this.#enabled || this.#probe >= 0 || nowMs < this.#times[NEXT]!) return 0;
    return PROBE_BYTES[this.#step] ?? 0;
  }

  /** When a probe is due; Infinity = none will be before a verdict. */
  wakeAt(): number {
    const waits = this.#enabled && this.#probe < 0 && this.#step < PROBE_BYTES.length;
    return waits ? this.#times[NEXT]! : Number.POSITIVE_INFINITY;
  }

  /** The probe left as packet `sequence`. */
  probed(nowMs: number, sequence: number): void {
    this.#probe = sequence;
    this.#attempts++;
    this.#times[NEXT] = nowMs + INTERVAL_MS;
  }

  /** Packet `sequence` of so many bytes arrived. */
  acked(sequence: number, sizeBytes: number): void {
    if (sizeBytes > DATAGRAM_BYTES) this.#largeLost = 0;
    if (sequence !== this.#probe) return;
    this.#probe = -1;
    this.#attempts = 0;
    this.#size = PROBE_BYTES[this.#step++]!;
  }

  /** It was lost. */
  lost(nowMs: number, sequence: number, sizeBytes: number): void {
    if (sequence === this.#probe) this.#probeLost(nowMs);
    else if (sizeBytes > DATAGRAM_BYTES && ++this.#largeLost >= BLACK_HOLE_PACKETS) {
      this.#fallBack(nowMs);
    }
  }

  #probeLost(nowMs: number): void {
    this.#probe = -1;
    if (this.#attempts < ATTEMPTS_MAX) return;
    this.#attempts = 0;
    this.#times[NEXT] = nowMs + RETRY_MS;
  }

  #fallBack(nowMs: number): void {
    this.#size = DATAGRAM_BYTES;
    this.#step = 0;
    this.#attempts = 0;
    // A probe of before tells nothing of the path as it is now.
    this.#probe = -1;
    this.#largeLost = 0;
    this.#times[NEXT] = nowMs + RETRY_MS;
  }
}
