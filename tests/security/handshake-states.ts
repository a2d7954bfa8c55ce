// Every state that a machine of the handshake can be in, with genuine datagrams that fit it: to be changed, cut, repeated
// and handed over by tests.

import {
  type Crypto,
  createMessageChannel,
  deliveryKinds,
  resolveChannel,
  type Verdict,
} from '@tickwire/protocol';
import { Attempt, Scene } from '../../packages/server/test/handshake-scene.ts';
import { BEGIN_MS, dialing, nonceIn, said } from './dialing.ts';
import { refusalOf } from './forgeries.ts';
import { PlainEnd } from './plain-end.ts';

/** A machine in a state. */
interface Standing {
  /** Hands over bytes, and lets it say whatever it has to say. */
  receive(bytes: Uint8Array): Verdict;
  readonly genuine: readonly Uint8Array[];
}

type CryptoOf = (seed: number) => Crypto;

/** By state: makes a machine that is in it, again and again, with such cryptography wherever it makes a difference. */
export function handshakeStates(cryptoOf: CryptoOf): Readonly<Record<string, () => Standing>> {
  return {
    requesting: () => client(0, cryptoOf),
    proving: () => client(1, cryptoOf),
    'open, unheard': () => client(2, cryptoOf),
    open: () => client(3, cryptoOf),
    over: () => client(-1, cryptoOf),
    'nobody there': () => server('nobody'),
    'nobody there, and another cryptography': () => server('nobody', cryptoOf(1)),
    deciding: () => server('deciding'),
    'half-open': () => server('half-open'),
    live: () => server('live'),
    leaving: () => server('leaving'),
    'behind the tag': () => behindTheTag(),
  };
}

function client(stage: number, cryptoOf: CryptoOf): Standing {
  const scene = new Scene({ crypto: cryptoOf(1) });
  const { dialer, hear } = dialing({ crypto: cryptoOf(2) });
  const request = said(dialer);
  const refusal = refusalOf(nonceIn(request));
  const answer = (bytes: Uint8Array) => {
    scene.receive(bytes);
    return scene.drain().map((sent) => sent.bytes);
  };
  const genuine: Uint8Array[] = [refusal, ...answer(request)];
  if (stage < 0) hear(refusal);
  if (stage > 0) hear(genuine.at(-1)!);
  if (stage > 0) genuine.push(...answer(said(dialer)));
  if (stage > 1) hear(genuine.at(-1)!);
  if (stage > 1) {
    dialer.flush(BEGIN_MS);
    scene.receive(said(dialer));
    scene.advance(2000).host.flush(scene.nowMs);
    genuine.push(...scene.drain().map((sent) => sent.bytes));
  }
  if (stage > 2) hear(genuine.at(-1)!);
  return {
    genuine,
    receive: (bytes) => {
      const verdict = hear(bytes);
      dialer.flush(BEGIN_MS);
      while (said(dialer).length > 0);
      return verdict;
    },
  };
}

function server(state: string, crypto?: Crypto): Standing {
  const scene = new Scene(crypto && { crypto });
  if (state === 'deciding') scene.answer = 'wait';
  const attempt = new Attempt(1);
  const genuine: Uint8Array[] = [attempt.request];
  if (state === 'live' || state === 'leaving') {
    const peer = scene.join(attempt);
    for (let n = 0; n < 2; n++) genuine.push(scene.advance(1).says(peer));
    if (state === 'leaving') scene.host.close(peer.slot, 'kicked', 'out');
  } else {
    const proof = scene.proof(attempt);
    genuine.push(proof);
    if (state !== 'nobody') scene.receive(proof);
    const accept = state === 'half-open' ? scene.drain()[0]?.bytes : undefined;
    if (accept !== undefined) {
      const connection = attempt.connect(scene.nowMs, accept, () => {});
      genuine.push(scene.says({ attempt, connection, slot: 0, ends: [] }));
    }
  }
  return {
    genuine,
    receive: (bytes) => {
      const verdict = scene.receive(bytes);
      scene.host.flush(scene.nowMs);
      scene.drain();
      return verdict;
    },
  };
}

/** As if whatever is said were authentic: what the parsers of acks, sections and messages meet. */
function behindTheTag(): Standing {
  const kinds = deliveryKinds.filter((kind) => kind !== 'reliable-latest');
  const channels = kinds.map((kind, id) => {
    return { id, channel: createMessageChannel(resolveChannel({ kind }), () => {}) };
  });
  const end = new PlainEnd(channels);
  let sequence = 0;
  const message = [0x80, 4, 0, 0, 2, 5];
  const bodies = [
    [0, ...message],
    [1, 0, 0, 0, 0, ...message],
    [3, 1, 0, 1, 0, 1, 7, 0x83, 5, 0, 0, 3, 2, 9],
    [0, 0x80 | 65, 3, 0, 104, 105],
    [0, 66, 4, 1, 2, 3, 4, 64, 0],
  ];
  return {
    genuine: bodies.map((body) => Uint8Array.from(body)),
    receive: (bytes) => {
      const verdict = end.hear(sequence++ % 0x10000, [...bytes]);
      end.speak();
      return verdict;
    },
  };
}
