// The unreliable-sequenced delivery kind: like unreliable, but what a newer message has overtaken is dropped.
// Which of two messages is newer is told by their packets; of one that was cut, by the packet of its first fragment.

import { UnreliableChannel } from './unreliable.ts';

/** See the head of the file. */
export class UnreliableSequencedChannel extends UnreliableChannel {
  #newest = -1;

  protected override wants(order: number): boolean {
    if (order < this.#newest) return false;
    this.#newest = order;
    return true;
  }
}
