// Keys as users give them: bytes, or text in base64url.

import { decodeKey } from '../wire/base64url.ts';
import { KEY_BYTES } from '../wire/crypto.ts';
import { TickwireError } from '../wire/errors.ts';
import { checkKey } from './credential.ts';

/** 32 bytes, as they are or as text in base64url. */
export type KeyText = string | Uint8Array;

/** A copy of the key that the option `name` holds. Throws 'option-invalid', which never shows the key. */
export function readKey(name: string, key: KeyText): Uint8Array {
  const bytes = typeof key === 'string' ? decodeKey(name, key) : key;
  if (!(bytes instanceof Uint8Array)) {
    const text = `${name} is not ${KEY_BYTES} bytes, nor text in base64url`;
    throw new TickwireError('option-invalid', text);
  }
  checkKey(name, bytes);
  return Uint8Array.from(bytes);
}
