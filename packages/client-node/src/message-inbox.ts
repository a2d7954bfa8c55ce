// Messages for handlers that user code sets: by name, and what came before its handler waits for it.

/** Messages that wait for a handler to be set, all names together. */
const EARLY_MESSAGES_MAX = 64;

type Handler = (content: never) => void;

/** What came: a value, or the key of a value that is no more. */
interface Early {
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly name: string;
  readonly content: unknown;
}

/** See the head of the file. */
export class MessageInbox {
  /** Calls user code. */
  readonly #call: (call: () => void) => void;
  readonly #onValue = new Map<string, Handler>();
  readonly #onForgotten = new Map<string, Handler>();
  #early: Early[] = [];
  #unheard = 0;

  constructor(call: (call: () => void) => void) {
    this.#call = call;
  }

  /** Messages without a handler that were too many to be kept. */
  get unheard(): number {
    return this.#unheard;
  }

  /** One handler for the values of each name; gets at once what came before it. */
  onValue(name: string, handler: (value: never) => void): void {
    this.#set(this.#onValue, name, handler);
  }

  /** One handler for the keys of each name; gets at once what came before it. */
  onForgotten(name: string, handler: (key: number) => void): void {
    this.#set(this.#onForgotten, name, handler as Handler);
  }

  value(name: string, value: unknown): void {
    this.#take(this.#onValue, name, value);
  }

  forgotten(name: string, key: number): void {
    this.#take(this.#onForgotten, name, key);
  }

  #set(handlers: Map<string, Handler>, name: string, handler: Handler): void {
    handlers.set(name, handler);
    const mine = (early: Early) => early.handlers === handlers && early.name === name;
    const waiting = this.#early.filter(mine);
    this.#early = this.#early.filter((early) => !mine(early));
    for (const { content } of waiting) this.#call(() => handler(content as never));
  }

  #take(handlers: ReadonlyMap<string, Handler>, name: string, content: unknown): void {
    const handler = handlers.get(name);
    if (handler !== undefined) this.#call(() => handler(content as never));
    else if (this.#early.length < EARLY_MESSAGES_MAX) this.#early.push({ handlers, name, content });
    else this.#unheard++;
  }
}
