// The outside of every packet: clear header and ack block.

import {
  AckBlock,
  ByteReader,
  ByteWriter,
  DATAGRAM_BYTES_MAX,
  HEADER_BYTES,
  ReceivedWindow,
  readConnectionId,
  readKind,
  readWireSequence,
  writeAckBlock,
  writeHeader,
} from '@tickwire/protocol';
import { type Cases, expect } from './suite.ts';

const CONNECTION_ID = 0x1234_0005;
const SEQUENCE = 70_000;
const DELAY_MS = 8;
const PACKET_MS = 1000 / 60;
/** Packets that came before; more than the history tells of. */
const RECEIVED = 200;
/** With losses: one in so many did not come, about 5 %. */
const LOST_EVERY = 19;

function received(lossy: boolean): ReceivedWindow {
  const window = new ReceivedWindow();
  for (let n = 0; n < RECEIVED; n++) {
    if (!lossy || n % LOST_EVERY !== 0) window.received(n * PACKET_MS, n, true);
  }
  return window;
}

/** One packet's header and ack block, written and read. */
export function packetCases(): Cases {
  const bytes = new Uint8Array(DATAGRAM_BYTES_MAX);
  const writer = new ByteWriter();
  const reader = new ByteReader();
  const block = new AckBlock();
  const write = (window: ReceivedWindow) => {
    writeHeader(bytes, 0, CONNECTION_ID, SEQUENCE);
    writer.reset(bytes, HEADER_BYTES, bytes.length);
    writeAckBlock(writer, window, DELAY_MS);
    return writer.position;
  };
  const read = (packet: Uint8Array) => {
    reader.reset(packet, HEADER_BYTES, packet.length);
    const head = readKind(packet, 0, packet.length) + readConnectionId(packet, 0);
    return block.read(reader) ? head + readWireSequence(packet, 0) : 0;
  };
  const clean = received(false);
  const lossy = received(true);
  const cleanPacket = bytes.slice(0, write(clean));
  const lossyPacket = bytes.slice(0, write(lossy));
  expect(read(cleanPacket) > 0 && read(lossyPacket) > 0, 'the packet can be read');
  return {
    'header and ack block, nothing lost: write': () => write(clean),
    'header and ack block, nothing lost: read': () => read(cleanPacket),
    'header and ack block, 5 % lost: write': () => write(lossy),
    'header and ack block, 5 % lost: read': () => read(lossyPacket),
  };
}
