// What a provider takes for one packet, copied to where it is worked on as a socket would: seal, open, refuse.

import { KEY_BYTES, TAG_BYTES } from '@tickwire/protocol';
import type { Provider } from './providers.ts';
import { usPerCall, type Work } from './work.ts';

/** Bytes of body. */
export const packetSizes = [32, 64, 200, 600, 1200] as const;

/** Microseconds a packet. */
export interface PacketCosts {
  readonly seal: number;
  readonly open: number;
  /** Of one whose last bit was changed. */
  readonly refuse: number;
}

const HEADER_BYTES = 7;
const CALLS = 200;

/** Costs of each provider at one size. */
export function packetCosts(
  providers: readonly Provider[],
  bodyBytes: number,
): Record<string, PacketCosts> {
  const works = Object.fromEntries(
    providers.flatMap((provider) =>
      Object.entries(worksOf(provider, bodyBytes)).map(([name, work]) => [
        `${provider.name} ${name}`,
        work,
      ]),
    ),
  );
  const us = usPerCall(works);
  return Object.fromEntries(
    providers.map(({ name }) => [
      name,
      { seal: us[`${name} seal`]!, open: us[`${name} open`]!, refuse: us[`${name} refuse`]! },
    ]),
  );
}

function worksOf({ arena, sealer }: Provider, bodyBytes: number): Record<keyof PacketCosts, Work> {
  const one = sealer(new Uint8Array(KEY_BYTES).fill(1));
  const end = HEADER_BYTES + bodyBytes;
  const plain = new Uint8Array(end + TAG_BYTES).fill(7);
  arena.set(plain);
  one.seal(arena, 0, HEADER_BYTES, end, 0);
  const sealed = arena.slice(0, end + TAG_BYTES);
  const forged = sealed.slice();
  forged[forged.length - 1]! ^= 1;
  let sequence = 1;
  const opening = (packet: Uint8Array, genuine: boolean): Work => ({
    calls: CALLS,
    run() {
      for (let i = 0; i < CALLS; i++) {
        arena.set(packet);
        if (one.open(arena, 0, HEADER_BYTES, end, 0) !== genuine) throw new Error('wrong verdict');
      }
    },
  });
  return {
    seal: {
      calls: CALLS,
      run() {
        for (let i = 0; i < CALLS; i++) one.seal(arena, 0, HEADER_BYTES, end, sequence++);
      },
    },
    open: opening(sealed, true),
    refuse: opening(forged, false),
  };
}
