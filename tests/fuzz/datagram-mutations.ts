// What an enemy makes of datagrams that were real: bits, edges of numbers, cuts, growth, pieces of two of them.

const EDGES = [0, 1, 0x7f, 0x80, 0xfe, 0xff] as const;

/** A changed copy of `real`; `below(n)` draws a number, `other` is what pieces are taken from. */
export function mutated(
  real: Uint8Array,
  other: Uint8Array,
  below: (n: number) => number,
): Uint8Array {
  let packet: Uint8Array = real.slice();
  for (let changes = 1 + below(3); changes > 0; changes--) {
    const at = below(Math.max(1, packet.length));
    const kind = below(7);
    if (kind === 0) packet[at]! ^= 1 << below(8);
    else if (kind === 1) packet[at] = EDGES[below(EDGES.length)]!;
    else if (kind === 2) packet.copyWithin(at, below(packet.length + 1));
    else if (kind === 3) packet = packet.slice(0, below(packet.length + 1));
    else if (kind === 4) packet = grown(packet, below(300), below(256));
    else if (kind === 5) packet.set(other.subarray(0, Math.max(0, packet.length - at)), at);
    else packet = spliced(packet, other, at);
  }
  return packet;
}

function grown(packet: Uint8Array, by: number, value: number): Uint8Array {
  const longer = new Uint8Array(packet.length + by).fill(value);
  longer.set(packet);
  return longer;
}

/** The beginning of one, and the other from the same place on. */
function spliced(packet: Uint8Array, other: Uint8Array, at: number): Uint8Array {
  const tail = other.subarray(Math.min(at, other.length));
  const whole = new Uint8Array(Math.min(at, packet.length) + tail.length);
  whole.set(packet.subarray(0, at));
  whole.set(tail, Math.min(at, packet.length));
  return whole;
}
