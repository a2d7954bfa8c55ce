// A bug for `demo --break ack`: the server takes a snapshot for acknowledged as it leaves, so lost ones count too, and
// it goes on to name states that the client never had. Never used otherwise.

import { SnapshotStream } from '@tickwire/server';

/** Spoils every snapshot stream of this process. */
export function breakAcks(): void {
  const write = SnapshotStream.prototype.write;
  SnapshotStream.prototype.write = function writeAndForget(...packet): number {
    const length = write.apply(this, packet);
    const sequence = packet[packet.length - 1];
    if (length > 0) this.acked(sequence as number);
    return length;
  };
}
