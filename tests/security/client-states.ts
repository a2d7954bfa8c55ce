// How the events of the client's table come about. Who adds an event to the table adds it here.

import { ClientScene, type ClientState } from './client-scene.ts';
import { type Drivers, passUntil } from './state-drive.ts';
import { type Said, sectionsOf } from './state-tables.ts';

const CLOSE = 65;
const CLOSES_MAX = 10;
const DATA = 6;

function hear(scene: ClientScene, bytes: Uint8Array): Said[] {
  scene.hear(bytes);
  return scene.says();
}

/** What a server says to a client that is as far as this: in a scene of its own, which is the same up to there. */
const fromServer = {
  challenge: () => ClientScene.in('requesting').answer(),
  otherChallenge: () => {
    const challenge = ClientScene.in('requesting').answer();
    challenge[20]! ^= 1;
    return challenge;
  },
  refusal: () => {
    const scene = ClientScene.in('proving');
    scene.refuses = true;
    return scene.answer();
  },
  accept: () => ClientScene.in('proving').answer(),
  data: (packets: number) => ClientScene.in('open').data(packets),
  /** The client's second packet comes from somewhere else. */
  pathChallenge: () => {
    const scene = ClientScene.in('open');
    scene.hear(scene.data(9));
    scene.pass(scene.nowMs + 2500);
    return scene.answer(77);
  },
  close: () => {
    const scene = ClientScene.in('open');
    scene.data(9);
    return scene.kick();
  },
};

const isClosing = (state: string): boolean => state === 'closing';
const isTrying = (state: string): boolean => state === 'requesting' || state === 'proving';

export const clientDrivers: Drivers<ClientScene> = {
  build(state, event) {
    const closer = event.startsWith('close heard') ? 'heard' : 'said';
    // So late that the attempt ends before its cookie does.
    const challengeMs = event === '5 s since the beginning' ? 1500 : 100;
    return ClientScene.in(state as ClientState, closer, challengeMs);
  },
  timers: {
    '0 ms, then each 200 ms': { ms: 200, at: ({ saidMs }) => saidMs + 200 },
    'each 200 ms': { ms: 200, at: ({ saidMs }) => saidMs + 200 },
    'each 200 ms without having sent': { ms: 200, at: ({ saidMs }) => saidMs + 200 },
    '2 s without having sent': { ms: 2000, at: ({ saidMs }) => saidMs + 2000 },
    '4 s since the challenge': { ms: 4000, at: ({ challengedMs }) => challengedMs + 4000 },
    '5 s since the beginning': { ms: 5000, at: ({ startMs }) => startMs + 5000 },
    'nothing received for 10 s': { ms: 10_000, at: ({ heardMs }) => heardMs + 10_000 },
    'close heard: 1000 ms passed': { ms: 1000, at: ({ heardMs }) => heardMs + 1000 },
  },
  acts: {
    'challenge taken': (scene) => hear(scene, fromServer.challenge()),
    'challenge of an identity key that is not the one expected': (scene) =>
      hear(scene, fromServer.otherChallenge()),
    'refuse taken': (scene) => hear(scene, fromServer.refusal()),
    'accept taken': (scene) => hear(scene, fromServer.accept()),
    // The first that an open connection hears, and a new one for every other.
    data: (scene, state) => hear(scene, fromServer.data(state === 'open' ? 1 : 9)),
    'path challenge': (scene) => hear(scene, fromServer.pathChallenge()),
    'data with a close': (scene) => hear(scene, fromServer.close()),
    'close heard: data with a close': (scene) => hear(scene, scene.kickAgain()),
    'the user gives up': (scene, state) => {
      if (!isTrying(state)) return undefined;
      scene.client.close(scene.nowMs, 'aborted', '');
      return scene.says();
    },
    'the user closes': (scene, state) => {
      if (isTrying(state)) return undefined;
      scene.client.close(scene.nowMs, 'closed', 'bye');
      return scene.says();
    },
    'close said: its interval passed, fewer than 10 sent': (scene, state) =>
      isClosing(state) ? passUntil(scene) : undefined,
    'close said: one of them acked': (scene, state) =>
      isClosing(state) ? hear(scene, scene.answer()) : undefined,
    'close said: the interval after the tenth passed': (scene, state) =>
      isClosing(state) ? passUntil(scene, () => scene.client.over) : undefined,
  },
  effects: [
    [/connected/, (scene) => scene.opened],
    [/noted for the end/, (scene) => endsAs(scene) === 'identity'],
  ],
  kindsOf: { 'path challenge': 'data' },
};

/** How an attempt ends of which nothing comes any more. */
function endsAs(scene: ClientScene): string | undefined {
  const later = ClientScene.in('requesting');
  later.hear(fromServer.otherChallenge());
  later.pass(scene.startMs + 5000);
  later.says();
  return later.ended;
}

/** Closes that a client said. */
export function closesOf(scene: ClientScene): number {
  return scene.all.filter((said) => said.bytes[0] === DATA && sectionsOf(said).includes(CLOSE))
    .length;
}

export { CLOSES_MAX };
