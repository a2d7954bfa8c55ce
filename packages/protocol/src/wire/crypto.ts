// What the protocol asks of cryptography. Providers are injected; the protocol has no primitive of its own.

/** Bytes of authentication tag at the end of every sealed packet. */
export const TAG_BYTES = 16;

/** Bytes of every key: symmetric, secret and public. */
export const KEY_BYTES = 32;

/** Bytes that {@link Crypto.hash} gives. */
export const HASH_BYTES = 32;

/** Bytes of the nonce of {@link Crypto.sealToken}: long enough to be drawn at random for ever. */
export const TOKEN_NONCE_BYTES = 24;

/**
 * Protects packets under one key: ChaCha20-Poly1305 (RFC 8439), whose nonce is the sequence. [start, bodyStart) is the
 * clear header, which is authenticated; [bodyStart, end) is the body; the tag stands at [end, end + TAG_BYTES).
 * Whoever seals never uses a sequence twice.
 */
export interface Sealer {
  /** Seals in place and writes the tag. */
  seal(bytes: Uint8Array, start: number, bodyStart: number, end: number, sequence: number): void;
  /** Opens in place. False: forged, and the body is not to be used any more. `end` excludes the tag. */
  open(bytes: Uint8Array, start: number, bodyStart: number, end: number, sequence: number): boolean;
}

/** The sealers of one direction of a connection: one for each generation of its key. */
export interface SealerChain {
  /** The sealer of the next generation; the first call gives that of the first. */
  next(): Sealer;
}

/** The primitives a shell injects into the machines. */
export interface Crypto {
  /** Who does it, for statistics. */
  readonly provider: string;
  /** Fills `out` with unpredictable bytes. */
  randomBytes(out: Uint8Array): void;
  /** Keyed BLAKE2b (RFC 7693) of bytes[start, end): {@link HASH_BYTES} at out[outStart]. The key has KEY_BYTES. */
  hash(
    key: Uint8Array,
    bytes: Uint8Array,
    start: number,
    end: number,
    out: Uint8Array,
    outStart: number,
  ): void;
  /** X25519 (RFC 7748): the public key of a secret one, to out[0, KEY_BYTES). */
  publicKey(secretKey: Uint8Array, out: Uint8Array): void;
  /**
   * X25519: what the holders of both secret keys agree on, to out[0, KEY_BYTES). False: the public key is one of the
   * few that make the result the same for everybody; nothing may be built on it.
   */
  agree(secretKey: Uint8Array, publicKey: Uint8Array, out: Uint8Array): boolean;
  /** A sealer under a key. */
  sealer(key: Uint8Array): Sealer;
  /** XChaCha20-Poly1305, the ranges as in {@link Sealer}, under a nonce of {@link TOKEN_NONCE_BYTES}. */
  sealToken(
    key: Uint8Array,
    nonce: Uint8Array,
    bytes: Uint8Array,
    start: number,
    bodyStart: number,
    end: number,
  ): void;
  /** The reverse of `sealToken`; false: forged. */
  openToken(
    key: Uint8Array,
    nonce: Uint8Array,
    bytes: Uint8Array,
    start: number,
    bodyStart: number,
    end: number,
  ): boolean;
}
