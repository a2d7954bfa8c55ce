// UTF-8 for the few short texts of the protocol itself. The pure core has no TextEncoder.

/**
 * Encodes as much of `text` as fits into out[start, end), whole characters only; returns the end offset.
 * Lone surrogates become U+FFFD.
 */
export function writeText(text: string, out: Uint8Array, start: number, end: number): number {
  let at = start;
  for (const character of text) {
    const raw = character.codePointAt(0)!;
    const code = raw >= 0xd800 && raw <= 0xdfff ? 0xfffd : raw;
    const size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (at + size > end) break;
    if (size === 1) out[at] = code;
    else {
      out[at] = (size === 2 ? 0xc0 : size === 3 ? 0xe0 : 0xf0) | (code >>> (6 * (size - 1)));
      for (let i = 1; i < size; i++) out[at + i] = 0x80 | ((code >>> (6 * (size - 1 - i))) & 0x3f);
    }
    at += size;
  }
  return at;
}

/** Smallest code that needs `size` bytes; what is longer than it must be is not UTF-8. */
const SMALLEST_BY_SIZE = [0, 0, 0x80, 0x800, 0x10000];

/** Decodes bytes[start, end). Whatever is not UTF-8 becomes U+FFFD, byte by byte; never throws. */
export function readText(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; ) {
    const lead = bytes[at]!;
    const size = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
    let code = size === 1 ? lead : lead & (0x7f >> size);
    let valid = size > 0 && at + size <= end && lead < 0xf8;
    for (let i = 1; valid && i < size; i++) {
      const next = bytes[at + i]!;
      valid = (next & 0xc0) === 0x80;
      code = (code << 6) | (next & 0x3f);
    }
    valid &&= code >= SMALLEST_BY_SIZE[size]! && code <= 0x10ffff;
    valid &&= code < 0xd800 || code > 0xdfff;
    text += String.fromCodePoint(valid ? code : 0xfffd);
    at += valid ? size : 1;
  }
  return text;
}
