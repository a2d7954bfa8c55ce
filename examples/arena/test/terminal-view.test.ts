// Frames of the live view: they fit the terminal they are made for, and show what there is.
import { describe, expect, it } from 'vitest';
import { type Figures, ratesBetween } from '../src/figures.ts';
import { composeFrame, describeNumbers, type Frame } from '../src/terminal-view.ts';

const figures = (atMs: number): Figures => ({
  atMs,
  server: {
    ticksRun: atMs,
    ticksDropped: 3,
    tickMsP50: 100.5,
    tickMsP99: 100.5,
    tickLateMsP99: 100.5,
    datagramsIn: atMs * 12,
    datagramsOut: atMs * 12,
    bytesIn: atMs * 900,
    bytesOut: atMs * 900,
    sessions: 200,
    packetsAcked: atMs,
    packetsLost: atMs,
    inputsReal: atMs,
    inputsMissing: 0,
  },
  bots: {
    bots: 200,
    rttMs: 200 * 250,
    slackMs: 200 * 100,
    packetsAcked: atMs,
    packetsLost: 0,
    rollbacks: atMs,
    movedUnits: 1,
    moves: 3,
    starvedTicks: 1,
    viewedTicks: 4,
    baselineMissing: 0,
  },
});

const somebody = { id: 5, x: 0, y: 0, aim: 0, own: true, down: false, firing: true };
const frame: Frame = {
  title: 'Tickwire arena  60 Hz  50 ms ± 20, 5 % lost each way  8 s',
  truth: { players: [somebody], items: [{ x: 20, y: -20 }] },
  view: { players: [{ ...somebody, aim: Math.PI / 2, firing: false }], items: [] },
  numbers: describeNumbers(ratesBetween(figures(1000), figures(3000)), 200, 8),
};

function plain(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are such characters
  return line.replaceAll(/\x1b\[[\d;]*m/g, '');
}

describe('frames', () => {
  it.each([
    [80, 24],
    [120, 40],
    [200, 60],
    [300, 20],
    [40, 60],
    [20, 5],
    [1, 1],
  ])('fill %i x %i exactly', (columns, rows) => {
    const lines = composeFrame(frame, columns, rows).map(plain);
    expect(lines.map((line) => [...line].length)).toEqual(new Array(rows).fill(columns));
  });

  it('show both arenas and every number on 80 x 24', () => {
    const text = composeFrame(frame, 80, 24).map(plain).join('\n');
    for (const line of frame.numbers) expect(text).toContain(line);
    expect(text).toMatch(/the server.*what bot 0 sees/);
    expect(text).toContain('→');
    expect(text).toContain('↓');
    expect(text).toContain('◆');
    expect(text).toContain('···');
    expect(text).toContain('▒');
  });

  it('leave the arenas out where there is no room', () => {
    const text = composeFrame(frame, 80, 8).map(plain).join('\n');
    expect(text).not.toContain('the server');
    for (const line of frame.numbers) expect(text).toContain(line);
  });

  it('fit their numbers into 80 columns', () => {
    for (const line of frame.numbers) expect(line.length).toBeLessThanOrEqual(80);
  });
});

describe('rates', () => {
  it('count headers and both directions', () => {
    const rates = ratesBetween(figures(0), figures(2000));
    expect(rates).toMatchObject({ seconds: 2, packetsIn: 24_000, lossDownPct: 50, lossUpPct: 0 });
    expect(rates.bytesPerClientPerSecond).toBe((2000 * 1800 + 48_000 * 28) / 400);
    expect(rates.interpolationStarvedPct).toBe(0);
    expect(rates.rttMsMean).toBe(250);
  });
});
