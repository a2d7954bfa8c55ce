// How the events of the table of a server's place come about. Who adds an event to the table adds it here.

import { ELSEWHERE, OTHER, OWNER, PlaceScene, type PlaceState } from './place-scene.ts';
import { type Drivers, passUntil } from './state-drive.ts';
import type { Said } from './state-tables.ts';

/** In a proof: a byte of the cookie, and one of the sealed credential. */
const COOKIE_AT = 40;
const CREDENTIAL_AT = 95;

const RIVAL_HEARD = 'data, but the id that it came with is void by now';
const RIVAL_UNHEARD = "data, and its session is another place's that has acked nothing";

function hear(scene: PlaceScene, bytes: Uint8Array, from = OWNER): Said[] {
  scene.hear(bytes, from);
  return scene.says();
}

/** Somebody else's proof, changed at a byte. */
function otherProof(scene: PlaceScene, credential = scene.token(), flipAt = -1): Said[] {
  const guest = scene.guest(OTHER, credential);
  const proof = scene.proofOf(guest).slice();
  if (flipAt >= 0) proof[flipAt]! ^= 1;
  return hear(scene, proof, OTHER);
}

const has = (state: string): boolean => state === 'live' || state === 'leaving';
const isConnected = (state: string): boolean => state === 'half-open' || has(state);

/** A scene in which the owner can say something: this one, or one that is the same up to there. */
function speaking(scene: PlaceScene, state: string): PlaceScene {
  return isConnected(state) ? scene : PlaceScene.in('half-open');
}

function pathChallenge(scene: PlaceScene): Said[] {
  return hear(scene, scene.dataOf(scene.owner), ELSEWHERE);
}

/** The owner, who was asked there, answers. */
function pathResponse(scene: PlaceScene): Uint8Array {
  scene.tell(scene.owner, pathChallenge(scene), ELSEWHERE);
  return scene.clientSays(scene.owner);
}

function answerOrNot(scene: PlaceScene, yes: boolean): Said[] | undefined {
  const [request] = scene.requests;
  if (request === undefined) return undefined;
  if (yes) request.accept();
  else request.refuse('');
  return scene.says();
}

/** Somebody else resumes what the owner is about to resume, is sooner, and acks or not; then the owner's data. */
function lateData(scene: PlaceScene, state: string, acks: boolean): Said[] | undefined {
  if (state !== 'half-open') return undefined;
  const sooner = scene.guest(OTHER, scene.earlierState);
  scene.tell(sooner, hear(scene, scene.admit(sooner), OTHER));
  if (acks) hear(scene, scene.dataOf(sooner), OTHER);
  return hear(scene, scene.dataOf(scene.owner)).filter(({ to }) => to !== OTHER);
}

function resumedElsewhere(scene: PlaceScene): Said[] | undefined {
  const keys = scene.owner.client.resumeState();
  if (keys === undefined) return undefined;
  const guest = scene.guest(OTHER, { way: 3, ...keys });
  return hear(scene, scene.admit(guest), OTHER);
}

export const placeDrivers: Drivers<PlaceScene> = {
  build(state, event) {
    const closer = event.startsWith('close heard') ? 'heard' : 'said';
    const scarce = { connections: { perSecond: 1e-6, burst: 1 } };
    const resumes = event === RIVAL_HEARD || event === RIVAL_UNHEARD;
    const earlier = resumes || event === 'proof that is good, to resume';
    const limited = event === 'proof beyond a limit' && { limits: scarce };
    const scene = PlaceScene.in(state as PlaceState, { closer, earlier, resumes, ...limited });
    // The only attempt that there may be has been used up by whoever has the place.
    if (limited && state === 'free') otherProof(scene, scene.token(false));
    return scene;
  },
  timers: {
    '5 s': { ms: 5000, at: ({ sinceMs }) => sinceMs + 5000 },
    '2 s without having sent': {
      ms: 2000,
      at: ({ saidMs, sinceMs }) => (saidMs || sinceMs) + 2000,
    },
    'nothing received for 10 s': {
      ms: 10_000,
      at: ({ heardMs, sinceMs }) => (heardMs || sinceMs) + 10_000,
    },
    'close heard: 1000 ms passed': { ms: 1000, at: ({ heardMs }) => heardMs + 1000 },
  },
  acts: {
    'proof whose cookie does not hold': (scene) => otherProof(scene, scene.token(), COOKIE_AT),
    'proof beyond a limit': (scene) => otherProof(scene),
    'proof that does not open': (scene) => otherProof(scene, scene.token(), CREDENTIAL_AT),
    'proof that is not good': (scene) => otherProof(scene, scene.token(false)),
    'proof that is good': (scene) => otherProof(scene),
    'proof that is good, to resume': (scene) => otherProof(scene, scene.earlierState),
    'the same proof': (scene, state) => {
      if (state === 'free') return undefined;
      // Sooner it would be one too many.
      if (state === 'half-open') scene.pass(scene.nowMs + 50);
      return hear(scene, scene.proof);
    },
    yes: (scene) => answerOrNot(scene, true),
    no: (scene) => answerOrNot(scene, false),
    data: (scene, state) => {
      const source = speaking(scene, state);
      return hear(scene, source.dataOf(source.owner));
    },
    [RIVAL_HEARD]: (scene, state) => lateData(scene, state, true),
    [RIVAL_UNHEARD]: (scene, state) => lateData(scene, state, false),
    'another proof with its token': (scene, state) =>
      state === 'free' ? undefined : otherProof(scene, scene.ownerToken),
    'newest data from another address': (scene, state) => {
      const source = speaking(scene, state);
      return hear(scene, source.dataOf(source.owner), ELSEWHERE);
    },
    'path response that fits, from there': (scene, state) => {
      // What is leaving asks nobody.
      if (state === 'leaving') return undefined;
      return hear(scene, pathResponse(state === 'live' ? scene : PlaceScene.in('live')), ELSEWHERE);
    },
    'data with a close': (scene, state) => {
      const source = speaking(scene, state);
      return hear(scene, source.closeOf(source.owner));
    },
    'close heard: data with a close': (scene) => hear(scene, passOwner(scene)),
    'the application closes': (scene) => {
      const session = scene.server.sessions.get(0);
      session?.close('out', { graceMs: 0 });
      return session === undefined ? undefined : scene.says();
    },
    'its session is resumed in another place': resumedElsewhere,
    'close said: its interval passed, fewer than 10 sent': (scene, state) =>
      has(state) ? passUntil(scene) : undefined,
    'close said: one of them acked': (scene) => {
      scene.tell(scene.owner, scene.all.slice(-1));
      return hear(scene, scene.clientSays(scene.owner));
    },
    'close said: the interval after the tenth passed': (scene) =>
      passUntil(scene, () => scene.state() === 'free'),
  },
  effects: [
    [/application is asked/, (scene) => scene.requests.length === 1],
    [/session begins/, (scene) => scene.begun === 1],
    [/session waits/, (scene) => scene.lost === 'left'],
    [/path challenge, there/, (_scene, said) => said.every(({ to }) => to === ELSEWHERE)],
    [/goes there/, (scene) => scene.server.host.address(0) === ELSEWHERE],
  ],
  kindsOf: {
    'newest data from another address': 'data',
    'path response that fits, from there': 'data',
  },
};

/** The owner, who has said that it leaves, says it again. */
function passOwner(scene: PlaceScene): Uint8Array {
  const { said } = scene.owner;
  const before = said.length;
  while (said.length === before) {
    scene.nowMs += 5;
    scene.clientSays(scene.owner);
  }
  return said.at(-1)!.bytes;
}
