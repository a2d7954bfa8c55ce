// Keys as users give them: bytes, or text in base64url; and passwords, stretched into keys.

import { scrypt } from 'node:crypto';
import { decodeKey } from '../wire/base64url.ts';
import { KEY_BYTES } from '../wire/crypto.ts';
import { TickwireError } from '../wire/errors.ts';

/** 32 bytes, as they are or as text in base64url. */
export type KeyText = string | Uint8Array;

/** The key that an option holds. Throws 'option-invalid', which never shows the key. */
export function readKey(name: string, key: KeyText): Uint8Array {
  const bytes = typeof key === 'string' ? decodeKey(name, key) : key;
  // All zeros stand for no secret at all.
  const isKey = bytes instanceof Uint8Array && bytes.length === KEY_BYTES;
  if (isKey && bytes.some((byte) => byte !== 0)) return Uint8Array.from(bytes);
  throw new TickwireError(
    'option-invalid',
    `${name} must be ${KEY_BYTES} bytes, not all zero, or their base64url`,
  );
}

/** What makes guessing expensive: 32 MiB and some tenths of a second for each guess (scrypt, RFC 7914). */
const SCRYPT = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1024 * 1024 } as const;

/**
 * The pre-shared key that a password stands for. The salt is the same for all servers of a game, so that a client can
 * stretch before it has met one: `gameIdHash` is the game's. Throws 'option-invalid' for an empty password.
 */
export function stretchPassword(password: string, gameIdHash: number): Promise<Uint8Array> {
  if (typeof password !== 'string' || password === '') {
    throw new TickwireError('option-invalid', 'password is empty; give one or leave it out');
  }
  const salt = `tickwire password ${gameIdHash >>> 0}`;
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, KEY_BYTES, SCRYPT, (error, key) => {
      if (error === null) resolve(Uint8Array.from(key));
      else reject(error);
    });
  });
}
