// Many of the demo's bots in one process. Beside playing it tells its parent what each bot predicted for each tick,
// as first predicted, and at the end what each bot was told by the server.

import { connect } from '@tickwire/client-node';
import { arena } from './arena.ts';
import { type ArenaInput, Bot } from './bot.ts';
import { breakArena } from './broken-arena.ts';
import type { BotFigures, BotsPlan, BotsReport, Order } from './demo-messages.ts';
import { BatchWriter, predictedFields } from './state-batch.ts';

type ArenaClient = Awaited<ReturnType<typeof connectArena>>;

/** Joining costs more than playing: not all at once. */
const CONNECT_EVERY_MS = 15;
const PREDICTIONS_EVERY_MS = 150;
const VIEW_EVERY_MS = 100;
const REPORT_EVERY_MS = 1000;
/** So long a bot is waited for until it is told everything at once. */
const CONFIRM_MS = 600;
const PLAYER = arena.archetypeIndex('player');

const plan = JSON.parse(process.argv[2] ?? '{}') as BotsPlan;
const game = plan.broken === undefined ? arena : breakArena(plan.broken);
const fields = predictedFields(game.layouts[PLAYER]!);
const predictions = new BatchWriter();

/** One bot: a mind, and the client it plays through. */
class Player {
  readonly number: number;
  readonly mind: Bot;
  #client: ArenaClient | undefined;
  #confirming = false;
  readonly #id = new Uint32Array(1);
  readonly #row = new Int32Array(game.layouts[PLAYER]!.stride);

  constructor(number: number) {
    this.number = number;
    this.mind = new Bot(plan.seed * 1009 + number);
  }

  get client(): ArenaClient | undefined {
    return this.#client;
  }

  async join(): Promise<void> {
    try {
      const client = await connectArena((tick, out) => {
        this.mind.decide(tick, this.#self, this.#look, out);
      });
      this.#client = client;
      client.onTick((tick) => this.#notePrediction(tick));
      client.core.on('confirmed', (tick, whole) => {
        if (whole && this.#confirming) this.#tellConfirmed(tick);
      });
      client.onEnd((reason) => tell({ type: 'ended', bot: this.number, reason }));
      client.onEnter(() => this.#introduce());
    } catch (error) {
      tell({ type: 'ended', bot: this.number, reason: (error as Error).message });
    }
  }

  /** Tells its state as of the next tick of which it hears everything. */
  confirm(): void {
    this.#confirming = true;
    setTimeout(() => {
      if (this.#confirming) this.#tellConfirmed(-1);
    }, CONFIRM_MS);
  }

  sendView(): void {
    const client = this.#client;
    if (client === undefined) return;
    const { player } = client.view(performance.now());
    const players = new Float64Array(player.count * 4);
    let at = 0;
    for (const { id, pose } of player) {
      players.set([id, pose.x, pose.y, pose.aim], at);
      at += 4;
    }
    const self = client.owned[0] ?? 0;
    tell({ type: 'view', view: { bot: this.number, self, players } });
  }

  readonly #self = (): number | undefined => this.#client?.owned[0];

  readonly #look = () => this.#client!.view(performance.now());

  #introduce(): void {
    this.#client?.send('say', { line: `bot ${this.number}` });
  }

  #notePrediction(tick: number): void {
    const match = this.#client?.core.match;
    if (match === undefined || match.world.saveRows(PLAYER, this.#id, this.#row) === 0) return;
    predictions.push(this.number);
    predictions.push(tick);
    for (let i = 0; i < fields.length; i++) predictions.push(this.#row[fields[i]!]!);
  }

  /** `tick` -1: it has not heard everything for too long. */
  #tellConfirmed(tick: number): void {
    this.#confirming = false;
    const match = this.#client?.core.match;
    const state = match && tick >= 0 ? confirmedState(match) : undefined;
    const lastWhole = match?.confirmed.wholeTick ?? -1;
    const baselineMissing = match?.reader.baselineMissing ?? 0;
    const confirmed = { bot: this.number, tick: lastWhole, baselineMissing, state };
    tell({ type: 'confirmed', confirmed });
  }
}

/** Every row as the server last said it; layout in state-batch.ts. */
function confirmedState(match: NonNullable<ArenaClient['core']['match']>): Int32Array {
  const writer = new BatchWriter();
  const { tables } = match.confirmed;
  for (let a = 0; a < tables.length; a++) {
    const { count, order, ids } = tables[a]!;
    writer.push(count);
    for (let i = 0; i < count; i++) {
      const samples = match.confirmed.samples(a, order[i]!);
      writer.push(ids[order[i]!]!);
      writer.push(samples.owned ? 1 : 0);
      writer.append(samples.values, samples.newestAt, samples.stride);
    }
  }
  return writer.take();
}

function connectArena(sampleInput: (tick: number, out: ArenaInput) => void) {
  return connect(game, plan.url, { sampleInput, development: false, onError: complain });
}

function complain(error: Error, where: string): void {
  process.stderr.write(`bots, ${where}: ${error.stack}\n`);
}

function tell(report: BotsReport): void {
  if (process.connected) process.send?.(report);
}

function report(): void {
  const sums = {
    bots: 0,
    rttMs: 0,
    slackMs: 0,
    packetsAcked: 0,
    packetsLost: 0,
    rollbacks: 0,
    movedUnits: 0,
    moves: 0,
    starvedTicks: 0,
    viewedTicks: 0,
    baselineMissing: 0,
  } satisfies BotFigures;
  for (const { client } of players) if (client !== undefined) addFigures(sums, client);
  tell({ type: 'figures', figures: sums });
}

function addFigures(
  sums: { -readonly [K in keyof BotFigures]: number },
  client: ArenaClient,
): void {
  const { statistics } = client;
  const sent = client.core.connection?.statistics;
  sums.bots++;
  sums.rttMs += statistics.rttMs;
  sums.slackMs += statistics.slackMs;
  sums.packetsAcked += sent?.acked ?? 0;
  sums.packetsLost += sent === undefined ? 0 : sent.lost - sent.spuriousLosses;
  sums.rollbacks += statistics.prediction.rollbacks;
  sums.starvedTicks += statistics.starvedTicks;
  sums.viewedTicks += statistics.viewedTicks;
  sums.baselineMissing += statistics.baselineMissing;
  for (const correction of client.core.match?.corrections ?? []) {
    sums.movedUnits += correction.movedUnits;
    sums.moves += correction.moves;
  }
}

function obey({ type }: Order): void {
  if (type === 'report') report();
  if (type === 'silent') for (const { mind } of players) mind.silent = true;
  if (type === 'confirm') for (const player of players) player.confirm();
  if (type === 'close') void close();
}

/** Says goodbye to the server, and lets the process end. */
async function close(): Promise<void> {
  sendPredictions();
  await Promise.all(players.map(({ client }) => client?.close('the demo is over')));
  if (process.connected) process.disconnect();
}

function sendPredictions(): void {
  if (predictions.length > 0) tell({ type: 'predictions', batch: predictions.take() });
}

// The parent ends its children; a signal to the whole group must not end them first.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.once('disconnect', () => process.exit(0));
process.on('message', obey);
const players = Array.from({ length: plan.count }, (_, i) => new Player(plan.first + i));
setInterval(sendPredictions, PREDICTIONS_EVERY_MS).unref();
setInterval(report, REPORT_EVERY_MS).unref();
const watched = players.find(({ number }) => number === plan.watched);
if (watched !== undefined) setInterval(() => watched.sendView(), VIEW_EVERY_MS).unref();
for (const player of players) {
  void player.join();
  await new Promise((resolve) => setTimeout(resolve, CONNECT_EVERY_MS));
}
