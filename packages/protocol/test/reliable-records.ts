// Records of the reliable kinds, written and read by the letter of PROTOCOL.md rather than by the code under test.

/** A record: part = index * 2 + (1 = last), 1 = a whole message. */
export interface TestRecord {
  readonly id: number;
  readonly part: number;
  readonly bytes: Uint8Array;
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** A section body of these records. */
export function sectionOf(records: readonly TestRecord[]): Uint8Array {
  return Uint8Array.from(
    records.flatMap(({ id, part, bytes }) => {
      const head = part === 1 ? varint(bytes.length * 2) : varint(bytes.length * 2 + 1);
      if (part !== 1) head.push(...varint(part));
      return [id & 0xff, (id >> 8) & 0xff, ...head, ...bytes];
    }),
  );
}

/** The records of a section body, which must be well formed; ids are 16 bits. */
export function recordsOf(body: Uint8Array): TestRecord[] {
  const records: TestRecord[] = [];
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = body[at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < body.length) {
    const id = body[at]! | (body[at + 1]! << 8);
    at += 2;
    const head = next();
    const part = (head & 1) === 1 ? next() : 1;
    const bytes = body.slice(at, at + (head >> 1));
    if (bytes.length !== head >> 1) throw new Error('the section ends within a record');
    at += bytes.length;
    records.push({ id, part, bytes });
  }
  return records;
}

/** A message cut into records with ids from `id` on. */
export function cut(id: number, message: Uint8Array, size = 1100): TestRecord[] {
  const count = Math.max(1, Math.ceil(message.length / size));
  return Array.from({ length: count }, (_, index) => ({
    id: id + index,
    part: index * 2 + (index === count - 1 ? 1 : 0),
    bytes: message.slice(index * size, (index + 1) * size),
  }));
}
