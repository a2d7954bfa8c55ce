// Cryptography that remembers every key and nonce that something was sealed with, over all machines, processes and
// restarts of a test, and notes each pair that comes again. What is repeated on the wire was sealed once: sealing the
// same bytes again counts as well.

import type { Crypto, Sealer } from '@tickwire/protocol';

/** See the head of the file. */
export class NonceRecorder {
  /** Pairs that came again, in words. */
  readonly repeats: string[] = [];
  /** How often something was sealed. */
  seals = 0;
  readonly #sequences = new Map<string, Set<number>>();
  readonly #tokens = new Set<string>();

  /** Keys that something was sealed with. */
  get keys(): number {
    return this.#sequences.size;
  }

  /** The same cryptography, recorded. */
  wrap(crypto: Crypto): Crypto {
    return {
      provider: crypto.provider,
      randomBytes: (out) => crypto.randomBytes(out),
      hash: (key, bytes, start, end, out, outStart) =>
        crypto.hash(key, bytes, start, end, out, outStart),
      publicKey: (secretKey, out) => crypto.publicKey(secretKey, out),
      agree: (secretKey, publicKey, out) => crypto.agree(secretKey, publicKey, out),
      sealer: (key) => this.#sealer(crypto.sealer(key), nameOf(key)),
      sealToken: (key, nonce, bytes, start, bodyStart, end) => {
        this.#token(`${nameOf(key)} ${nameOf(nonce)}`);
        crypto.sealToken(key, nonce, bytes, start, bodyStart, end);
      },
      openToken: (key, nonce, bytes, start, bodyStart, end) =>
        crypto.openToken(key, nonce, bytes, start, bodyStart, end),
    };
  }

  #sealer(sealer: Sealer, key: string): Sealer {
    return {
      seal: (bytes, start, bodyStart, end, sequence) => {
        this.#packet(key, sequence, bytes[start]!);
        sealer.seal(bytes, start, bodyStart, end, sequence);
      },
      open: (bytes, start, bodyStart, end, sequence) =>
        sealer.open(bytes, start, bodyStart, end, sequence),
    };
  }

  #packet(key: string, sequence: number, kind: number): void {
    this.seals++;
    const used = this.#sequences.get(key) ?? new Set();
    this.#sequences.set(key, used);
    if (used.has(sequence)) this.repeats.push(`sequence ${sequence}, first byte ${kind}`);
    used.add(sequence);
  }

  #token(pair: string): void {
    this.seals++;
    if (this.#tokens.has(pair)) this.repeats.push('the nonce of a token');
    this.#tokens.add(pair);
  }
}

function nameOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
