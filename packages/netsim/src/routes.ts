// Which number reaches which node. A node keeps the number it was added under as its name; what others see of it may
// change, as behind a NAT that forgets. No number is ever given twice, so an old one leads nowhere.

import type { SimulatedNode } from './node.ts';

/** The numbers of a world's nodes, from 1 on. */
export class Routes {
  // By number - 1: whose the number is, or was.
  readonly #owners: SimulatedNode[] = [];

  /** The number that the next node or rebinding gets. */
  get next(): number {
    return this.#owners.length + 1;
  }

  /** Gives a new node the next number, which it was made with. */
  add(node: SimulatedNode): void {
    this.#owners.push(node);
  }

  /** Gives a node the next number in place of the one that it is seen by. */
  rebind(node: SimulatedNode): void {
    node.seenAs = this.next;
    this.#owners.push(node);
  }

  /** The node that has the number, or has had it. */
  owner(address: number): SimulatedNode | undefined {
    return this.#owners[address - 1];
  }

  /** The node that a datagram to the number reaches now. */
  target(address: number): SimulatedNode | undefined {
    const node = this.#owners[address - 1];
    return node?.seenAs === address ? node : undefined;
  }
}
