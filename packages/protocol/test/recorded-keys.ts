// Keys that remember what was done with them and hide bodies as encryption does: whoever reads a body after it was sealed
// or before it was opened, or opens a packet twice, finds nonsense.

import { simulatedCrypto } from '@tickwire/netsim';
import { KeyChain } from '../src/session/keys.ts';
import { KEY_BYTES, type Sealer, type SealerChain } from '../src/wire/crypto.ts';

/** One direction's keys, on one side. Two of the same number fit each other. */
export class RecordedKeys implements SealerChain {
  readonly #chain: KeyChain;
  /** Keys made so far. */
  made = 0;
  /** How often a packet was tried with a key of any generation, and in vain. */
  tried = 0;
  failed = 0;
  /** Sequences that were sealed twice under one key. */
  readonly repeated: string[] = [];
  /** By generation, the sequences sealed under its key. */
  readonly sealed: Set<number>[] = [];

  constructor(number: number) {
    this.#chain = new KeyChain(simulatedCrypto(1), new Uint8Array(KEY_BYTES).fill(number));
  }

  next(): Sealer {
    const generation = this.made++;
    const sealer = this.#chain.next();
    const sealed = new Set<number>();
    this.sealed.push(sealed);
    return {
      seal: (bytes, start, bodyStart, end, sequence) => {
        if (sealed.has(sequence)) this.repeated.push(`${generation}: ${sequence}`);
        sealed.add(sequence);
        sealer.seal(bytes, start, bodyStart, end, sequence);
        mask(bytes, bodyStart, end, generation, sequence);
      },
      open: (bytes, start, bodyStart, end, sequence) => {
        this.tried++;
        mask(bytes, bodyStart, end, generation, sequence);
        const opened = sealer.open(bytes, start, bodyStart, end, sequence);
        if (!opened) this.failed++;
        return opened;
      },
    };
  }
}

/** Its own reverse. */
function mask(
  bytes: Uint8Array,
  start: number,
  end: number,
  generation: number,
  sequence: number,
): void {
  for (let i = start; i < end; i++) {
    bytes[i]! ^= 0x5a + generation * 101 + sequence * 31 + (i - start) * 7;
  }
}
