// The provider in use and those that could be in its place, all behind the protocol's Sealer.

import { createCipheriv, createDecipheriv } from 'node:crypto';
import { type Sealer, TAG_BYTES } from '@tickwire/protocol';
import type { SodiumCrypto } from '@tickwire/protocol/udp';

/** Of one provider: sealers, and memory that packets are worked on in. */
export interface Provider {
  readonly name: string;
  readonly arena: Uint8Array;
  sealer(key: Uint8Array): Sealer;
}

/** The provider whose figures the goals are for. */
export const IN_USE = 'libsodium-wasm';

const ARENA_BYTES = 16 * 1024;
const NONCE_BYTES = 12;
const CIPHER = 'chacha20-poly1305';

/** All that can be loaded here; `skipped` says why others cannot. */
export async function loadProviders(
  crypto: SodiumCrypto,
): Promise<{ providers: readonly Provider[]; skipped: Readonly<Record<string, string>> }> {
  const range = crypto.memory.reserve(ARENA_BYTES);
  if (range === undefined) throw new Error('no memory for the arena');
  const inUse = {
    name: IN_USE,
    arena: range.bytes,
    sealer: (key: Uint8Array) => crypto.sealer(key),
  };
  const node = {
    name: 'node:crypto',
    arena: new Uint8Array(ARENA_BYTES),
    sealer: (key: Uint8Array) => new NodeSealer(key),
  };
  try {
    const { default: sodium } = await import('sodium-native');
    const native = {
      name: 'sodium-native',
      arena: new Uint8Array(ARENA_BYTES),
      sealer: (key: Uint8Array) => new NativeSealer(sodium, key),
    };
    return { providers: [inUse, native, node], skipped: {} };
  } catch (error) {
    return { providers: [inUse, node], skipped: { 'sodium-native': (error as Error).message } };
  }
}

type Sodium = typeof import('sodium-native')['default'];

/** libsodium, compiled for this machine; a view for every argument of every call. */
class NativeSealer implements Sealer {
  readonly #sodium: Sodium;
  readonly #key: Uint8Array;
  readonly #nonce = Buffer.alloc(NONCE_BYTES);

  constructor(sodium: Sodium, key: Uint8Array) {
    this.#sodium = sodium;
    this.#key = key;
  }

  seal(bytes: Uint8Array, start: number, bodyStart: number, end: number, sequence: number): void {
    const body = bytes.subarray(bodyStart, end);
    setSequence(this.#nonce, sequence);
    this.#sodium.crypto_aead_chacha20poly1305_ietf_encrypt_detached(
      body,
      bytes.subarray(end, end + TAG_BYTES),
      body,
      bytes.subarray(start, bodyStart),
      null,
      this.#nonce,
      this.#key,
    );
  }

  open(
    bytes: Uint8Array,
    start: number,
    bodyStart: number,
    end: number,
    sequence: number,
  ): boolean {
    const body = bytes.subarray(bodyStart, end);
    setSequence(this.#nonce, sequence);
    try {
      this.#sodium.crypto_aead_chacha20poly1305_ietf_decrypt_detached(
        body,
        null,
        body,
        bytes.subarray(end, end + TAG_BYTES),
        bytes.subarray(start, bodyStart),
        this.#nonce,
        this.#key,
      );
      return true;
    } catch {
      return false;
    }
  }
}

/** OpenSSL as Node offers it: an object for every packet. */
class NodeSealer implements Sealer {
  readonly #key: Uint8Array;
  readonly #nonce = Buffer.alloc(NONCE_BYTES);
  readonly #options = { authTagLength: TAG_BYTES };

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  seal(bytes: Uint8Array, start: number, bodyStart: number, end: number, sequence: number): void {
    setSequence(this.#nonce, sequence);
    const cipher = createCipheriv(CIPHER, this.#key, this.#nonce, this.#options);
    cipher.setAAD(bytes.subarray(start, bodyStart), { plaintextLength: end - bodyStart });
    bytes.set(cipher.update(bytes.subarray(bodyStart, end)), bodyStart);
    cipher.final();
    bytes.set(cipher.getAuthTag(), end);
  }

  open(
    bytes: Uint8Array,
    start: number,
    bodyStart: number,
    end: number,
    sequence: number,
  ): boolean {
    setSequence(this.#nonce, sequence);
    const decipher = createDecipheriv(CIPHER, this.#key, this.#nonce, this.#options);
    decipher.setAAD(bytes.subarray(start, bodyStart), { plaintextLength: end - bodyStart });
    decipher.setAuthTag(bytes.subarray(end, end + TAG_BYTES));
    const plain = decipher.update(bytes.subarray(bodyStart, end));
    try {
      decipher.final();
    } catch {
      return false;
    }
    bytes.set(plain, bodyStart);
    return true;
  }
}

function setSequence(nonce: Buffer, sequence: number): void {
  nonce.writeUInt32LE(sequence % 0x1_0000_0000, 4);
  nonce.writeUInt32LE(Math.floor(sequence / 0x1_0000_0000), 8);
}
