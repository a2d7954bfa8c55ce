// What names look like, and the hash by which both sides tell whether they declared the same.

import { TickwireError } from './errors.ts';

/** Throws `code` unless `name` is a letter followed by at most 63 letters, digits and underscores. */
export function checkName(what: string, name: string, code: string): void {
  if (/^[A-Za-z]\w{0,63}$/.test(name)) return;
  const rule = 'a letter, then up to 63 letters, digits and underscores';
  throw new TickwireError(code, `${what} '${name}': a name is ${rule}`);
}

/** Throws `code` unless `id` can name a game, or a set of messages without one. */
export function checkId(id: string, code: string): void {
  if (/^[\w.-]{1,64}$/.test(id)) return;
  throw new TickwireError(code, `id '${id}' needs 1 to 64 letters, digits, - _ .`);
}

/** FNV-1a over UTF-16 code units, u32. Tells schemas apart; it is no protection against forgery. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  return hash >>> 0;
}
