// An id of some bytes as the key of a map.

/** The same text for the same bytes, and only for them: a character a byte. */
export function keyOf(id: Uint8Array): string {
  let key = '';
  for (let i = 0; i < id.length; i++) key += String.fromCharCode(id[i]!);
  return key;
}
