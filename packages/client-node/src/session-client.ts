// What every client is around its connection, with a game or without: messages, the end, closing with a grace, user
// code in a guard. When it flushes is for who extends it.

import {
  type ChannelPlan,
  type ChannelStatistics,
  type Connection,
  type ConnectionStatistics,
  type ConnectionTuning,
  type Credential,
  type Crypto,
  type Destination,
  type EndReason,
  type GameIdentity,
  MessageChannels,
  type MessageDeclarations,
  type MessageSet,
  type MessageValue,
  type ResumeKeys,
  type SendResult,
  TickwireError,
  type Verdict,
  Way,
} from '@tickwire/protocol';
import { Dialer } from './dialer.ts';
import { MessageInbox } from './message-inbox.ts';

/** Options of every client. */
export interface SessionClientOptions extends ConnectionTuning {
  readonly crypto: Crypto;
  /** Opaque address of the server. */
  readonly server: number;
  readonly nowMs: number;
  /**
   * What user code throws; `where`: 'simulate', 'sampleInput', 'handler'. By then the connection has ended with 'error'.
   */
  readonly onError?: (error: Error, where: string) => void;
  /** No accept for so long: unreachable. Default 5 s. */
  readonly connectTimeoutMs?: number;
  /** What it shows of itself; to resume a session, what {@link SessionClient.resumeState} gave. Default: nothing. */
  readonly credential?: Credential | undefined;
  /** The identity key that the server must have. Default: whichever it has, so whoever is in between can pass for it. */
  readonly serverKey?: Uint8Array | undefined;
}

/** What resumes a session: 16 bytes that name it, and a secret of 32. Whoever has both can take the seat. */
export type ResumeState = ResumeKeys;

/** What every client measures, with a game or without. */
export interface SessionClientStatistics {
  /** Round trip, loss, rate and so on; undefined until the server has accepted. */
  readonly connection: ConnectionStatistics | undefined;
  /** By channel name. */
  readonly channels: ChannelStatistics;
  /** From the server, ignored because they did not fit their declaration. */
  readonly messagesMalformed: number;
  /** Without a handler, and too many to be kept for one. */
  readonly messagesUnheard: number;
  /** Whose cryptography is in use. */
  readonly crypto: string;
}

/** How {@link SessionClient.close} ends. */
export interface CloseOptions {
  /** What is queued has so long to leave, and on reliable channels to be acknowledged. Default 1000. */
  readonly graceMs?: number;
}

const GRACE_MS = 1000;

/** Of this side's reasons, those that leave the session as it was; of the server's, only that it is full does. */
const NOBODY_ENDED: ReadonlySet<EndReason> = new Set(['timeout', 'unreachable', 'identity']);

/** Settable callbacks; each has one handler. */
export interface SessionHandlers {
  connected: () => void;
  end: (reason: EndReason, text: string, remote: boolean) => void;
}

/** See the head of the file. */
export abstract class SessionClient<M extends MessageDeclarations, H extends SessionHandlers> {
  readonly messages: MessageSet<M>;
  protected readonly dialer: Dialer;
  protected readonly handlers: H;
  readonly #options: SessionClientOptions;
  readonly #channels: MessageChannels<M>;
  readonly #inbox = new MessageInbox((call) => this.guard('handler', call));
  #end: { reason: EndReason; text: string } | undefined;
  #leaving: { text: string; untilMs: number } | undefined;
  /** The server was heard: from now on its keys resume the session. */
  #connected = false;
  /** Somebody has ended the session on purpose. */
  #forgone = false;
  #nowMs: number;

  constructor(
    identity: GameIdentity,
    messages: MessageSet<M>,
    options: SessionClientOptions,
    handlers: H,
  ) {
    this.messages = messages;
    this.handlers = handlers;
    this.#options = options;
    this.#nowMs = options.nowMs;
    this.#channels = new MessageChannels(messages, {
      message: (name, value) => this.#inbox.value(name, value),
      forgotten: (name, key) => this.#inbox.forgotten(name, key),
    });
    this.dialer = new Dialer({
      ...options,
      game: identity,
      sink: {
        channels: () => this.plans(),
        opened: () => {
          this.#connected = true;
          this.guard('handler', this.handlers.connected);
        },
        closed: (reason, text, remote) => this.#closed(reason, text, remote),
      },
    });
  }

  get connection(): Connection | undefined {
    return this.dialer.connection;
  }

  /** What it measures, as a fresh reading. */
  get statistics(): SessionClientStatistics {
    return {
      connection: this.connection?.statistics,
      channels: this.channels,
      messagesMalformed: this.messagesMalformed,
      messagesUnheard: this.messagesUnheard,
      crypto: this.#options.crypto.provider,
    };
  }

  /** Why it ended, undefined while connecting or connected. */
  get ended(): EndReason | undefined {
    return this.#end?.reason;
  }

  /** What the side that ended it had to say. */
  get endText(): string {
    return this.#end?.text ?? '';
  }

  /** Ended, and the peer has been told or given up: nothing more will be sent. */
  get over(): boolean {
    return this.dialer.over;
  }

  /** Counts of every channel of messages, by name; up to date whenever they are read. */
  get channels(): ChannelStatistics {
    return this.#channels.statistics;
  }

  /**
   * Messages of all channels together that wait to be sent; of reliable channels also those that the server has not
   * acknowledged. Counts as {@link ChannelStatistics} does for each.
   */
  get queued(): number {
    return this.#channels.queued;
  }

  /** Bytes of those messages. */
  get queuedBytes(): number {
    return this.#channels.queuedBytes;
  }

  /**
   * Bytes that a channel's messages took in packets so far, both ways: with heads, and with what was said again. Zeros
   * without a connection. Throws 'channel-invalid' for a channel that does not exist.
   */
  wireBytes(channel = 'main'): { readonly out: number; readonly in: number } {
    return this.#channels.wireBytes(this.connection, channel);
  }

  /** Messages from the server that did not fit their declaration. */
  get messagesMalformed(): number {
    return this.#channels.malformed;
  }

  /** Messages without a handler that were too many to be kept. */
  get messagesUnheard(): number {
    return this.#inbox.unheard;
  }

  /**
   * Sends a message through the channel that carries it. 'full': the server is behind, see {@link onWritable};
   * 'too-large': it will never fit; 'closed': the connection has ended or is about to.
   * Throws 'message-invalid' when the value does not fit the declaration.
   */
  send<K extends keyof M & string>(name: K, value: MessageValue<M[K]>): SendResult {
    return this.#sent(this.#channels.send(name, value));
  }

  /**
   * Takes back a value of a reliable-latest channel; the server's `onForget` hears of it.
   * Throws 'channel-invalid' for a message of any other channel.
   */
  forget(name: keyof M & string, key: number): SendResult {
    return this.#sent(this.#channels.forget(name, key));
  }

  /**
   * Calls once, when after a 'full' at most half of the channel's queue is in use again; if it is already, at the next
   * flush. Up to 64 callbacks may wait for a channel, and are called in the order in which they asked as long as there
   * is room; one more throws 'handlers-full', an unknown channel 'channel-invalid'.
   */
  onWritable(callback: () => void, channel = 'main'): void {
    this.#channels.onWritable(() => this.guard('handler', callback), channel);
    this.stirred();
  }

  /** One handler for each name. What came before there was one is handed over at once, up to 64 messages. */
  onMessage<K extends keyof M & string>(name: K, handler: (m: MessageValue<M[K]>) => void): void {
    this.#checkMessage(name);
    this.#inbox.onValue(name, handler as (value: never) => void);
  }

  /** Called when the server has taken back a value of a reliable-latest channel. One handler for each name. */
  onForget(name: keyof M & string, handler: (key: number) => void): void {
    this.#checkMessage(name);
    this.#inbox.onForgotten(name, handler);
  }

  /** Sets what is called; one handler each. */
  on<K extends keyof H>(event: K, handler: H[K]): void {
    this.handlers[event] = handler;
  }

  /**
   * Ends the connection once what is queued has arrived (on unreliable channels: has left), or the grace is over. Until
   * then it still receives.
   */
  close(nowMs: number, text = '', { graceMs = GRACE_MS }: CloseOptions = {}): void {
    this.#channels.finish();
    this.#forgone = true;
    this.#leaving ??= { text, untilMs: nowMs + graceMs };
    this.settle(nowMs);
  }

  /**
   * With what another client, of this process or of the next, can resume the session, while this connection lasts or as
   * long as the server waits after it was lost. Each connection has its own, so ask anew after each resume. Until the
   * server was heard on it, that is what this client itself resumes with: it stays good until the server knows so.
   * Undefined before it has connected, if it resumes nothing, and once either side has ended the session on purpose.
   */
  resumeState(): ResumeState | undefined {
    if (this.#forgone) return undefined;
    const keys = this.#connected ? this.dialer.resumeKeys : this.#broughtKeys();
    return keys && { id: keys.id.slice(), secret: keys.secret.slice() };
  }

  /** Gives up at once, with a reason of the shell's. */
  abort(nowMs: number, reason: EndReason): void {
    this.dialer.close(nowMs, reason, '');
  }

  receive(nowMs: number, bytes: Uint8Array, start: number, end: number, from: number): Verdict {
    this.#nowMs = nowMs;
    return this.dialer.receive(nowMs, bytes, start, end, from);
  }

  poll(nowMs: number, out: Uint8Array, start: number, to: Destination): number {
    return this.dialer.poll(nowMs, out, start, to);
  }

  /** What travels in the connection. */
  protected plans(): readonly ChannelPlan[] {
    return this.#channels.plans();
  }

  /** Something was queued, or somebody waits for room: the next flush should come soon. */
  protected stirred(): void {}

  /** The connection is over; its user hears of it next. */
  protected left(): void {}

  protected get nowMs(): number {
    return this.#nowMs;
  }

  /** Timers of the connection; and a client that is leaving goes if it can. First thing in `advance`. */
  protected settle(nowMs: number): void {
    this.#nowMs = nowMs;
    this.dialer.advance(nowMs);
    if (this.#leaving === undefined || this.#end !== undefined) return;
    const { text, untilMs } = this.#leaving;
    if (this.#isSettled() || nowMs >= untilMs) this.dialer.close(nowMs, 'closed', text);
  }

  /** When {@link settle} has work, as far as is known now: each ack and each flush may bring more. */
  protected settlesAt(): number {
    if (this.#leaving === undefined || this.#end !== undefined) return this.dialer.wakeAt();
    return this.#isSettled() ? this.#nowMs : Math.min(this.dialer.wakeAt(), this.#leaving.untilMs);
  }

  /** User code: a throw ends the connection and is reported, never thrown into the shell. */
  protected guard(where: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.fail(error as Error, where);
    }
  }

  /** Closes first: what is reported to may throw as well, and must not leave half of a packet behind. */
  protected fail(error: Error, where: string): void {
    this.dialer.close(this.#nowMs, 'error', '');
    this.#options.onError?.(error, where);
  }

  /** Nothing waits to be sent, and nothing reliable to be acknowledged. */
  #isSettled(): boolean {
    return this.connection === undefined || this.#channels.queued === 0;
  }

  #broughtKeys(): ResumeState | undefined {
    const { credential } = this.#options;
    return credential?.way === Way.resume ? credential : undefined;
  }

  #closed(reason: EndReason, text: string, remote: boolean): void {
    this.#end = { reason, text };
    if (!(remote ? reason === 'full' : NOBODY_ENDED.has(reason))) this.#forgone = true;
    this.#channels.finish();
    this.left();
    this.guard('handler', () => this.handlers.end(reason, text, remote));
  }

  #sent(result: SendResult): SendResult {
    if (result === 'queued') this.stirred();
    return result;
  }

  #checkMessage(name: string): void {
    if (this.messages.kindOf(name) >= 0) return;
    throw new TickwireError('message-invalid', `there is no message '${name}'`);
  }
}
