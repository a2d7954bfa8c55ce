// The datagram's outer form, shared by every packet of an open connection.
//
//   offset  size  field
//   0       1     kind: low four bits; bit 4 = key phase, of data packets only; bits 5 to 7 reserved, zero
//   1       4     connection id, chosen by the receiving side
//   5       2     sequence, low 16 bits
//   7       ..    body: ack block (ack-block.ts), then sections (section.ts)
//   end-16  16    tag over everything before it
//
// Everything before the body is in clear; the sealer authenticates it, and hides the body. The key phase is 1 under every
// second key of a direction (key-phases.ts).

import { TAG_BYTES } from './crypto.ts';

/** The first byte's low four bits. 0 is never sent: a zeroed datagram is not a packet. */
export const PacketKind = {
  request: 1,
  challenge: 2,
  proof: 3,
  accept: 4,
  refuse: 5,
  data: 6,
} as const;

/** Of the first byte: the low bit of the key's generation stands here. */
const PHASE_SHIFT = 4;

/** Clear header of a data packet. */
export const HEADER_BYTES = 7;

/** UDP payload that is sent unless probing has shown that more fits: every path with a 1280-byte IPv6 MTU, tunnels included. */
export const DATAGRAM_BYTES = 1200;

/** UDP payload that is received at most: what an Ethernet carries over IPv4. */
export const DATAGRAM_BYTES_MAX = 1472;

/** The shortest data packet: header, ack flags byte, tag. */
export const DATA_PACKET_BYTES_MIN = HEADER_BYTES + 1 + TAG_BYTES;

/** Connection ids are never 0, so that a zeroed field names nobody. `generation` = how many keys came before this one. */
export function writeHeader(
  bytes: Uint8Array,
  start: number,
  connectionId: number,
  sequence: number,
  generation = 0,
): void {
  bytes[start] = PacketKind.data | ((generation & 1) << PHASE_SHIFT);
  bytes[start + 1] = connectionId;
  bytes[start + 2] = connectionId >>> 8;
  bytes[start + 3] = connectionId >>> 16;
  bytes[start + 4] = connectionId >>> 24;
  bytes[start + 5] = sequence;
  bytes[start + 6] = (sequence % 0x10000) >>> 8;
}

/** The packet kind, or 0 when the first byte is not one of ours (reserved bits set, or an unused kind). */
export function readKind(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start) return 0;
  const first = bytes[start]!;
  if (first === (PacketKind.data | (1 << PHASE_SHIFT))) return PacketKind.data;
  return first >= PacketKind.request && first <= PacketKind.data ? first : 0;
}

/** Key phase of a data packet, 0 or 1; the caller has checked its length. */
export function readPhase(bytes: Uint8Array, start: number): number {
  return (bytes[start]! >> PHASE_SHIFT) & 1;
}

/** Connection id of a data packet; the caller has checked its length. */
export function readConnectionId(bytes: Uint8Array, start: number): number {
  return (
    (bytes[start + 1]! |
      (bytes[start + 2]! << 8) |
      (bytes[start + 3]! << 16) |
      (bytes[start + 4]! << 24)) >>>
    0
  );
}

/** The 16 bits of sequence of a data packet; the caller has checked its length. */
export function readWireSequence(bytes: Uint8Array, start: number): number {
  return bytes[start + 5]! | (bytes[start + 6]! << 8);
}
