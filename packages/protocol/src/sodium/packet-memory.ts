// Memory for datagrams inside the module's: what is sealed and opened in there is not copied. It is handed out in whole
// pages, first fit, from the one block that the module took at the start.

import { assert } from '../wire/errors.ts';
import { DATAGRAM_BYTES_MAX } from '../wire/packet.ts';
import { PACKET_MEMORY_BYTES, type SodiumModule } from './sodium-module.ts';

/** What a client's socket takes; a server's takes some of them. */
const PAGE_BYTES = 16 * 1024;

/** The first page is the receive slot's. */
const PAGES = PACKET_MEMORY_BYTES / PAGE_BYTES;

/** Memory that was handed out. */
export interface MemoryRange {
  /** No Buffer, whose `slice` is a view: what looks like a copy would change with the next datagram. */
  readonly bytes: Uint8Array;
}

/** See the head of the file. */
export class PacketMemory {
  /**
   * For the datagram that is being received. One for the process: a datagram is processed in one go, and nothing may
   * keep a view of it.
   */
  readonly receiveSlot: Uint8Array;
  readonly #module: SodiumModule;
  readonly #taken = new Uint8Array(PAGES);

  constructor(module: SodiumModule) {
    this.#module = module;
    this.receiveSlot = this.#view(0, DATAGRAM_BYTES_MAX);
    this.#taken[0] = 1;
  }

  /** Bytes that could be reserved, in ranges of a page. */
  get freeBytes(): number {
    return this.#taken.reduce((sum, taken) => sum + (1 - taken) * PAGE_BYTES, 0);
  }

  /** Memory for `sizeBytes`, rounded up to pages; undefined when there is no such range left. Release it after use. */
  reserve(sizeBytes: number): MemoryRange | undefined {
    this.#module.assertNotGrown();
    const pages = Math.ceil(sizeBytes / PAGE_BYTES);
    assert(pages > 0, 'an empty range of memory');
    let free = 0;
    for (let page = 0; page < PAGES; page++) {
      free = this.#taken[page] === 0 ? free + 1 : 0;
      if (free < pages) continue;
      const first = page - pages + 1;
      this.#taken.fill(1, first, page + 1);
      return { bytes: this.#view(first, sizeBytes) };
    }
    return undefined;
  }

  /** Gives a range back; nobody may use it any more. */
  release({ bytes }: MemoryRange): void {
    const first = (bytes.byteOffset - this.#module.packetsAt) / PAGE_BYTES;
    assert(this.#taken[first] === 1, 'memory is released once');
    this.#taken.fill(0, first, first + Math.ceil(bytes.length / PAGE_BYTES));
  }

  #view(page: number, sizeBytes: number): Uint8Array {
    const { heap, packetsAt } = this.#module;
    return new Uint8Array(heap.buffer, packetsAt + page * PAGE_BYTES, sizeBytes);
  }
}
