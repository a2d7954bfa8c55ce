import { describe, expect, test } from 'vitest';
import { GONE, SentRecords } from '../src/sent-records.ts';

function take(records: SentRecords, sequence: number): number[][] {
  const found: number[][] = [];
  records.take(sequence, (place, id, tick) => found.push([place, id, tick]));
  return found;
}

describe('SentRecords', () => {
  test('gives back what a packet held, once', () => {
    const records = new SentRecords();
    records.begin(5, 100);
    records.add(65536 + 3, 7);
    records.add(GONE, 8);
    records.begin(6, 101);
    records.add(0, 9);
    expect(take(records, 6)).toEqual([[0, 9, 101]]);
    expect(take(records, 5)).toEqual([
      [65539, 7, 100],
      [-1, 8, 100],
    ]);
    expect(take(records, 5)).toEqual([]);
    expect(take(records, 7)).toEqual([]);
  });

  test('the largest ids survive', () => {
    const records = new SentRecords();
    records.begin(0, 2 ** 40);
    records.add(255 * 65536 + 65535, 0xffff_ffff);
    expect(take(records, 0)).toEqual([[255 * 65536 + 65535, 0xffff_ffff, 2 ** 40]]);
  });

  test('a packet whose place in the ring was taken is forgotten', () => {
    const records = new SentRecords();
    records.begin(0, 1);
    records.add(1, 1);
    records.begin(127, 2);
    expect(take(records, 0).length).toBe(1);
    records.begin(0 + 128, 3);
    records.add(1, 2);
    records.begin(128 + 128, 4);
    expect(take(records, 128)).toEqual([]);
    expect(take(records, 256)).toEqual([]);
  });

  test('a packet whose records were written over counts as lost, whole', () => {
    const records = new SentRecords();
    records.begin(0, 1);
    for (let i = 0; i < 92; i++) records.add(i, i + 1);
    records.begin(1, 2);
    for (let i = 0; i < 8100; i++) records.add(i, i + 1);
    expect(take(records, 0).length).toBe(92);
    records.begin(2, 1);
    for (let i = 0; i < 92; i++) records.add(i, i + 1);
    records.begin(3, 2);
    for (let i = 0; i < 8101; i++) records.add(i, i + 1);
    expect(take(records, 2)).toEqual([]);
    expect(take(records, 3).length).toBe(8101);
  });
});
