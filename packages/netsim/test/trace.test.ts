import { describe, expect, it } from 'vitest';
import { Trace, TraceKind } from '../src/trace.ts';

const bytes = new Uint8Array([1, 2, 3]);

function digestOf(time: number, kind: TraceKind, from: number, to: number, start: number): string {
  const trace = new Trace();
  trace.record(1, TraceKind.send, 1, 2, bytes, 0, 3);
  trace.record(time, kind, from, to, bytes, start, 3);
  return trace.digest;
}

describe('Trace', () => {
  it('depends on time, kind, ends and bytes of every event', () => {
    const digests = [
      digestOf(2, TraceKind.send, 1, 2, 0),
      digestOf(2 + 2 ** -50, TraceKind.send, 1, 2, 0),
      digestOf(2, TraceKind.drop, 1, 2, 0),
      digestOf(2, TraceKind.send, 2, 2, 0),
      digestOf(2, TraceKind.send, 1, 3, 0),
      digestOf(2, TraceKind.send, 1, 2, 1),
      new Trace().digest,
    ];
    expect(new Set(digests).size).toBe(digests.length);
    expect(digestOf(2, TraceKind.send, 1, 2, 0)).toBe(digests[0]);
    expect(digests[0]).toMatch(/^[0-9a-f]{16}$/);
  });

  it('keeps the last lines, oldest first', () => {
    const trace = new Trace(2);
    expect(trace.timeline()).toEqual([]);
    trace.record(1, TraceKind.send, 1, 2, bytes, 0, 3);
    expect(trace.timeline()).toHaveLength(1);
    trace.record(2, TraceKind.deliver, 1, 2, bytes, 0, 3);
    trace.record(3, TraceKind.drop, 1, 2, bytes, 0, 3, 'lost');
    const lines = trace.timeline();
    expect(lines.map((line) => line.split(' ')[0])).toEqual(['2.000', '3.000']);
    expect(lines[1]).toMatch(/drop 1 -> 2 3 B [0-9a-f]{8} lost/);
    expect(new Trace().timeline()).toEqual([]);
  });
});
