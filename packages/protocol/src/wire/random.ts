// Unpredictable numbers from the injected randomness.

import type { Crypto } from './crypto.ts';

const bytes = new Uint8Array(4);

/** A number of 32 bits, each as likely as any other. */
export function randomU32(crypto: Pick<Crypto, 'randomBytes'>): number {
  crypto.randomBytes(bytes);
  return (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0;
}
