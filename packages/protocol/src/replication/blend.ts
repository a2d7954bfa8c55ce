// Between two ticks: the one function that says where a row was at a fraction of a tick. The client's view and
// the server's rewind share it, so that the server judges what the shooter saw.

import type { Field } from './field.ts';
import type { Layout, LayoutComponent } from './layout.ts';

/**
 * Writes the row at `fraction` of [0, 1] between the quantised rows from[fromStart..] and to[toStart..] into
 * out[field][slot]. Interpolated components blend, angles along the shorter arc; everything else, and a
 * component that jumped further than its `snapOver`, is as in `from`.
 */
export function blendRow(
  layout: Layout,
  from: Int32Array,
  fromStart: number,
  to: Int32Array,
  toStart: number,
  fraction: number,
  out: readonly Float64Array[],
  slot: number,
): void {
  for (let c = 0; c < layout.components.length; c++) {
    const component = layout.components[c]!;
    const blends =
      component.interpolate && !jumped(layout, component, from, fromStart, to, toStart);
    const end = component.first + component.count;
    for (let f = component.first; f < end; f++) {
      const q = from[fromStart + f]!;
      const rest = blends ? to[toStart + f]! - q : 0;
      const part = rest === 0 ? 0 : blend(layout.fields[f]!, q, rest, fraction);
      out[f]![slot] = layout.mins[f]! + (q + part) * layout.steps[f]!;
    }
  }
}

/** What the fraction adds to q, `rest` being the way to the later q. */
function blend(field: Field, q: number, rest: number, fraction: number): number {
  if (field.kind === 'fixed') return rest * fraction;
  if (!field.wraps) return 0;
  const turn = field.max + 1;
  const half = turn / 2;
  const shorter = rest > half ? rest - turn : rest < -half ? rest + turn : rest;
  const part = shorter * fraction;
  const ahead = q + part < 0 ? part + turn : part;
  // Also when a tiny step below zero was rounded up to a full turn.
  return q + ahead >= turn ? ahead - turn : ahead;
}

function jumped(
  layout: Layout,
  component: LayoutComponent,
  from: Int32Array,
  fromStart: number,
  to: Int32Array,
  toStart: number,
): boolean {
  if (component.snapOver === Infinity) return false;
  const end = component.first + component.count;
  for (let f = component.first; f < end; f++) {
    const field = layout.fields[f]!;
    const moved = Math.abs(to[toStart + f]! - from[fromStart + f]!) * field.step;
    if (field.kind === 'fixed' && moved > component.snapOver) return true;
  }
  return false;
}
