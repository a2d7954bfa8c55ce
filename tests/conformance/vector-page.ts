// The blocks of test vectors in PROTOCOL.md: how they are written, and reading them back.
//
//   ```vector name=...
//   bytes in hexadecimal
//   --
//   what was sealed in them, likewise, if anything was
//   --
//   what they mean, line by line
//   ```

/** A block, as text. */
export interface Vector {
  readonly name: string;
  readonly bytes: string;
  readonly clear: string | undefined;
  readonly meaning: readonly string[];
}

/** From so many bytes on a sealed packet is printed without its body, which stands below in clear. */
const SEALED_SHOWN = 256;
const HEAD_BYTES = 7;
const TAG_BYTES = 16;

export function readVectors(markdown: string): Vector[] {
  const blocks = markdown.matchAll(/^```vector name=(\S+)\n([\s\S]*?)^```$/gm);
  return [...blocks].map(([, name, block]) => {
    const [bytes, ...parts] = block!.split(/^--\n/m);
    const meaning = parts.pop()!.trimEnd().split('\n');
    return { name: name!, bytes: bytes!, clear: parts[0], meaning };
  });
}

export function writeVector({ name, bytes, clear, meaning }: Vector): string {
  const sealed = clear === undefined ? '' : `${clear}--\n`;
  return `\`\`\`vector name=${name}\n${bytes}--\n${sealed}${meaning.join('\n')}\n\`\`\``;
}

/** Bytes as the page prints them: `00*n` for zeros that nobody wants to read. */
export function print(bytes: Uint8Array): string {
  const pairs = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const lines = pairs.split(/((?:00(?: |$)){21,})/).flatMap((part, n) => {
    if (n % 2 === 1) return [`00*${part.match(/00/g)!.length}`];
    return (part.match(/(?:.. ?){1,32}/g) ?? []).map((line) => line.trimEnd());
  });
  return lines.map((line) => `${line}\n`).join('');
}

/** A data packet; of a long one head and tag, which is of the whole. */
export function printPacket(bytes: Uint8Array): string {
  if (bytes.length < SEALED_SHOWN) return print(bytes);
  const hidden = bytes.length - HEAD_BYTES - TAG_BYTES;
  return `${print(bytes.subarray(0, HEAD_BYTES))}..*${hidden}\n${print(bytes.subarray(-TAG_BYTES))}`;
}
