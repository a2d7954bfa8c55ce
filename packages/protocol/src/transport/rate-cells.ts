// The numbers that a rate controller remembers, by their cell in the array of its path.

/** Times in ms, sizes in bytes, rates in bytes a second. */
export const RateAt = {
  rate: 0,
  credit: 1,
  creditAt: 2,
  burstAt: 3,
  flushAt: 4,
  flushGap: 5,
  held: 6,
  roundTrip: 7,
  grownAt: 8,
  cutAt: 9,
  firstCutAt: 10,
  cutQueue: 11,
  rateBefore: 12,
  excess: 13,
  silentSince: 14,
  rateBeforeSilence: 15,
  burst: 16,
} as const;
