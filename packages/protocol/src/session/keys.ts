// Session keys: one per direction and purpose, from what both sides contributed to the handshake.
// Contributions are random bytes for now, so the tags are a keyed checksum, not secrecy; see SECURITY.md.

import { type Crypto, KEY_BYTES } from '../wire/crypto.ts';

/** What a derived key is for; each gets its own. */
export const KeyPurpose = { clientToServer: 1, serverToClient: 2, accept: 3 } as const;

const MAC_BYTES = 16;

/**
 * The key for one purpose: mac(clientKey, [purpose, half] ++ serverKey ++ nonce), two halves of 16 bytes.
 */
export function deriveKey(
  crypto: Crypto,
  purpose: number,
  clientKey: Uint8Array,
  serverKey: Uint8Array,
  nonce: Uint8Array,
): Uint8Array {
  const input = new Uint8Array(2 + serverKey.length + nonce.length);
  input.set(serverKey, 2);
  input.set(nonce, 2 + serverKey.length);
  input[0] = purpose;
  const key = new Uint8Array(KEY_BYTES);
  for (let half = 0; half < 2; half++) {
    input[1] = half;
    crypto.mac(clientKey, input, 0, input.length, key, half * MAC_BYTES);
  }
  return key;
}
