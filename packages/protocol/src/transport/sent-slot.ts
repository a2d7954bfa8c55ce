// Where a sent packet stands in the columns of those that remember sent packets: slot = sequence modulo SENT_WINDOW.

/** Packets in flight whose fate can still be told. */
export const SENT_WINDOW = 512;
