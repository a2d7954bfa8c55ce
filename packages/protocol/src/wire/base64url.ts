// Bytes as text that survives URLs, JSON and environment variables: base64url without padding (RFC 4648, section 5).
// Every sequence of bytes has one text, and every other text is refused. The pure core has neither Buffer nor atob.

import { KEY_BYTES } from './crypto.ts';
import { TickwireError } from './errors.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Six bits by code of their character; 255 = not in the alphabet. */
const VALUES = new Uint8Array(128).fill(255);
for (let i = 0; i < ALPHABET.length; i++) VALUES[ALPHABET.charCodeAt(i)] = i;

/** The text of `bytes`. */
export function encodeBase64url(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let count = 0;
  for (let i = 0; i < bytes.length; i++) {
    bits = ((bits << 8) | bytes[i]!) & 0xffff;
    for (count += 8; count >= 6; ) {
      count -= 6;
      text += ALPHABET[(bits >>> count) & 63]!;
    }
  }
  return count === 0 ? text : text + ALPHABET[(bits << (6 - count)) & 63]!;
}

/** The bytes of `text`; undefined = it is no base64url, or not the one text of its bytes. */
export function decodeBase64url(text: string): Uint8Array | undefined {
  if (text.length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let count = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const value = VALUES[text.charCodeAt(i)] ?? 255;
    if (value === 255) return undefined;
    bits = ((bits << 6) | value) & 0xffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes[at++] = bits >>> count;
  }
  const unused = bits & ((1 << count) - 1);
  return unused === 0 ? bytes : undefined;
}

/**
 * A key that a user gave as text. Throws 'option-invalid' that names the option `name`, and never what it held: it may
 * be a secret.
 */
export function decodeKey(name: string, text: string): Uint8Array {
  const key = typeof text === 'string' ? decodeBase64url(text) : undefined;
  if (key?.length === KEY_BYTES) return key;
  throw new TickwireError('option-invalid', `${name} is not ${KEY_BYTES} bytes in base64url`);
}
