// What one received packet is taken apart with. One for each receive under way in the process, not one for each
// connection: hundreds of them would be as many cache misses for nothing that lasts. User code that runs inside of a
// receive may make another connection receive (loopback.ts), so they are borrowed and given back.

import { ByteReader } from '../wire/bytes.ts';
import { AckBlock } from './ack-block.ts';
import { SectionList } from './section.ts';

/** See the head of the file. */
export class PacketIntake {
  /** Where the packet stands: bytes[start, end). */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** The opened packet's body. */
  readonly body = new ByteReader();
  readonly block = new AckBlock();
  readonly sections = new SectionList();
  /** The opened packet's sequence. */
  sequence = 0;
}

const idle: PacketIntake[] = [];

/** One that nobody uses, for bytes[start, end). To be given back with {@link returnIntake}, whatever happens. */
export function borrowIntake(bytes: Uint8Array, start: number, end: number): PacketIntake {
  const intake = idle.pop() ?? new PacketIntake();
  intake.bytes = bytes;
  intake.start = start;
  intake.end = end;
  return intake;
}

export function returnIntake(intake: PacketIntake): void {
  idle.push(intake);
}
