// Real cryptography whose random numbers follow from a seed, for tests about what somebody else can read, guess or make:
// what is simulated hides nothing.

import { Prng } from '@tickwire/netsim';
import type { Crypto } from '@tickwire/protocol';
import { loadCrypto } from '@tickwire/protocol/udp';

/** Loads it once; two of the same seed draw the same numbers. */
export async function loadSeededSodium(): Promise<(seed: number) => Crypto> {
  const sodium = await loadCrypto();
  return (seed) => {
    const random = new Prng(seed).fork('sodium');
    return sodium.withRandomBytes((out) => {
      for (let i = 0; i < out.length; i++) out[i] = random.u32();
    });
  };
}
