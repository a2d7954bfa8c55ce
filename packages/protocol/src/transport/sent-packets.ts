// What is remembered of each sent packet, by those who judge its fate (sent-window.ts) and those who learn from it
// (rate-controller.ts): one record a packet in one array, so that a packet costs each of them the same cache line.

/** Packets in flight whose fate can still be told. */
export const SENT_WINDOW = 512;

/** A record's numbers, counted from {@link sentRecord}. */
export const Sent = {
  atMs: 0,
  /** UDP payload and headers. */
  sizeBytes: 1,
  burstBytes: 2,
  state: 3,
  tells: 4,
  low: 5,
  high: 6,
} as const;

const RECORD_CELLS = 7;

/** Records of the last {@link SENT_WINDOW} packets. */
export function sentRecords(): Float64Array {
  return new Float64Array(SENT_WINDOW * RECORD_CELLS);
}

/** Where the record of packet `sequence` begins. A slot, which is a sequence modulo SENT_WINDOW, does as well. */
export function sentRecord(sequence: number): number {
  // The low bits of any safe integer survive the cut to 32 bits.
  return (sequence & (SENT_WINDOW - 1)) * RECORD_CELLS;
}
