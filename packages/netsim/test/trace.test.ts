import { describe, expect, it } from 'vitest';
import { type TimelineEvent, Trace, TraceKind } from '../src/trace.ts';

const bytes = new Uint8Array([1, 2, 3]);
const everything = () => true;

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
    expect(lines.map((line) => line.trim().split(' ')[0])).toEqual(['2.000', '3.000']);
    expect(new Trace().timeline()).toEqual([]);
    expect([trace.keepsText, new Trace().keepsText]).toEqual([true, false]);
  });

  it('writes what can be read, in columns', () => {
    const trace = new Trace(9, everything);
    const none = new Uint8Array(0);
    trace.record(0.5, TraceKind.send, 2, 1, bytes, 0, 3);
    trace.record(10.5, TraceKind.deliver, 2, 1, bytes, 0, 3, 'corrupted');
    trace.record(1000, TraceKind.drop, 12, 1, new Uint8Array(1200), 0, 1200, 'link-queue');
    trace.record(1016.6667, TraceKind.wake, 2, 0, none, 0, 0);
    trace.record(2000, TraceKind.stall, 2, 1, none, 0, 0, 'to it, holds until 2500.000');
    trace.record(3000, TraceKind.sleep, 2, 0, none, 0, 0, 'until 8000.000');
    trace.record(8000, TraceKind.awake, 2, 0, none, 0, 0, 'after 5000.000 ms');
    trace.record(123456.7, TraceKind.rebind, 2, 5, none, 0, 0, 'node 2');
    expect(`${trace}`.split('\n')).toEqual([
      '      0.500  send     2 -> 1      3 B  56cf37ab',
      '     10.500  deliver  2 -> 1      3 B  56cf37ab  corrupted',
      '   1000.000  drop     12 -> 1  1200 B  eaeee985  link-queue',
      '   1016.667  wake     node 2',
      '   2000.000  stall    node 2  to it, holds until 2500.000',
      '   3000.000  sleep    node 2  until 8000.000',
      '   8000.000  awake    node 2  after 5000.000 ms',
      ' 123456.700  rebind   2 -> 5  node 2',
      `8 events, digest ${trace.digest}`,
    ]);
  });

  it('says how many lines it no longer has', () => {
    const trace = new Trace(1, everything);
    for (let i = 0; i < 3; i++) trace.record(i, TraceKind.wake, 1, 0, bytes, 0, 0);
    expect(`${trace}`.split('\n').slice(0, 2)).toEqual([
      '... 2 lines before',
      '      2.000  wake     node 1',
    ]);
    expect(`${new Trace()}`).toBe(`0 events, digest ${new Trace().digest}`);
  });

  it('keeps what the filter passes, by default all but wakes; the digest is of everything', () => {
    const seen: TimelineEvent[] = [];
    const traces = [
      new Trace(2),
      new Trace(2, (event) => seen.push(event) > 0 && event.from === 7),
      new Trace(2, everything),
      new Trace(0, () => expect.unreachable('no line is kept')),
    ];
    for (const trace of traces) {
      for (let i = 0; i < 3; i++) trace.record(i, TraceKind.drop, 7, 1, bytes, 0, 3, 'lost');
      trace.record(3, TraceKind.stall, 8, 1, bytes, 0, 0, 'to it');
      trace.record(4, TraceKind.wake, 8, 0, bytes, 0, 0);
      trace.record(5, TraceKind.rebind, 8, 9, bytes, 0, 0);
    }
    const times = traces.map((trace) => trace.timeline().map((line) => Number.parseInt(line, 10)));
    expect(times).toEqual([[3, 5], [1, 2], [4, 5], []]);
    expect(`${traces[1]}`.split('\n')[0]).toBe('... 1 lines before');
    expect(new Set(traces.map(({ digest }) => digest)).size).toBe(1);
    expect(new Set(traces.map(({ events }) => events))).toEqual(new Set([6]));
    expect(seen.map(({ kind, from, to }) => `${kind} ${from} ${to}`)).toEqual([
      ...['drop 7 1', 'drop 7 1', 'drop 7 1', 'stall 8 8', 'wake 8 8', 'rebind 8 9'],
    ]);
    expect(seen[0]).toMatchObject({ timeMs: 0, sizeBytes: 3, note: 'lost' });
  });
});
