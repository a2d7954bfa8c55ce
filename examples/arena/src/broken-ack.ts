// A bug for `demo --break ack`: the server takes lost snapshots for acknowledged ones, so it names states that the
// client never had. Never used otherwise.

import { SnapshotStream } from '@tickwire/server';

/** Spoils every snapshot stream of this process. */
export function breakAcks(): void {
  SnapshotStream.prototype.lost = function lost(sequence: number): void {
    this.acked(sequence);
  };
}
