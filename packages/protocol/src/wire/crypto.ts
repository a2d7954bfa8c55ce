// What the protocol asks of cryptography. Providers are injected; the protocol has no primitive of its own.

/** Bytes of authentication tag at the end of every sealed packet. */
export const TAG_BYTES = 16;

/** Bytes of a session key. */
export const KEY_BYTES = 32;

/**
 * Protects the packets of one direction. [start, bodyStart) is the clear header, which is authenticated;
 * [bodyStart, end) is the body; the tag stands at [end, end + TAG_BYTES).
 */
export interface Sealer {
  /** Seals in place and writes the tag. */
  seal(bytes: Uint8Array, start: number, bodyStart: number, end: number, sequence: number): void;
  /** Opens in place. False: forged, and the bytes are not to be used. `end` excludes the tag. */
  open(bytes: Uint8Array, start: number, bodyStart: number, end: number, sequence: number): boolean;
}

/** The primitives a shell injects into the machines. */
export interface Crypto {
  /** Fills `out` with unpredictable bytes. */
  randomBytes(out: Uint8Array): void;
  /** Keyed hash of bytes[start, end): 16 bytes at out[outStart]. */
  mac(
    key: Uint8Array,
    bytes: Uint8Array,
    start: number,
    end: number,
    out: Uint8Array,
    outStart: number,
  ): void;
  /** A sealer for one direction under a key of {@link KEY_BYTES}. */
  sealer(key: Uint8Array): Sealer;
}
