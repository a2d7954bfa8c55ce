// The keys that tokens rest on, as text for configuration files: the one that seals, and the servers' identity.

import { createKeyPair } from '../session/keys.ts';
import { loadCrypto } from '../sodium/index.ts';
import { encodeBase64url } from '../wire/base64url.ts';
import { KEY_BYTES } from '../wire/crypto.ts';

/** A server's long-term identity, base64url. */
export interface Identity {
  /** For the game server's configuration only. Whoever has it can pass for the server. */
  readonly secretKey: string;
  /** For backends and clients. */
  readonly publicKey: string;
}

/**
 * A new key to seal tokens with, base64url. The backend and the game servers have it, nobody else: whoever has it can
 * let in anybody as anyone.
 */
export function createTokenKey(): string {
  return encodeBase64url(crypto.getRandomValues(new Uint8Array(KEY_BYTES)));
}

/** A new identity for one server, or for several that stand in for each other. */
export async function createIdentity(): Promise<Identity> {
  const { secretKey, publicKey } = createKeyPair(await loadCrypto());
  return { secretKey: encodeBase64url(secretKey), publicKey: encodeBase64url(publicKey) };
}
