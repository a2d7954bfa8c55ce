// Passwords, stretched into keys.

import { scrypt } from 'node:crypto';
import { KEY_BYTES } from '../wire/crypto.ts';
import { TickwireError } from '../wire/errors.ts';

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
