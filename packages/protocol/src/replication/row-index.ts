// The least that looking rows up needs: what tables and frames have in common.

/** Rows by ascending id, wherever they stand: tables and frames are some. */
export interface RowIndex {
  readonly count: number;
  readonly order: Int32Array;
  readonly ids: Uint32Array;
}
